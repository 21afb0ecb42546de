"""The peers: which module runs with which packages, and what it stores its work in."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from bench.machine import PROJECT
from bench.postgres import find_postgres
from bench.temporal import find_temporal

PEER_PYTHON = PROJECT / ".tools" / "venv-bench" / "bin" / "python"

FLOOR, BARE, AGENTS = "floor", "bare", "openai-agents"
ONE_SERVICE, ONE_SERVICE_POST = "one service", "one service, our request path"
DURABLE, LANGGRAPH, DBOS = "restate.ext.openai", "LangGraph", "DBOS"
PYDANTIC_AI, TEMPORAL = "pydantic-ai", "Temporal"


class Store(Enum):
    """What a peer needs for its durability. NONE is the process's memory."""

    NONE = "memory"
    RESTATE = "Restate"
    POSTGRES = "PostgreSQL"
    TEMPORAL = "Temporal"


@dataclass(frozen=True)
class Program:
    """How to run a peer.

    `package` is a package of requirements/bench.txt that it imports; "" for a peer that runs with our own packages.
    `parts` are the arguments of its processes. A peer behind HTTP runs `workers` processes with the same argument,
    because one Python process uses one core. A peer in Restate serves `restate_object`.
    """

    name: str
    module: str
    store: Store
    package: str = ""
    parts: Sequence[str] = ("",)
    workers: int = 1
    restate_object: str = ""
    shares_our_tools: bool = False
    python: str = sys.executable

    def with_python(self, peer_python: Path) -> "Program":
        """Return the peer with the interpreter that has its packages."""
        return replace(self, python=str(peer_python)) if self.package else self


WORKERS = 2
"""Number of processes of a peer behind HTTP. Our mesh runs three: sessions, agent, tools."""

PROGRAMS = (
    Program(
        FLOOR,
        "bench.peers.floor",
        Store.RESTATE,
        parts=("session", "agent", "tools"),
        restate_object="FloorSession",
    ),
    Program(BARE, "bench.peers.bare", Store.NONE),
    Program(ONE_SERVICE, "bench.peers.one_service", Store.RESTATE, parts=("create",), restate_object="OneService"),
    Program(
        ONE_SERVICE_POST,
        "bench.peers.one_service",
        Store.RESTATE,
        parts=("post",),
        restate_object="OneServicePost",
    ),
    Program(AGENTS, "bench.peers.openai_agents", Store.NONE, "agents", workers=WORKERS),
    Program(
        DURABLE,
        "bench.peers.restate_openai",
        Store.RESTATE,
        "agents",
        restate_object="DurableBench",
        shares_our_tools=True,
    ),
    Program(LANGGRAPH, "bench.peers.langgraph", Store.POSTGRES, "langgraph", workers=WORKERS),
    Program(DBOS, "bench.peers.dbos_steps", Store.POSTGRES, "dbos", workers=WORKERS),
    Program(PYDANTIC_AI, "bench.peers.pydantic_ai_dbos", Store.POSTGRES, "pydantic_ai", workers=WORKERS),
    Program(TEMPORAL, "bench.peers.temporal_openai", Store.TEMPORAL, "temporalio", workers=WORKERS),
)


def unavailable(program: Program, peer_python: Path) -> str:
    """Return in a sentence why a peer cannot run here, or ""."""
    if program.package and not is_installed(program.package, peer_python):
        return f"{program.name} is skipped: its packages are not installed. Run `make bench`, which installs them."
    if program.store is Store.POSTGRES and find_postgres() is None:
        return f"{program.name} is skipped: PostgreSQL is not installed. Run `python -m scripts.tools postgres`."
    if program.store is Store.TEMPORAL and find_temporal() is None:
        return f"{program.name} is skipped: `temporal` is not installed. Run `python -m scripts.tools temporal`."
    return ""


def is_installed(package: str, peer_python: Path) -> bool:
    if not peer_python.is_file():
        return False
    if peer_python == Path(sys.executable):
        return importlib.util.find_spec(package) is not None
    command = [
        str(peer_python),
        "-c",
        "import importlib.util, sys; sys.exit(not importlib.util.find_spec(sys.argv[1]))",
    ]
    return subprocess.run([*command, package], check=False).returncode == 0


def available_programs(peer_python: Path, programs: Sequence[Program] = PROGRAMS) -> Iterator[Program]:
    """Yield the peers that can run here, and say for each of the others why it cannot."""
    for program in programs:
        if why := unavailable(program, peer_python):
            sys.stderr.write(f"{why}\n")
        else:
            yield program.with_python(peer_python)

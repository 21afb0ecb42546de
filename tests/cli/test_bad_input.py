"""Invalid input: a command prints one line, exits with an error code and leaves nothing behind."""

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from switchboard.cli.additions import Addition
from switchboard.cli.new import new
from switchboard.local.problem import InvalidCommand
from switchboard.local.process import free_ports
from tests.cli.conftest import run_in, service_port_base
from tests.parts import need_restate_server

GOOD = """
name = "shop"
[services.front]
module = "front"
port = 9181
"""


def project(folder: Path, mesh: str, **modules: str) -> Path:
    (folder / "mesh.toml").write_text(mesh)
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)
    return folder


def free_port_options() -> list[str]:
    ingress, admin, node, gateway, metrics = free_ports(5)
    return [
        *("--ingress-port", str(ingress), "--admin-port", str(admin), "--node-port", str(node)),
        *("--gateway-port", str(gateway), "--gateway-metrics-port", str(metrics)),
        *("--service-port-base", str(service_port_base())),
    ]


def assert_one_line(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.endswith((".\n", "?\n", ")\n"))
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def running_in(folder: Path) -> list[str]:
    """Return the processes that run in this folder or have it in their command line."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # The process has ended, or belongs to another user.
            command = " ".join(process.cmdline())
            if str(folder) in command or process.cwd() == str(folder):
                found.append(command)
    return found


@pytest.mark.parametrize(
    ("mesh", "words"),
    [
        (GOOD.replace("module", "modul"), ("services.front.modul is an unknown key; did you mean 'module'?",)),
        (GOOD + "colour = 'red'", ("services.front.colour is an unknown key; the keys are module, port, image",)),
        (GOOD.replace("port = 9181", ""), ("services.front.port is missing",)),
        (GOOD.replace("9181", '"many"'), ("services.front.port: it must be a valid integer",)),
        (GOOD.replace('"shop"', '"My Shop"'), ("name: a mesh's name must consist of 1 to 40 lower-case letters",)),
        (
            GOOD.replace("services.front", "services.Front"),
            ("services.Front: a service's name must consist of 1 to 40",),
        ),
        (GOOD.replace('"front"', '"front.py:app"'), ("services.front.module: a module's name must be written as",)),
        (GOOD.replace("=", "is"), ("mesh.toml is not valid TOML", "line 2")),
        ('name = "shop"', ("services is missing",)),
        (GOOD + '[services.tools]\nmodule = "tools"\nport = 9181', ("front and tools have the same port 9181",)),
        (
            GOOD + '[services.a-b]\nmodule = "a"\nport = 9182\n[services.a_b]\nmodule = "b"\nport = 9183',
            ("a-b and a_b are both called a-b on Kubernetes; rename one of them",),
        ),
        (GOOD.replace("services.front", "services.gateway"), ("'gateway' is a service of the framework",)),
        (GOOD.replace("9181", "9099"), ("front has port 9099, which the demo model uses",)),
    ],
)
@pytest.mark.parametrize("command", ["up", "values"])
def test_invalid_mesh_file_is_rejected(tmp_path: Path, command: str, mesh: str, words: tuple[str, ...]) -> None:
    assert_one_line(run_in(project(tmp_path, mesh), command), "mesh.toml", *words)
    assert [path.name for path in tmp_path.iterdir()] == ["mesh.toml"]


@pytest.mark.parametrize("command", ["up", "values", "demo"])
def test_folder_without_a_mesh_file_is_rejected(tmp_path: Path, command: str) -> None:
    done = run_in(tmp_path, command)
    assert_one_line(done, f"There is no mesh.toml in {tmp_path} or above it.", "switchboard new NAME")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("module", "sources", "words"),
    [
        ("frnt", {}, ("services.front.module: frnt: there is no module with this name", "Modules are looked up in")),
        ("broken.front", {"broken": "raise RuntimeError('no database')"}, ("RuntimeError('no database')",)),
        ("broken.front", {"broken": "import no_such_package"}, ("No module named 'no_such_package'",)),
    ],
    ids=["missing", "package that raises", "package that lacks a dependency"],
)
def test_up_rejects_modules_that_cannot_be_found(
    tmp_path: Path, module: str, sources: dict[str, str], words: tuple[str, ...]
) -> None:
    need_restate_server()
    folder = project(tmp_path, GOOD.replace('"front"', f'"{module}"'), **sources)
    assert_one_line(run_in(folder, "up", *free_port_options()), *words)
    assert not running_in(folder)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise RuntimeError('no database')", ("front exited at start: RuntimeError: no database",)),
        ("print('hello')", ("front exited at start: hello",)),
        ("", ("front exited at start: no output",)),
        ("def broken(:", ("front exited at start: SyntaxError",)),
    ],
    ids=["raises", "exits immediately", "empty", "syntax error"],
)
def test_up_ends_when_a_module_exits_at_start(tmp_path: Path, source: str, words: tuple[str, ...]) -> None:
    need_restate_server()
    folder = project(tmp_path, GOOD, front=source)
    assert_one_line(run_in(folder, "up", *free_port_options()), *words, "logs/front.log")
    assert not running_in(folder)


def test_up_names_a_taken_port_and_the_option_that_chooses_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        folder = project(tmp_path, GOOD.replace("9181", str(port)), front="")
        options = free_port_options()[:-2]
        assert_one_line(run_in(folder, "up", *options), f"port {port}", "front", "--service-port-base")
    assert not running_in(folder)


@pytest.mark.parametrize(
    "name", ["My-Shop", "shop_1", "1shop", "", "../shop", "s" * 41, "shop-", "json", "class", "tests"]
)
def test_new_rejects_an_invalid_name(tmp_path: Path, name: str) -> None:
    assert_one_line(run_in(tmp_path, "new", name), f"{name!r} is not a valid project name")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("my-shop", "MyShop"),
        ("orders", "OrdersAgent"),
        ("session", "SessionAgent"),
        ("ratings", "RatingsAgent"),
        ("deliveries", "DeliveriesAgent"),
    ],
)
def test_new_agent_has_a_name_different_from_other_services(tmp_path: Path, name: str, agent: str) -> None:
    new(name, tmp_path)
    orders = (tmp_path / name / name.replace("-", "_") / "orders.py").read_text()
    assert f'name="{agent}"' in orders


def test_new_has_no_trace_of_what_was_not_added(tmp_path: Path) -> None:
    new("shop", tmp_path)
    texts = [path.read_text() for path in (tmp_path / "shop").rglob("*") if path.is_file()]
    assert not [text for text in texts if "{{" in text or "Mcp" in text or "DELIVERIES" in text]


def test_new_adds_an_mcp_server(tmp_path: Path) -> None:
    new("my-shop", tmp_path, [Addition.MCP, Addition.MCP])
    folder = tmp_path / "my-shop" / "my_shop"
    assert "servers=(DELIVERIES,)," in (folder / "orders.py").read_text()
    assert "from my_shop.deliveries import DELIVERIES\n" in (folder / "orders.py").read_text()
    assert (
        "serve(orders, identity_checks_object(facts_on_record), McpTools(DELIVERIES), name"
        in (folder / "tools.py").read_text()
    )
    assert "[demo,gateway,mcp]==" in (tmp_path / "my-shop" / "requirements.in").read_text()
    done = subprocess.run(
        [sys.executable, "-c", "from my_shop.orders import agent; print(agent.servers[0].name)"],
        cwd=tmp_path / "my-shop",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Deliveries\n"


def test_new_names_what_can_be_added(tmp_path: Path) -> None:
    assert "'mcp'" in run_in(tmp_path, "new", "shop", "--with", "mysql").stderr
    assert not list(tmp_path.iterdir())


def test_new_rejects_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "notes.txt").write_text("mine")
    assert_one_line(
        run_in(tmp_path, "new", "shop"), "shop already exists: it is a folder that is not empty. Nothing was changed"
    )
    assert [path.name for path in tmp_path.rglob("*")] == ["shop", "notes.txt"]


def test_new_rejects_a_name_used_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("mine")
    assert_one_line(run_in(tmp_path, "new", "shop"), "shop already exists: it is a file. Nothing was changed")
    assert (tmp_path / "shop").read_text() == "mine"


def test_new_leaves_no_files_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("switchboard.cli.new.write_project", fail)
    with pytest.raises(InvalidCommand, match="No space left on device"):
        new("shop", tmp_path)
    assert not list(tmp_path.iterdir())


def test_new_uses_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    assert run_in(tmp_path, "new", "shop").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]
    assert (tmp_path / "shop" / "mesh.toml").is_file()

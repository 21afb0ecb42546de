"""The benchmark's systems, on a real mesh: each does the work that is counted, and the counts are right."""

import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.crash import (
    CONVERSATIONS_LOST,
    EFFECTS_DOUBLED,
    MODEL_CALLS_REPEATED,
    TURNS_LOST,
    Turns,
    count,
    crash,
)
from bench.laboratory import SESSIONS_SERVICE, Laboratory, laboratory
from bench.load import new_session, play, say
from bench.machine import memory_mb
from bench.programs import AGENTS, BARE, FLOOR, ONE_SERVICE_POST, PEER_PYTHON, PROGRAMS, Program, Store, unavailable
from bench.systems import COLLECTOR_DOWN, OURS, TRACED, System, WrongAnswer
from bench.workload import BOOKINGS_DONE, HELLO, LOOK_UPS, Task, bookings, bookings_text, fan_out
from switchboard.testing import JSON
from tests.parts import need_tool

ALWAYS = (FLOOR, BARE, ONE_SERVICE_POST)
"""The peers that need no packages of their own."""


@pytest.fixture(scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Laboratory]:
    programs = [program for program in PROGRAMS if program.name in ALWAYS]
    async with laboratory(tmp_path_factory.mktemp("bench"), programs, services=[SESSIONS_SERVICE]) as found:
        yield found


def system_of(lab: Laboratory, name: str) -> System:
    return next(system for system in lab.systems if system.name == name)


@pytest.mark.parametrize("name", [OURS, *ALWAYS])
async def test_system_does_the_work_and_is_measured(lab: Laboratory, name: str) -> None:
    system = system_of(lab, name)
    result = await play(system, fan_out(4), 2, 2)
    assert (result.turns, len(result.latencies_ms)) == (4, 4)
    assert min(result.latencies_ms) >= 100, "every tool takes that long"
    assert set(result.cpu_ms_by_process) == {process.name for process in system.processes}
    assert result.cpu_ms > 0
    assert memory_mb(system.processes) > 20
    assert (result.logged_bytes > 0) == (system.log is not None)


@pytest.mark.slow
async def test_traced_meshes_do_the_same_work(tmp_path: Path) -> None:
    need_tool("otelcol", "the OpenTelemetry collector")
    need_tool("jaeger", "Jaeger")
    async with laboratory(tmp_path, [], traced=True) as lab:
        assert [mesh.name for mesh in lab.traced] == [COLLECTOR_DOWN, TRACED]
        for mesh in lab.traced:
            result = await play(mesh, fan_out(4), 2, 2)
            assert result.turns == 4


async def test_lost_result_is_noticed(lab: Laboratory) -> None:
    bare = system_of(lab, BARE)
    session = new_session()
    await say(bare, session, HELLO)
    assert await bare.results(session) == [0]
    await say(bare, session, LOOK_UPS)
    assert await bare.results(session) == [0, 2]
    with pytest.raises(WrongAnswer, match="replied to"):
        await say(bare, session, Task(LOOK_UPS.text, "another reply", 2))


async def entries(lab: Laboratory, service: str, handler: str, session: str) -> list[list[str]]:
    """Return the kinds of journal entries of each invocation, in order."""
    of_session = f"and target_service_key = '{session}'" if session else ""
    invocations = await lab.ours.mesh.admin.query(
        f"select id from sys_invocation where target_service_name = '{service}' and target_handler_name = '{handler}' "
        f"{of_session} order by created_at"
    )
    found = []
    for invocation in invocations:
        rows = await lab.ours.mesh.admin.query(
            f"select entry_type from sys_journal where id = '{invocation['id']}' order by index"
        )
        found.append([row["entry_type"] for row in rows])
    return found


async def test_floor_has_the_journal_entries_of_our_mesh(lab: Laboratory) -> None:
    # If our steps change, change bench/peers/floor.py to the new ones: it says what Restate costs for the same steps.
    session = new_session()
    for system in (lab.ours, system_of(lab, FLOOR)):
        await say(system, session, HELLO)
        await say(system, session, fan_out(4))
    ours, floor = [await entries(lab, service, "send", session) for service in ("Session", "FloorSession")]
    assert ours[-1] == floor[-1]
    ours, floor = [await entries(lab, service, "take_turn", "") for service in ("Bench", "FloorAgent")]
    assert sorted(ours[-1]) == sorted(floor[-1])


async def test_crash_without_durability_repeats_everything(lab: Laboratory) -> None:
    figures = await crash(system_of(lab, BARE), lab)
    assert figures[MODEL_CALLS_REPEATED] == 8, "each turn starts again"
    assert figures[EFFECTS_DOUBLED] == 16, "two tools of each turn had their effect before the kill"
    assert (figures[TURNS_LOST], figures[CONVERSATIONS_LOST]) == (0, 8)


@pytest.mark.slow
@pytest.mark.parametrize("name", [OURS, ONE_SERVICE_POST])
async def test_crash_with_durability_repeats_nothing(lab: Laboratory, name: str) -> None:
    figures = await crash(system_of(lab, name), lab)
    assert [figures[series] for series in (MODEL_CALLS_REPEATED, EFFECTS_DOUBLED, TURNS_LOST, CONVERSATIONS_LOST)] == [
        0,
        0,
        0,
        0,
    ]


@pytest.mark.slow
@pytest.mark.parametrize("program", [each for each in PROGRAMS if each.package], ids=lambda program: program.name)
async def test_peer_does_the_work(tmp_path: Path, program: Program) -> None:
    if why := unavailable(program, PEER_PYTHON):
        pytest.skip(why)
    async with laboratory(tmp_path, [program.with_python(PEER_PYTHON)], services=[SESSIONS_SERVICE]) as lab:
        (peer,) = lab.peers
        assert (await play(peer, fan_out(4), 2, 1)).turns == 2
        figures = await crash(peer, lab)
        durable = program.store is not Store.NONE
        assert (figures[EFFECTS_DOUBLED] == 0) == durable
        assert (figures[CONVERSATIONS_LOST] == 0) == durable


def test_peer_without_its_packages_is_skipped_with_a_sentence(tmp_path: Path) -> None:
    agents = next(program for program in PROGRAMS if program.name == AGENTS)
    assert unavailable(agents, tmp_path / "python") == (
        "openai-agents is skipped: its packages are not installed. Run `make bench`, which installs them."
    )
    assert unavailable(Program("x", "x", Store.NONE, "package_that_does_not_exist"), Path(sys.executable))
    assert unavailable(Program("x", "x", Store.NONE, "restate"), Path(sys.executable)) == ""


def test_crash_counts_what_was_repeated_and_lost() -> None:
    turns = Turns(["a", "b"])
    effects = Counter(booking["name"] for session in turns.sessions for booking in bookings(session))
    requests: list[JSON] = [
        {"user": bookings_text(session), "body": f"{HELLO.text} {session}"} for session in ("a", "a", "b", "b")
    ]
    right = [BOOKINGS_DONE, BOOKINGS_DONE]
    assert set(count(turns, right, effects, requests).values()) == {0}
    doubled = effects + Counter([bookings("a")[0]["name"]])
    assert count(turns, right, doubled, requests)[EFFECTS_DOUBLED] == 1
    assert count(turns, right, effects, [*requests, requests[0]])[MODEL_CALLS_REPEATED] == 1
    assert count(turns, [BOOKINGS_DONE, ""], effects, requests)[TURNS_LOST] == 1
    missing = Counter(dict.fromkeys(list(effects)[1:], 1))
    assert count(turns, right, missing, requests)[TURNS_LOST] == 1
    forgotten = [*requests, {"user": bookings_text("b"), "body": "b"}]
    assert count(turns, right, effects, forgotten)[CONVERSATIONS_LOST] == 1
    with pytest.raises(WrongAnswer, match="no turn asked for"):
        count(turns, right, effects + Counter(["unknown"]), requests)

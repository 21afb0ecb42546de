"""The benchmark's figures and tables. No process is started."""

import pytest

from bench.crash import EFFECTS_DOUBLED, RECOVERY_S
from bench.measure import (
    ALONE_MS,
    CPU_MS,
    FAN_OUT_MS,
    HOP_MS,
    NO_HOP_MS,
    PROCESS_CPU_MS,
    TURN_MS,
    TURNS_PER_S,
)
from bench.programs import AGENTS, BARE, FLOOR
from bench.report import (
    BEGIN,
    END,
    README_BEGIN,
    README_END,
    TARGETS,
    figure,
    insert_overview,
    insert_tables,
    overview,
    render,
    sorted_turns,
    table,
)
from bench.results import Results, median_ratio, spread
from bench.systems import COLLECTOR_DOWN, OURS, TRACED, successful_results
from bench.workload import FAN_OUTS, LOOK_UPS, STORY_REPLY, fan_out, script
from switchboard.demo_model.script import parse_script
from switchboard.testing import JSON


@pytest.fixture
def results() -> Results:
    """Three rounds. In the second one the machine is half as fast."""
    found = Results(machine={"cores": "2", "date": "today"}, rounds=3, calibration_ms=[10, 20, 11])
    for ours, bare, agents in ((60.0, 100.0, 20.0), (30.0, 50.0, 10.0), (66.0, 110.0, 33.0)):
        found.add(TURNS_PER_S.format(4), OURS, ours)
        found.add(TURNS_PER_S.format(4), BARE, bare)
        found.add(TURNS_PER_S.format(4), AGENTS, agents)
    return found


def test_median_covers_all_rounds(results: Results) -> None:
    assert results.median(TURNS_PER_S.format(4), OURS) == 60.0


def test_unmeasured_series_has_no_median(results: Results) -> None:
    assert results.median(ALONE_MS, OURS) is None


def test_ratio_is_computed_within_each_round(results: Results) -> None:
    assert results.ratio(TURNS_PER_S.format(4), OURS, BARE) == pytest.approx(0.6)
    assert results.ratio(TURNS_PER_S.format(4), OURS, AGENTS) == 3.0


def test_ratio_ignores_rounds_in_which_one_system_is_missing() -> None:
    assert median_ratio([10, 99, 99], [5]) == 2.0
    assert median_ratio([], [5]) is None
    assert median_ratio([1], [0]) is None


def test_growth_compares_two_series_of_one_system() -> None:
    results = Results()
    for early, late in ((10, 12), (20, 22)):
        results.add(TURN_MS.format(10), OURS, early)
        results.add(TURN_MS.format(300), OURS, late)
    assert results.growth(TURN_MS.format(300), TURN_MS.format(10), OURS) == pytest.approx(1.15)


def test_spread_is_maximum_divided_by_minimum() -> None:
    assert spread([10, 20, 11]) == 2.0
    assert spread([]) == 1.0


def test_figure_shows_its_range_if_there_is_one() -> None:
    assert figure([1234.5], decimals=0) == "1,234"
    assert figure([3.0, 1.0, 2.0], decimals=1) == "2.0 (1.0–3.0)"
    assert figure([], decimals=1) == "–"


def test_table_is_markdown() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_targets_say_whether_they_are_met(results: Results) -> None:
    results.add(FAN_OUT_MS, OURS, 160.0)
    results.add(ALONE_MS, OURS, 200.0)
    results.add(ALONE_MS, TRACED, 220.0)
    results.add(ALONE_MS, COLLECTOR_DOWN, 240.0)
    results.add(CPU_MS.format(4), OURS, 20.0)
    results.add(CPU_MS.format(4), FLOOR, 16.0)
    results.add(HOP_MS, OURS, 40.0)
    results.add(NO_HOP_MS, OURS, 20.0)
    rows = {target.description: target.row(results)[2:] for target in TARGETS}
    measured = {name: row for name, row in rows.items() if row != ["–", "not measured"]}
    assert measured == {
        "CPU time per turn, 4 tools, against Restate with empty handlers": ["1.25x", "yes"],
        "turns/s at 32 sessions, 4 tools, against bare loop": ["0.60x", "yes"],
        "turns/s at 32 sessions, 4 tools, against openai-agents": ["3.00x", "yes"],
        "single fan-out of 16, against its slowest tool": ["1.60x", "**no**"],
        "first message, with a hand-off, against the second one": ["2.00x", "**no**"],
        "single turn, traced, against untraced": ["1.10x", "yes"],
        "the same while the collector is down": ["1.20x", "**no**"],
    }


def test_every_durable_peer_has_a_target() -> None:
    described = " ".join(target.description for target in TARGETS)
    durable = {"restate.ext.openai", "one Restate service", "LangGraph", "DBOS", "pydantic-ai with DBOS", "Temporal"}
    assert {name for name in durable if name in described} == durable


def test_cpu_time_by_process_stands_beside_the_floors(results: Results) -> None:
    for process, ours, floor in (("restate", 9.0, 8.0), ("agent", 10.0, 3.0)):
        results.add(PROCESS_CPU_MS.format(process), OURS, ours)
        results.add(PROCESS_CPU_MS.format(process), FLOOR, floor)
    rendered = render(results)
    assert (
        "| process | **Switchboard** | Restate with empty handlers |\n| --- | --- | --- |\n| agent | 10.0 | 3.0 |\n"
        in rendered
    )


def test_tables_show_every_system_and_the_noise(results: Results) -> None:
    rendered = render(results)
    assert "| **Switchboard** | – | 60.0 (30.0–66.0) | – |" in rendered
    assert "| Switchboard / openai-agents | – | 3.00x | – | – | – | – |" in rendered
    assert "2.00x its shortest time" in rendered


def test_turns_are_sorted_by_number() -> None:
    results = Results()
    for turn in (100, 10, 300):
        results.add(TURN_MS.format(turn), OURS, 1.0)
    results.add(CPU_MS.format(4), OURS, 1.0)
    assert sorted_turns(results) == [10, 100, 300]


def test_only_text_between_the_marks_is_replaced(results: Results) -> None:
    document = insert_tables(f"above\n{BEGIN}\nold\n{END}\nbelow\n", results)
    assert document.startswith(f"above\n{BEGIN}\n")
    assert document.endswith(f"{END}\nbelow\n")
    assert "old" not in document


def test_document_without_marks_is_rejected(results: Results) -> None:
    with pytest.raises(ValueError, match="results"):
        insert_tables("text", results)


def test_overview_shows_others_as_ratios_to_ours(results: Results) -> None:
    results.add(FAN_OUT_MS, OURS, 160.0)
    ours, bare, agents = overview(results).splitlines()[2:]
    assert ours.startswith("| **Switchboard** | Restate | – / 60.0 / – | – | 1.60x |")
    assert bare.startswith("| bare loop | no | – / 1.67x / – |")
    assert agents.startswith("| openai-agents | no | – / 0.33x / – |")


def test_overview_leaves_out_traced_meshes(results: Results) -> None:
    before = overview(results)
    results.add(TURNS_PER_S.format(4), TRACED, 58.0)
    results.add(TURNS_PER_S.format(4), COLLECTOR_DOWN, 58.0)
    assert overview(results) == before


def test_overview_says_what_a_crash_repeated(results: Results) -> None:
    for system, doubled in ((OURS, 0), (BARE, 16)):
        results.add(RECOVERY_S, system, 4.0)
        results.add(EFFECTS_DOUBLED, system, doubled)
    ours, bare, agents = overview(results).splitlines()[2:]
    assert ours.endswith("| 4.0 s | nothing |")
    assert bare.endswith("| 1.00x | 16 tool effects doubled |")
    assert agents.endswith("| – | – |")


def test_readme_gets_only_the_overview(results: Results) -> None:
    readme = insert_overview(f"a\n{README_BEGIN}\n{README_END}\nb\n", results)
    assert readme == f"a\n{README_BEGIN}\n\n{overview(results)}\n\n{README_END}\nb\n"


def test_demo_model_can_read_the_script() -> None:
    assert len(parse_script(script()).scenes) == 4 + len(FAN_OUTS)


def test_expected_reply_quotes_the_last_result() -> None:
    assert fan_out(16).reply.endswith("task 16.")
    assert (LOOK_UPS.reply, LOOK_UPS.results) == (STORY_REPLY, 2)


def test_only_successful_tool_results_count() -> None:
    requested = [{"call_id": "1", "tool": "handoff_to_Bench"}, {"call_id": "2", "tool": "wait"}]
    messages: list[JSON] = [
        {"kind": "user", "text": "Run."},
        {"kind": "model", "calls": [*requested, {"call_id": "3", "tool": "wait"}]},
        {"kind": "tool", "call_id": "1", "ok": True},
        {"kind": "tool", "call_id": "2", "ok": True},
        {"kind": "tool", "call_id": "3", "ok": False},
    ]
    assert successful_results(messages) == 1

"""pytest-xdist: each shared mesh is started by exactly one test process. Which tests are left to nightly runs."""

import pytest

from tests.conftest import OWN_MESHES, every_second_row, group_of, left_to_nightly, mesh_of, position_of


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/mesh/test_loop.py::test_a[as it is]", "as it is"),
        ("tests/mesh/test_loop.py::test_a[always replaying-alice-call0]", "always replaying"),
        ("tests/traces/test_traces.py::test_a[observed as it is]", "observed as it is"),
        ("tests/chaos/test_kill.py::test_a[observed always replaying-x]", "observed always replaying"),
        ("tests/console/test_staff.py::test_a[as it is]", "tests/console"),
        ("tests/images/test_files.py::test_a[bank]", "tests/images"),
        ("tests/unit/test_decide.py::test_a[Unknown]", "tests/unit/test_decide.py"),
        ("tests/unit/test_decide.py::test_it_stays_as_it_is", "tests/unit/test_decide.py"),
    ],
    ids="abcdefgh",
)
def test_tests_on_one_mesh_form_one_group(nodeid: str, group: str) -> None:
    assert group_of(nodeid) == group


def test_groups_that_take_minutes_start_first(request: pytest.FixtureRequest) -> None:
    positions = [position_of(item.nodeid) for item in request.session.items]
    assert positions == sorted(positions)


def test_every_test_on_a_mesh_is_in_the_group_of_the_mesh(request: pytest.FixtureRequest) -> None:
    """Checks the tests of this run. Without a group, every test process would start the mesh, all at the same time."""
    for item in request.session.items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        for fixture, wanted in (("laboratory", "{}"), ("observed", "observed {}")):
            if fixture in parameters:
                assert group_of(item.nodeid) in (wanted.format(parameters[fixture]), *OWN_MESHES), item.nodeid


def test_each_row_of_a_test_runs_on_one_of_its_two_meshes_and_rows_take_turns() -> None:
    rows = [f"tests/chaos/test_kill.py::test_a[{{}}-{row}]" for row in "abcdef"]
    pairs = [(row.format("as it is"), row.format("always replaying")) for row in rows]
    left = left_to_nightly([nodeid for pair in pairs for nodeid in pair])
    assert [len(left & set(pair)) for pair in pairs] == [1] * len(pairs)
    replaying = "".join("r" if once in left else "-" for once, _ in pairs)
    assert replaying in ("r---r-", "-r---r", "--r---", "---r--")


def test_halved_test_keeps_the_same_rows_on_both_meshes() -> None:
    rows = [f"tests/mesh/test_a.py::test_a[{mesh}-{row}]" for row in "abc" for mesh in ("as it is", "always replaying")]
    left = every_second_row([*rows, "tests/charts/test_b.py::test_b[x]", "tests/charts/test_b.py::test_b[y]"])
    assert left == {*rows[2:4], "tests/charts/test_b.py::test_b[y]"}


@pytest.mark.parametrize(
    "group",
    [
        "console/test_staff.py::test_{}[{}]",
        "chaos/test_interrupts.py::test_{}[{}]",
        "traces/test_a.py::test_{}[observed {}]",
    ],
    ids="abc",
)
def test_few_tests_on_a_mesh_of_their_own_run_as_they_are(group: str) -> None:
    tests = [[f"tests/{group}".format(name, kind) for kind in ("as it is", "always replaying")] for name in "abcdef"]
    assert left_to_nightly([nodeid for pair in tests for nodeid in pair]) == {replaying for _, replaying in tests}


def test_other_tests_are_not_left_to_nightly_runs() -> None:
    assert left_to_nightly(["tests/unit/test_a.py::test_a", "tests/unit/test_a.py::test_b[row]"]) == set()


def test_both_kinds_of_meshes_are_used_by_many_tests_of_a_run(request: pytest.FixtureRequest) -> None:
    """Checks the tests of this run, if it has tests on meshes."""
    meshes = [mesh_of(item.nodeid) for item in request.session.items]
    once, replaying = meshes.count("as it is"), meshes.count("always replaying")
    assert once + replaying < 20 or min(once, replaying) > (once + replaying) // 6

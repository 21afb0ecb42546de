"""pytest-xdist: each shared mesh is started by exactly one test process."""

import pytest

from tests.conftest import group_of, position_of


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/mesh/test_loop.py::test_a[as it is]", "as it is"),
        ("tests/mesh/test_loop.py::test_a[always replaying-alice-call0]", "always replaying"),
        ("tests/traces/test_traces.py::test_a[observed as it is]", "observed as it is"),
        ("tests/chaos/test_kill.py::test_a[observed always replaying-x]", "observed always replaying"),
        ("tests/unit/test_decide.py::test_a[Unknown]", "tests/unit/test_decide.py"),
        ("tests/unit/test_decide.py::test_it_stays_as_it_is", "tests/unit/test_decide.py"),
    ],
    ids="abcdef",
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
                assert group_of(item.nodeid) == wanted.format(parameters[fixture]), item.nodeid

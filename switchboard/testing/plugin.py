"""The pytest plugin: fixtures with a real mesh, defined by the mesh.toml in pytest's root folder or above it.

The mesh lives as long as the test session. Tests must share its event loop, so a project's pytest configuration must
contain the lines in SETTINGS.
"""

from collections.abc import AsyncIterator, Callable

import pytest

from switchboard.local.mesh import Mesh
from switchboard.local.process import StartFailed
from switchboard.local.restate_server import find_binary
from switchboard.runtime.mesh_file import MeshFileError, MeshProject
from switchboard.testing.customer import Customer
from switchboard.testing.laboratory import Laboratory, open_laboratory
from switchboard.testing.parts import need
from switchboard.testing.scripted_model import ScriptedModel

SETTINGS = {
    "asyncio_mode": "auto",
    "asyncio_default_fixture_loop_scope": "session",
    "asyncio_default_test_loop_scope": "session",
}

ALWAYS_REPLAY_OPTION = "--always-replay"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("switchboard").addoption(
        ALWAYS_REPLAY_OPTION,
        action="store_true",
        help="Make Restate replay every handler at every await, to find non-deterministic handlers.",
    )


def is_set(config: pytest.Config, name: str, value: str) -> bool:
    try:
        return str(config.getini(name)) == value
    except ValueError:  # Unknown setting: pytest-asyncio is not installed.
        return False


@pytest.fixture(scope="session")
def mesh_project(request: pytest.FixtureRequest) -> MeshProject:
    """The project whose mesh the other fixtures start."""
    need("restate-server", find_binary("restate-server"), "run `npm install` in your mesh's folder to install it")
    if not all(is_set(request.config, name, value) for name, value in SETTINGS.items()):
        lines = ", ".join(f'{name} = "{value}"' for name, value in SETTINGS.items())
        pytest.fail(
            f"The mesh fixtures need pytest-asyncio and these settings in pytest's configuration: {lines}.",
            pytrace=False,
        )
    try:
        return MeshProject.find(request.config.rootpath)
    except MeshFileError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
async def laboratory(
    request: pytest.FixtureRequest, mesh_project: MeshProject, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Laboratory]:
    """The running mesh with access to its invocations, logs and Restate's admin API."""
    replays = bool(request.config.getoption(ALWAYS_REPLAY_OPTION))
    try:
        async with open_laboratory(mesh_project, tmp_path_factory.mktemp("mesh"), replays) as opened:
            yield opened
    except StartFailed as failure:
        pytest.fail(str(failure), pytrace=False)


@pytest.fixture(scope="session")
def mesh(laboratory: Laboratory) -> Mesh:
    """The running mesh: its addresses, its processes, and Restate's admin API."""
    return laboratory.mesh


@pytest.fixture(scope="session")
def model(laboratory: Laboratory) -> ScriptedModel:
    """The demo model. `await model.plays(scene(...))` scripts its answers, `await model.follows_rules()` ends that."""
    return laboratory.model


@pytest.fixture(scope="session")
def customer(laboratory: Laboratory) -> Callable[..., Customer]:
    """A factory of customers: `customer("alice")` returns a Customer with a new session."""
    return laboratory.customer

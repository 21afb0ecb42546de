"""The images of all services, built once for all tests."""

from collections.abc import Iterator

import pytest

from switchboard.local.process import free_ports
from tests.images.build import UV, Builder
from tests.parts import need


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    need("uv", UV.exists(), "`make setup` installs it")
    folder = tmp_path_factory.mktemp("images")
    yield Builder(folder)
    # Make read-only folders writable again, so that pytest can remove them.
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


@pytest.fixture(scope="session")
def standalone_environment() -> dict[str, str]:
    """Environment variables with which every service starts without a mesh."""
    (metrics_port,) = free_ports(1)
    return {
        "HOST": "127.0.0.1",
        "OPENAI_API_KEY": "not-needed",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "GATEWAY_JWT_SECRET": "a-secret-of-thirty-two-bytes-or-more",
        "METRICS_PORT": str(metrics_port),
    }

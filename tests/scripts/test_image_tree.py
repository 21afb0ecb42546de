"""An image contains the service's files and their imports. The tests use a small project."""

from pathlib import Path

import pytest

from scripts.image_tree import NoSuchService, image_files, main

MESH = """
name = "small"
[services]
agent = {module = "services.agent", port = 9081}
other = {module = "services.other", port = 9082}
tools = {module = "services.tools", port = 9083}
"""

FILES = {
    "mesh.toml": MESH,
    "switchboard/__init__.py": "",
    "switchboard/run.py": "",
    "switchboard/gateway/__init__.py": "",
    "switchboard/gateway/__main__.py": "from switchboard.words import GREETING",
    "switchboard/demo_model/__init__.py": "",
    "switchboard/words.py": "GREETING = 'hello'",
    "switchboard/testing/scripted_model.py": "import pytest",
    "services/__init__.py": "",
    "services/agent/__init__.py": "",
    "services/agent/__main__.py": "from services.agent.agent import run",
    "services/agent/agent.py": "from services.tools.coins.contract import FLIP",
    "services/agent/words.json": "{}",
    "services/agent/late.py": "def see():\n    from services.tools.rules import RULES\n    return RULES",
    "services/other/__init__.py": "",
    "services/other/__main__.py": "",
    "services/tools/__init__.py": "",
    "services/tools/__main__.py": "from services.tools.coins.handlers import flip",
    "services/tools/rules.py": "from services.tools import sums\nRULES = ()",
    "services/tools/sums.py": "",
    "services/tools/coins/__init__.py": "",
    "services/tools/coins/contract.py": "FLIP = 1",
    "services/tools/coins/handlers.py": "import restate\nfrom services.tools.coins.contract import FLIP",
    "services/tools/coins/coins.json": "{}",
    "services/tools/__pycache__/rules.cpython-311.pyc": "",
}


ALWAYS = {"mesh.toml", "switchboard/__init__.py", "switchboard/run.py"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def names(service: str, project: Path) -> set[str]:
    return {path.as_posix() for path in image_files(service, project)}


def test_agent_image_has_its_folder_and_all_imported_files(project: Path) -> None:
    own = {name for name in FILES if name.startswith("services/agent/")}
    imported = {"services/tools/coins/contract.py", "services/tools/rules.py", "services/tools/sums.py"}
    packages = {"services/__init__.py", "services/tools/__init__.py", "services/tools/coins/__init__.py"}
    assert names("agent", project) == own | imported | packages | ALWAYS


def test_service_image_has_data_files_but_no_bytecode(project: Path) -> None:
    of_tools = {name for name in FILES if name.startswith("services/tools/") and "__pycache__" not in name}
    assert names("tools", project) == of_tools | {"services/__init__.py"} | ALWAYS


def test_files_are_copied_unchanged(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert main("agent", project / "image") == 0
    assert (project / "image/services/agent/words.json").read_text() == "{}"
    assert main("agnet", project / "other") == 1
    assert not (project / "other").exists()
    assert "SERVICE must be one of agent, demo_model, gateway, other, tools" in capsys.readouterr().err


def test_gateway_image_holds_the_gateway_and_no_service_of_the_mesh(project: Path) -> None:
    gateway = {"switchboard/gateway/__init__.py", "switchboard/gateway/__main__.py", "switchboard/words.py"}
    assert names("gateway", project) == gateway | ALWAYS


def test_service_missing_in_mesh_toml_is_rejected(project: Path) -> None:
    (project / "mesh.toml").write_text(MESH.replace("other", "another"))
    with pytest.raises(NoSuchService, match="one of agent, another, demo_model, gateway, tools"):
        image_files("other", project)

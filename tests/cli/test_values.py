"""`switchboard values`: mesh.toml and the chart agent-mesh agree."""

from pathlib import Path
from typing import get_args

import yaml

from services.project import reference
from switchboard.cli.values import CHART_USES, chart_values, service_values
from switchboard.runtime.mesh_file import MeshDefinition, Uses
from tests.charts.rendering import of_kind, render, values
from tests.cli.conftest import run_in
from tests.parts import PROJECT

CHART = "agent-mesh"

SHOP = MeshDefinition.model_validate(
    {
        "name": "shop",
        "services": {
            "front": {
                "module": "shop.front",
                "port": 9181,
                "uses": ["model", "restate-admin", "prices", "speaker-keys"],
            },
            "order_tools": {"module": "shop.tools", "port": 9182, "uses": [], "replicas": 3, "image": "tools-of-shop"},
            "tools": {"module": "shop.more_tools", "port": 9183},
        },
    }
)


def test_chart_has_the_services_of_mesh_toml() -> None:
    assert service_values(reference().definition, values(CHART)) == values(CHART)["services"]
    assert chart_values(reference().definition, values(CHART)) == {"services": values(CHART)["services"]}


def test_chart_has_a_key_for_every_need() -> None:
    assert set(CHART_USES.values()) == values(CHART)["defaults"]["uses"].keys()
    assert set(CHART_USES) == set(get_args(Uses))


def test_values_of_another_mesh_replace_the_charts_services() -> None:
    assert chart_values(SHOP, values(CHART)) == {
        "services": {
            "front": {
                "image": {"repository": "shop-front"},
                "uses": {"restateAdmin": True, "prices": True, "speakerKeys": True},
            },
            "order-tools": {"image": {"repository": "tools-of-shop"}, "replicas": 3, "uses": {"model": False}},
            "tools": {
                "image": {"repository": "shop-tools"},
                "uses": {"model": True, "restateAdmin": False, "speakerKeys": False},
            },
            "triage": None,
            "bank": None,
            "airline": None,
        },
        "gateway": {"image": {"repository": "shop-gateway"}},
        "demoModel": {"image": {"repository": "shop-demo-model"}},
        "tests": {"question": "hello", "replyPattern": "."},
    }


def test_chart_renders_exactly_the_services_of_another_mesh(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(chart_values(SHOP, values(CHART))))
    manifests = render(CHART, file)
    pods = {each["metadata"]["name"]: each["spec"] for each in of_kind(manifests, "RestateDeployment")}
    environment = {
        name: {each["name"] for each in spec["template"]["spec"]["containers"][0]["env"]} for name, spec in pods.items()
    }
    needs = {name: names & {"OPENAI_API_KEY", "RESTATE_ADMIN_URL"} for name, names in environment.items()}
    assert needs == {
        "front": {"OPENAI_API_KEY", "RESTATE_ADMIN_URL"},
        "order-tools": set(),
        "tools": {"OPENAI_API_KEY"},
    }
    assert pods["order-tools"]["replicas"] == 3
    assert "tools-of-shop:" in pods["order-tools"]["template"]["spec"]["containers"][0]["image"]


def test_values_command_prints_yaml() -> None:
    printed = run_in(PROJECT, "values")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert yaml.safe_load(printed.stdout) == {"services": values(CHART)["services"]}


def test_mesh_file_is_read_as_utf8_in_every_locale(tmp_path: Path) -> None:
    (tmp_path / "mesh.toml").write_text(
        'name = "shop"\nexample = "où est ma commande ?"\n[services.front]\nmodule = "front"\nport = 9181\n',
        encoding="utf-8",
    )
    ascii_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    printed = run_in(tmp_path, "values", **ascii_locale)
    assert (printed.returncode, printed.stderr) == (0, "")

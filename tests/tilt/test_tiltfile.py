"""The Tiltfile deploys the right resources and images in the right order, with `tilt up`, `tilt ci` and `tilt down`."""

import base64
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from scripts.image_tree import image_files, services
from switchboard.gateway.api import OPENAPI
from tests.charts.rendering import documents, template, values
from tests.images.dockerfile import read_dockerfile
from tests.parts import PROJECT
from tests.tilt.evaluation import Evaluation, evaluate

KEY = {"OPENAI_API_KEY": "an-api-key"}


@pytest.fixture(scope="module", params=["without a key", "with a key"])
def up(request: pytest.FixtureRequest) -> Evaluation:
    return evaluate("up", KEY if request.param == "with a key" else {})


@pytest.fixture(scope="module")
def plain() -> Evaluation:
    """`tilt up` without an API key."""
    return evaluate("up")


def image_name(image: str) -> str:
    return image.rpartition(":")[0]


def test_built_images_are_exactly_those_of_the_workloads(up: Evaluation) -> None:
    containers = [each for workload in up.workloads for each in workload["spec"]["template"]["spec"]["containers"]]
    assert {image_name(each["image"]) for each in containers} == {call.first for call in up.all("docker_build")}


def test_every_image_belongs_to_an_existing_service(up: Evaluation) -> None:
    built = {call.named["build_args"]["SERVICE"]: call.first for call in up.all("docker_build")}
    assert {*built} <= set(services(PROJECT))
    assert {f"switchboard-{service.replace('_', '-')}": service for service in built} == {
        v: k for k, v in built.items()
    }


def test_all_services_are_deployed(up: Evaluation) -> None:
    names = {each["metadata"]["name"].replace("-", "_") for each in up.workloads}
    assert names | {"demo_model"} == set(services(PROJECT))


@cache
def files_of_image(service: str) -> list[Path]:
    return image_files(service, PROJECT)


def test_build_context_has_every_file_of_the_image(up: Evaluation) -> None:
    for build in up.all("docker_build"):
        service = build.named["build_args"]["SERVICE"]
        seen = tuple(build.named["only"])
        unseen = [path for path in files_of_image(service) if not path.as_posix().startswith(seen)]
        assert unseen == [], service


def test_live_update_writes_to_the_paths_of_the_dev_image(up: Evaluation) -> None:
    stages = read_dockerfile((PROJECT / "Dockerfile").read_text()).stages
    copied = {copy.words[0]: copy.words[1] for copy in stages["dev"].all("COPY") if "from" not in copy.flags}
    (folder,) = (each.text for each in stages["runtime"].all("WORKDIR"))
    for build in up.all("docker_build"):
        assert build.named["target"] == "dev"
        first, *syncs = build.named["live_update"]
        assert first["kind"] == "fall_back_on"
        assert [step["kind"] for step in syncs] == ["sync"] * len(syncs)
        for sync in syncs:
            top = sync["source"].split("/")[0]
            assert sync["target"] == f"{folder}/{copied[top]}{sync['source'].removeprefix(top)}"
            assert sync["source"] in build.named["only"]
            assert (PROJECT / sync["source"]).exists()


def test_changed_pins_rebuild_the_image(up: Evaluation) -> None:
    for build in up.all("docker_build"):
        pins = {path for path in build.named["only"] if path.startswith("requirements/")}
        assert pins == set(build.named["live_update"][0]["files"])
        service = build.named["build_args"]["SERVICE"]
        assert (f"requirements/{service}.txt" in pins) == (PROJECT / f"requirements/{service}.txt").exists()
        assert all((PROJECT / path).exists() for path in pins)


def test_containers_are_writable_but_otherwise_restricted(up: Evaluation) -> None:
    for workload in up.workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": False,
                "capabilities": {"drop": ["ALL"]},
            }


def test_tilt_finds_the_images_in_restate_deployments(up: Evaluation) -> None:
    kind = up.one("k8s_kind", "RestateDeployment")
    assert kind.named["image_json_path"] == "{.spec.template.spec.containers[*].image}"
    deployments = [each for each in up.objects if each["kind"] == "RestateDeployment"]
    assert len(deployments) >= 4
    assert {each["apiVersion"] for each in deployments} == {kind.named["api_version"]}


def test_resource_dependencies_have_no_cycle(up: Evaluation) -> None:
    for name, resource in up.resources.items():
        assert set(resource.get("resource_deps", [])) <= set(up.resources), name
        up.dependencies(name)


def test_operator_is_deployed_before_restate_and_restate_before_services(up: Evaluation) -> None:
    for workload in up.workloads:
        needed = up.dependencies(workload["metadata"]["name"])
        assert {"mesh-operator", "mesh-platform", "restate-ready", "mesh-objects"} <= needed
    assert up.dependencies("mesh-platform") == {"mesh-operator"}


def test_objects_that_services_use_are_deployed_before_them(up: Evaluation) -> None:
    listed = set(up.resources["mesh-objects"]["objects"])
    for each in up.objects:
        if each["kind"] not in ("Deployment", "RestateDeployment", "Service"):
            assert f"{each['metadata']['name']}:{each['kind'].lower()}" in listed
    wanted = {each["spec"]["template"]["spec"]["serviceAccountName"] for each in up.workloads}
    assert {f"{name}:serviceaccount" for name in wanted} | {"mesh:namespace"} <= listed


def test_every_referenced_secret_is_created(up: Evaluation) -> None:
    made = {each["metadata"]["name"]: set(each["stringData"]) for each in up.objects if each["kind"] == "Secret"}
    named = [
        variable["valueFrom"]["secretKeyRef"]
        for workload in up.workloads
        for container in workload["spec"]["template"]["spec"]["containers"]
        for variable in container["env"]
        if "valueFrom" in variable
    ]
    assert named
    assert [each for each in named if each["key"] not in made[each["name"]]] == []


def test_links_match_the_documentation(plain: Evaluation) -> None:
    links = {
        link["name"]: link["url"] for name in ("restate-ui", "jaeger-ui") for link in plain.resources[name]["links"]
    }
    (forward,) = plain.resources["gateway"]["port_forwards"]
    links[forward["name"]] = f"http://localhost:{forward['local_port']}{forward['link_path']}"
    assert forward["link_path"] == OPENAPI, "the link must open an existing page"
    links |= {link["name"]: link["url"] for link in plain.resources["gateway"]["links"]}
    assert links == {
        "Restate UI": "http://localhost:9070/ui",
        "Jaeger": "http://localhost:16686",
        "Gateway": "http://localhost:8000/v1/openapi.json",
        "Console": "http://localhost:8000/",
        "Console for staff": "http://localhost:8000/staff",
    }
    documented = (PROJECT / "docs" / "operate" / "tilt.md").read_text()
    assert [url for url in links.values() if url not in documented] == []


def test_forwarded_ports_exist_in_the_pods(plain: Evaluation) -> None:
    (gateway,) = (each for each in plain.workloads if each["metadata"]["name"] == "gateway")
    ports = {each["containerPort"] for each in gateway["spec"]["template"]["spec"]["containers"][0]["ports"]}
    assert {each["container_port"] for each in plain.resources["gateway"]["port_forwards"]} <= ports
    for name in ("restate-ui", "jaeger-ui"):
        resource = plain.resources[name]
        forwarded = {int(here) for here in re.findall(r" (\d+):\d+", resource["serve_cmd"])}
        assert resource["readiness_probe"]["http_get"]["port"] in forwarded
        assert {int(link["url"].split(":")[2].split("/")[0]) for link in resource["links"]} <= forwarded


def test_demo_model_is_used_with_a_warning_without_a_key(plain: Evaluation) -> None:
    (warning,) = plain.all("warn")
    assert warning.first.endswith("is not a language model: OPENAI_API_KEY is not set.")
    assert "demo-model" in plain.resources
    assert variable(plain, "bank", "OPENAI_BASE_URL") == {"value": "http://demo-model:9099/v1"}


def test_real_model_is_used_with_a_key_that_is_in_no_command_line() -> None:
    up = evaluate("up", {**KEY, "OPENAI_BASE_URL": "http://models.example.com/v1", "SWITCHBOARD_MODEL": "some-model"})
    assert not list(up.all("warn"))
    assert "demo-model" not in up.resources
    (secret,) = (each for each in up.objects if each["metadata"]["name"] == "model-key")
    assert secret["stringData"] == KEY
    reference = {"secretKeyRef": {"name": "model-key", "key": "OPENAI_API_KEY"}}
    assert variable(up, "bank", "OPENAI_API_KEY") == {"valueFrom": reference}
    assert variable(up, "bank", "OPENAI_BASE_URL") == {"value": "http://models.example.com/v1"}
    assert variable(up, "bank", "SWITCHBOARD_MODEL") == {"value": "some-model"}
    commands = [str(call) for call in up.all("local", "local_resource", "k8s_custom_deploy")]
    assert not [each for each in [*commands, *map(str, up.helm_commands)] if KEY["OPENAI_API_KEY"] in each]


def test_demo_model_can_be_selected_despite_a_key() -> None:
    up = evaluate("up", KEY, **{"demo-model": True})
    (warning,) = up.all("warn")
    assert warning.first.endswith("--demo-model is set.")
    assert "demo-model" in up.resources


def test_other_clusters_must_be_allowed_explicitly(plain: Evaluation) -> None:
    assert not list(plain.all("allow_k8s_contexts"))
    (allowed,) = evaluate("up", context="staging").all("allow_k8s_contexts")
    assert allowed.first == "staging"


def signing_key(evaluation: Evaluation) -> str:
    """Return the key in the Secret that the gateway reads."""
    named = variable(evaluation, "gateway", "GATEWAY_JWT_SECRET")["valueFrom"]["secretKeyRef"]
    (secret,) = (
        each for each in evaluation.objects if (each["kind"], each["metadata"]["name"]) == ("Secret", named["name"])
    )
    if "stringData" in secret:
        return str(secret["stringData"][named["key"]])
    return base64.b64decode(secret["data"][named["key"]]).decode()


def test_public_signing_key_is_used_only_on_local_clusters(plain: Evaluation) -> None:
    written = (PROJECT / "Tiltfile").read_text()
    assert signing_key(plain) in written
    other = evaluate("up", context="staging")
    keys = {signing_key(other), signing_key(evaluate("up", context="staging"))}
    assert len(keys) == 2
    assert not [key for key in keys if key in written]
    assert signing_key(plain) not in str(other.objects)
    assert "gateway-key:secret" in other.resources["mesh-objects"]["objects"]


@pytest.mark.parametrize(("subcommand", "waits"), [("up", False), ("ci", True)])
def test_smoke_runs_automatically_only_in_ci_after_agents_are_registered(subcommand: str, waits: bool) -> None:
    evaluation = evaluate(subcommand)
    smoke = evaluation.resources["smoke"]
    assert smoke["auto_init"] is waits
    agents = {each["metadata"]["name"] for each in evaluation.workloads}
    assert {"mesh-ready", "restate-ready", "restate-ui", "jaeger-ui", *agents} <= evaluation.dependencies("smoke")
    ready = evaluation.one("local_resource", "mesh-ready").arguments[1]
    assert ready.startswith("kubectl --namespace mesh wait --for=condition=Ready rsd --all ")
    command = evaluation.one("local_resource", "smoke").arguments[1]
    assert (PROJECT / re.findall(r"python3 (\S+)", command)[0]).exists()


def test_reading_the_tiltfile_needs_no_network() -> None:
    evaluation = evaluate("alpha tiltfile-result")
    assert not list(evaluation.all("local"))
    assert [command[0] for command in evaluation.helm_commands] == ["template"]


@pytest.mark.parametrize("subcommand", ["up", "ci"])
def test_chart_dependencies_are_downloaded_before_deployment(subcommand: str) -> None:
    evaluation = evaluate(subcommand)
    missing = [chart for chart in ("mesh-operator", "mesh-platform") if not has_dependencies(chart)]
    commands = [call.first for call in evaluation.all("local")]
    assert commands == [f"helm dependency build deploy/helm/{chart}" for chart in missing]


def has_dependencies(chart: str) -> bool:
    return (PROJECT / "deploy" / "helm" / chart / "charts").exists()


def test_down_removes_objects_with_finalizers_before_the_operator() -> None:
    down = evaluate("down")
    assert not list(down.all("local"))
    delete = down.one("k8s_custom_deploy", "mesh-platform").named["delete_cmd"]
    steps = ["wait --for=delete rsd --all", "delete rsc restate", "helm uninstall mesh-platform"]
    assert [delete.index(step) for step in steps] == sorted(delete.index(step) for step in steps)
    # Tilt deletes dependents first, so the operator goes last.
    assert "mesh-operator" in down.dependencies("mesh-platform")
    for deployment in (each for each in down.objects if each["kind"] == "RestateDeployment"):
        restate: dict[str, Any] = deployment["spec"]["restate"]
        assert (restate["deletePolicy"], restate["drainDelaySeconds"]) == ("force", 0)


def test_files_in_commands_exist(up: Evaluation) -> None:
    named: set[str] = set()
    for call in up.all("k8s_custom_deploy"):
        named |= set(re.findall(r"deploy/helm/\S+", f"{call.named['apply_cmd']} {' '.join(call.named['deps'])}"))
    assert len(named) >= 3
    assert [path for path in sorted(named) if not (PROJECT / path).exists()] == []


def test_commands_use_the_names_of_the_platforms_objects(plain: Evaluation) -> None:
    rendered = documents(template("mesh-platform", "values-local.yaml", dependencies=False).stdout)
    (cluster,) = (each["metadata"]["name"] for each in rendered if each and each["kind"] == "RestateCluster")
    assert f" rsc/{cluster} " in f"{plain.one('local_resource', 'restate-ready').arguments[1]} "
    # The operator creates a namespace with the cluster's name, which contains the Service `restate`.
    assert f"--namespace {cluster} port-forward svc/restate " in plain.resources["restate-ui"]["serve_cmd"]
    assert f"delete rsc {cluster} " in plain.one("k8s_custom_deploy", "mesh-platform").named["delete_cmd"]
    jaeger = values("mesh-platform")["jaeger"]["fullnameOverride"]
    assert f"port-forward svc/{jaeger} " in plain.resources["jaeger-ui"]["serve_cmd"]


def test_objects_are_one_valid_yaml_stream(up: Evaluation) -> None:
    (call,) = up.all("k8s_yaml")
    names = [(each["kind"], each["metadata"]["name"]) for each in documents(call.first)]
    assert len(names) == len(set(names))
    assert not [name for kind, name in names if kind == "Pod"]


def variable(evaluation: Evaluation, workload: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in evaluation.workloads if each["metadata"]["name"] == workload)
    (container,) = found["spec"]["template"]["spec"]["containers"]
    (entry,) = (each for each in container["env"] if each["name"] == name)
    return {key: value for key, value in entry.items() if key != "name"}

"""The Tiltfile: what comes up, in which order, from which images, and what `tilt ci` and `tilt down` wait for."""

import base64
import re
from typing import Any

import pytest
import yaml

from scripts.image_tree import image_files, services
from switchboard.gateway.api import OPENAPI
from tests.charts.rendering import template, values
from tests.images.dockerfile import read_dockerfile
from tests.parts import PROJECT
from tests.tilt.evaluation import Evaluation, evaluate

KEY = {"OPENAI_API_KEY": "a-key-of-somebody"}


@pytest.fixture(scope="module", params=["without a key", "with a key"])
def up(request: pytest.FixtureRequest) -> Evaluation:
    return evaluate("up", KEY if request.param == "with a key" else {})


@pytest.fixture(scope="module")
def plain() -> Evaluation:
    """`tilt up` on a machine without a key."""
    return evaluate("up")


def image_name(image: str) -> str:
    return image.rpartition(":")[0]


def test_every_image_that_a_workload_names_is_built_and_every_built_one_is_used(up: Evaluation) -> None:
    containers = [each for workload in up.workloads for each in workload["spec"]["template"]["spec"]["containers"]]
    assert {image_name(each["image"]) for each in containers} == {call.first for call in up.all("docker_build")}


def test_every_image_is_of_a_service_that_there_is(up: Evaluation) -> None:
    built = {call.named["build_args"]["SERVICE"]: call.first for call in up.all("docker_build")}
    assert {*built} <= set(services(PROJECT))
    assert {f"switchboard-{service.replace('_', '-')}": service for service in built} == {
        v: k for k, v in built.items()
    }


def test_all_services_come_up(up: Evaluation) -> None:
    names = {each["metadata"]["name"].replace("-", "_") for each in up.workloads}
    assert names | {"demo_model"} == set(services(PROJECT))


def test_a_build_sees_every_file_that_its_image_holds(up: Evaluation) -> None:
    for build in up.all("docker_build"):
        service = build.named["build_args"]["SERVICE"]
        seen = tuple(build.named["only"])
        unseen = [path for path in image_files(service, PROJECT) if not path.as_posix().startswith(seen)]
        assert unseen == [], service


def test_a_live_update_writes_where_the_development_image_has_the_file(up: Evaluation) -> None:
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


def test_new_pins_make_a_new_image(up: Evaluation) -> None:
    for build in up.all("docker_build"):
        pins = {path for path in build.named["only"] if path.startswith("requirements/")}
        assert pins == set(build.named["live_update"][0]["files"])
        service = build.named["build_args"]["SERVICE"]
        assert (f"requirements/{service}.txt" in pins) == (PROJECT / f"requirements/{service}.txt").exists()
        assert all((PROJECT / path).exists() for path in pins)


def test_a_live_update_may_write_into_every_container_and_nothing_else_is_let_go(up: Evaluation) -> None:
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


def test_tilt_finds_the_images_in_restates_kind(up: Evaluation) -> None:
    kind = up.one("k8s_kind", "RestateDeployment")
    assert kind.named["image_json_path"] == "{.spec.template.spec.containers[*].image}"
    deployments = [each for each in up.objects if each["kind"] == "RestateDeployment"]
    assert len(deployments) >= 4
    assert {each["apiVersion"] for each in deployments} == {kind.named["api_version"]}


def test_resources_wait_for_each_other_without_a_circle(up: Evaluation) -> None:
    for name, resource in up.resources.items():
        assert set(resource.get("resource_deps", [])) <= set(up.resources), name
        up.before(name)


def test_the_operator_comes_before_restate_and_restate_before_the_services(up: Evaluation) -> None:
    for workload in up.workloads:
        needed = up.before(workload["metadata"]["name"])
        assert {"mesh-operator", "mesh-platform", "restate-ready", "mesh-objects"} <= needed
    assert up.before("mesh-platform") == {"mesh-operator"}


def test_what_the_services_use_is_there_before_them(up: Evaluation) -> None:
    beside = set(up.resources["mesh-objects"]["objects"])
    for each in up.objects:
        if each["kind"] not in ("Deployment", "RestateDeployment", "Service"):
            assert f"{each['metadata']['name']}:{each['kind'].lower()}" in beside
    wanted = {each["spec"]["template"]["spec"]["serviceAccountName"] for each in up.workloads}
    assert {f"{name}:serviceaccount" for name in wanted} | {"mesh:namespace"} <= beside


def test_every_secret_that_a_pod_names_is_made(up: Evaluation) -> None:
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


def test_services_and_links_are_where_the_documentation_says(plain: Evaluation) -> None:
    links = {
        link["name"]: link["url"] for name in ("restate-ui", "jaeger-ui") for link in plain.resources[name]["links"]
    }
    (forward,) = plain.resources["gateway"]["port_forwards"]
    links[forward["name"]] = f"http://localhost:{forward['local_port']}{forward['link_path']}"
    assert forward["link_path"] == OPENAPI, "what a click on it opens is there"
    assert links == {
        "Restate UI": "http://localhost:9070/ui",
        "Restate ingress": "http://localhost:8080",
        "Jaeger": "http://localhost:16686",
        "Gateway": "http://localhost:8000/v1/openapi.json",
    }
    documented = (PROJECT / "docs" / "operate" / "tilt.md").read_text()
    assert [url for url in links.values() if url not in documented] == []


def test_a_forwarded_port_is_one_that_the_pod_has(plain: Evaluation) -> None:
    (gateway,) = (each for each in plain.workloads if each["metadata"]["name"] == "gateway")
    ports = {each["containerPort"] for each in gateway["spec"]["template"]["spec"]["containers"][0]["ports"]}
    assert {each["container_port"] for each in plain.resources["gateway"]["port_forwards"]} <= ports
    for name in ("restate-ui", "jaeger-ui"):
        resource = plain.resources[name]
        forwarded = {int(here) for here in re.findall(r" (\d+):\d+", resource["serve_cmd"])}
        assert resource["readiness_probe"]["http_get"]["port"] in forwarded
        assert {int(link["url"].split(":")[2].split("/")[0]) for link in resource["links"]} <= forwarded


def test_without_a_key_the_demo_model_answers_and_that_is_said(plain: Evaluation) -> None:
    (warning,) = plain.all("warn")
    assert warning.first == "Answers come from RULES, not from a language model: OPENAI_API_KEY is not set."
    assert "demo-model" in plain.resources
    assert variable(plain, "bank", "OPENAI_BASE_URL") == {"value": "http://demo-model:9099/v1"}


def test_with_a_key_the_model_answers_and_the_key_is_in_no_command_line() -> None:
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


def test_the_demo_model_can_be_asked_for_in_spite_of_a_key() -> None:
    up = evaluate("up", KEY, **{"demo-model": True})
    (warning,) = up.all("warn")
    assert warning.first.endswith("--demo-model was given.")
    assert "demo-model" in up.resources


def test_another_cluster_has_to_be_named(plain: Evaluation) -> None:
    assert not list(plain.all("allow_k8s_contexts"))
    (allowed,) = evaluate("up", context="staging").all("allow_k8s_contexts")
    assert allowed.first == "staging"


def signing_key(evaluation: Evaluation) -> str:
    """The key of the Secret that the gateway reads."""
    named = variable(evaluation, "gateway", "GATEWAY_JWT_SECRET")["valueFrom"]["secretKeyRef"]
    (secret,) = (
        each for each in evaluation.objects if (each["kind"], each["metadata"]["name"]) == ("Secret", named["name"])
    )
    if "stringData" in secret:
        return str(secret["stringData"][named["key"]])
    return base64.b64decode(secret["data"][named["key"]]).decode()


def test_the_signing_key_that_everybody_can_read_signs_on_no_other_cluster(plain: Evaluation) -> None:
    written = (PROJECT / "Tiltfile").read_text()
    assert signing_key(plain) in written
    other = evaluate("up", context="staging")
    keys = {signing_key(other), signing_key(evaluate("up", context="staging"))}
    assert len(keys) == 2
    assert not [key for key in keys if key in written]
    assert signing_key(plain) not in str(other.objects)
    assert "gateway-jwt:secret" in other.resources["mesh-objects"]["objects"]


@pytest.mark.parametrize(("subcommand", "waits"), [("up", False), ("ci", True)])
def test_the_smoke_conversation_is_held_in_ci_after_all_agents_are_registered(subcommand: str, waits: bool) -> None:
    evaluation = evaluate(subcommand)
    smoke = evaluation.resources["smoke"]
    assert smoke["auto_init"] is waits
    agents = {each["metadata"]["name"] for each in evaluation.workloads}
    assert {"mesh-ready", "restate-ready", "restate-ui", "jaeger-ui", *agents} <= evaluation.before("smoke")
    ready = evaluation.one("local_resource", "mesh-ready").arguments[1]
    assert ready.startswith("kubectl --namespace mesh wait --for=condition=Ready rsd --all ")
    command = evaluation.one("local_resource", "smoke").arguments[1]
    assert (PROJECT / re.findall(r"python3 (\S+)", command)[0]).exists()


def test_reading_the_tiltfile_alone_reaches_for_no_network() -> None:
    evaluation = evaluate("alpha tiltfile-result")
    assert not list(evaluation.all("local"))
    assert [command[0] for command in evaluation.helm_commands] == ["template"]


@pytest.mark.parametrize("subcommand", ["up", "ci"])
def test_charts_of_others_are_fetched_before_they_are_deployed(subcommand: str) -> None:
    evaluation = evaluate(subcommand)
    missing = [chart for chart in ("mesh-operator", "mesh-platform") if not has_dependencies(chart)]
    commands = [call.first for call in evaluation.all("local")]
    assert commands == [f"helm dependency build deploy/helm/{chart}" for chart in missing]


def has_dependencies(chart: str) -> bool:
    return (PROJECT / "deploy" / "helm" / chart / "charts").exists()


def test_down_waits_for_what_has_a_finalizer_while_somebody_can_take_it_off() -> None:
    down = evaluate("down")
    assert not list(down.all("local"))
    delete = down.one("k8s_custom_deploy", "mesh-platform").named["delete_cmd"]
    steps = ["wait --for=delete rsd --all", "delete rsc restate", "helm uninstall mesh-platform"]
    assert [delete.index(step) for step in steps] == sorted(delete.index(step) for step in steps)
    # What depends on another goes first: the operator is the last.
    assert "mesh-operator" in down.before("mesh-platform")
    for deployment in (each for each in down.objects if each["kind"] == "RestateDeployment"):
        restate: dict[str, Any] = deployment["spec"]["restate"]
        assert (restate["deletePolicy"], restate["drainDelaySeconds"]) == ("force", 0)


def test_every_file_that_a_command_names_exists(up: Evaluation) -> None:
    named: set[str] = set()
    for call in up.all("k8s_custom_deploy"):
        named |= set(re.findall(r"deploy/helm/\S+", f"{call.named['apply_cmd']} {' '.join(call.named['deps'])}"))
    assert len(named) >= 3
    assert [path for path in sorted(named) if not (PROJECT / path).exists()] == []


def test_what_is_waited_for_and_forwarded_has_the_names_that_the_platform_gives_it(plain: Evaluation) -> None:
    rendered = yaml.safe_load_all(template("mesh-platform", "values-local.yaml", dependencies=False).stdout)
    (cluster,) = (each["metadata"]["name"] for each in rendered if each and each["kind"] == "RestateCluster")
    assert f" rsc/{cluster} " in f"{plain.one('local_resource', 'restate-ready').arguments[1]} "
    # The operator makes the namespace of the cluster's name, with the Service `restate` in it.
    assert f"--namespace {cluster} port-forward svc/restate " in plain.resources["restate-ui"]["serve_cmd"]
    assert f"delete rsc {cluster} " in plain.one("k8s_custom_deploy", "mesh-platform").named["delete_cmd"]
    jaeger = values("mesh-platform")["jaeger"]["fullnameOverride"]
    assert f"port-forward svc/{jaeger} " in plain.resources["jaeger-ui"]["serve_cmd"]


def test_objects_are_one_stream_that_can_be_read(up: Evaluation) -> None:
    (call,) = up.all("k8s_yaml")
    names = [(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(call.first)]
    assert len(names) == len(set(names))
    assert not [name for kind, name in names if kind == "Pod"]


def variable(evaluation: Evaluation, workload: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in evaluation.workloads if each["metadata"]["name"] == workload)
    (container,) = found["spec"]["template"]["spec"]["containers"]
    (entry,) = (each for each in container["env"] if each["name"] == name)
    return {key: value for key, value in entry.items() if key != "name"}

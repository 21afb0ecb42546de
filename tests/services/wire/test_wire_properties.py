"""Every wire type keeps its values on the way through JSON, and ignores unknown fields where it promises to."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, RootModel, ValidationError

import services
import switchboard
from switchboard.messages import WireModel
from tests.services.inputs import models

NEW = "field_of_a_newer_version"

EXAMPLES = pytest.mark.parametrize("examples", [3, pytest.param(300, marks=pytest.mark.slow)])


def import_everything() -> None:
    """Import all modules of the framework and the reference mesh, so that all their types are known."""
    for package in (switchboard, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def subtypes(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in kind.__subclasses__():
        yield one
        yield from subtypes(one)


def is_ours(kind: type[BaseModel]) -> bool:
    """Return whether it is a type of the product, and complete: tests have their own, and generics have none."""
    return kind.__module__.startswith(("switchboard", "services")) and not has_parameters(kind)


def has_parameters(kind: type[BaseModel]) -> bool:
    return bool(kind.__pydantic_generic_metadata__["parameters"])


import_everything()
TYPES = sorted(
    {kind for kind in subtypes(WireModel) if is_ours(kind)}, key=lambda kind: (kind.__module__, kind.__name__)
)
STRICT = [kind for kind in TYPES if kind.model_config["extra"] == "forbid"]


def with_new_fields(value: Any, model: Any) -> Any:
    """Return JSON with an unknown field in the object itself and in each that is nested in it and allows it."""
    if isinstance(model, RootModel):
        return with_new_fields(value, model.root)
    if isinstance(model, WireModel) and isinstance(value, dict):
        grown = {
            name: with_new_fields(one, getattr(model, name)) if hasattr(model, name) else one
            for name, one in value.items()
        }
        return grown if model.model_config["extra"] == "forbid" else {**grown, NEW: [{"of": "any kind"}]}
    if isinstance(model, tuple) and isinstance(value, list):
        return [with_new_fields(one, part) for one, part in zip(value, model, strict=True)]
    if isinstance(model, dict) and isinstance(value, dict):
        return {name: with_new_fields(one, by_text(model, name)) for name, one in value.items()}
    return value


def by_text(found: dict[Any, Any], name: str) -> Any:
    return next((one for key, one in found.items() if str(key) == name), None)


@pytest.mark.half_at_night
@EXAMPLES
@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_wire_type_round_trips_and_ignores_fields_of_newer_versions(kind: type[WireModel], examples: int) -> None:
    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(models(kind))
    def check(value: WireModel) -> None:
        text = value.model_dump_json()
        assert kind.model_validate_json(text) == value
        assert kind.model_validate_json(text).model_dump_json() == text
        grown = json.dumps(with_new_fields(json.loads(text), value))
        assert kind.model_validate_json(grown) == value

    check()


@pytest.mark.parametrize("kind", STRICT, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_input_of_people_and_models_rejects_unknown_fields(kind: type[WireModel]) -> None:
    @settings(max_examples=1, suppress_health_check=list(HealthCheck))
    @given(models(kind), st.text(min_size=1, max_size=5))
    def check(value: WireModel, name: str) -> None:
        grown = {**json.loads(value.model_dump_json()), f"new {name}": 1}
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            kind.model_validate_json(json.dumps(grown))

    check()

"""Prints the description of the reference mesh's services that Restate receives, in a form that people can compare.

`python -m tests.services.wire.discovery` renews snapshot.json. Do that after an addition. Never do it to silence
test_journals_of_users_can_still_replay: users have journals and calls in flight with the old names and types.
"""

import hashlib
import json
import os
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from restate.discovery import compute_discovery_json
from restate.endpoint import Endpoint

from services.project import reference
from switchboard.runtime import serve
from switchboard.runtime.serve import Served

SNAPSHOT = Path(__file__).with_name("snapshot.json")
DOCUMENTATION = ("description", "title", "examples")
HASH_DIGITS = 8
NEWEST_PROTOCOL = 5

JSON = dict[str, Any]


def snapshot() -> JSON:
    """Return services by name: their type, and each handler's kind, input and output."""
    found = {service["name"]: service for module in modules() for service in discovered(module)["services"]}
    return {
        name: {
            "type": service["ty"],
            "private": service.get("ingressPrivate", False),
            "role": service.get("metadata", {}).get("switchboard.role", ""),
            "handlers": {handler["name"]: described(handler) for handler in service["handlers"]},
        }
        for name, service in sorted(found.items())
    }


def modules() -> list[str]:
    """The modules of the mesh's services that run in Python."""
    return [service.module for service in reference().definition.services.values() if service.module]


def discovered(module: str) -> JSON:
    """Return what Restate discovers when this service of the mesh starts; nothing is started."""
    endpoint = Endpoint()  # type: ignore[no-untyped-call]  # the SDK's endpoint is not annotated
    with serving_into(endpoint):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    document: JSON = json.loads(compute_discovery_json(endpoint, NEWEST_PROTOCOL, "bidi"))
    return document


@contextmanager
def serving_into(endpoint: Endpoint) -> Iterator[None]:
    def run(served: Served, name: str) -> None:
        endpoint.bind(*served.services)

    with patch.object(serve, "run", run), patch.dict(os.environ, {"OPENAI_API_KEY": "unused"}):
        yield


def described(handler: JSON) -> JSON:
    return {
        "kind": handler.get("ty", ""),
        "input": fields(handler.get("input", {}).get("jsonSchema")),
        "output": fields(handler.get("output", {}).get("jsonSchema")),
    }


def fields(schema: Any) -> JSON:
    """Return a type by its fields, each as "type hash", with a ! when it is required. The whole type where it has none.

    The hash covers everything that counts on the wire, at any depth; documentation does not.
    """
    if not isinstance(schema, dict):
        return {}
    plain = resolved(schema, schema.get("$defs", {}), ())
    if "properties" not in plain:
        return {"*": summary(plain)}
    required = plain.get("required", [])
    return {name: summary(field) + "!" * (name in required) for name, field in sorted(plain["properties"].items())}


def summary(schema: Any) -> str:
    kind = schema.get("type", "any of" if "anyOf" in schema else "") if isinstance(schema, dict) else ""
    digest = hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()
    return f"{kind} {digest[:HASH_DIGITS]}".strip()


def resolved(schema: Any, definitions: JSON, inside: tuple[str, ...]) -> Any:
    """Return the schema with its definitions in their places, and without documentation."""
    if isinstance(schema, list):
        return [resolved(part, definitions, inside) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return name if name in inside else resolved(definitions[name], definitions, (*inside, name))
    plain = {}
    for keyword, value in schema.items():
        if keyword == "properties":
            plain[keyword] = {name: resolved(field, definitions, inside) for name, field in value.items()}
        elif keyword not in (*DOCUMENTATION, "$defs"):
            plain[keyword] = resolved(value, definitions, inside)
    return plain


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(snapshot(), indent=1, ensure_ascii=False) + "\n")

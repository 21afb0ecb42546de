"""The names, kinds and wire types that users have in their journals: they do not change."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.services.wire.discovery import JSON, SNAPSHOT, snapshot

RENEW = "If you only added something, renew the snapshot: python -m tests.services.wire.discovery"


@pytest.fixture(scope="module")
def now() -> JSON:
    return snapshot()


@pytest.fixture(scope="module")
def before() -> JSON:
    found: JSON = json.loads(SNAPSHOT.read_text())
    return found


def breaks(before: JSON, now: JSON) -> Iterator[str]:
    """Yield the changes that break journals and calls in flight of the earlier services."""
    for service, was in before.items():
        if service not in now:
            yield f"the service {service} is gone"
            continue
        if was["type"] != now[service]["type"]:
            yield f"{service} was a {was['type']} and is a {now[service]['type']}"
        for handler, old in was["handlers"].items():
            new = now[service]["handlers"].get(handler)
            yield from handler_breaks(f"{service}.{handler}", old, new)


def handler_breaks(name: str, old: JSON, new: JSON | None) -> Iterator[str]:
    if new is None:
        yield f"the handler {name} is gone"
        return
    if old["kind"] != new["kind"]:
        yield f"{name} was {old['kind']} and is {new['kind']}"
    for part in ("input", "output"):
        for field, kind in old[part].items():
            if new[part].get(field) != kind:
                yield f"{name}: the field {field!r} of its {part} was {kind} and is {new[part].get(field, 'gone')}"
    for field in new["input"].keys() - old["input"].keys():
        if new["input"][field].endswith("!"):
            yield f"{name}: its input needs the new field {field!r}, which calls in flight do not have"


def test_journals_of_users_can_still_replay(before: JSON, now: JSON) -> None:
    assert list(breaks(before, now)) == [], "Restate's journals hold these names and types. Keep them"


def test_snapshot_has_everything_that_is_served(before: JSON, now: JSON) -> None:
    assert now == before, RENEW


def rename(mesh: JSON) -> None:
    mesh["Accounts"]["handlers"]["balance"] = mesh["Accounts"]["handlers"].pop("get_balance")


def change_kind(mesh: JSON) -> None:
    mesh["Accounts"]["handlers"]["get_balance"]["kind"] = "EXCLUSIVE"


def change_type(mesh: JSON) -> None:
    mesh["Transfers"]["handlers"]["transfer_money"]["input"]["amount"] = "number 0"


def change_service(mesh: JSON) -> None:
    mesh["Accounts"]["type"] = "SERVICE"


def drop_service(mesh: JSON) -> None:
    del mesh["Session"]


def require_field(mesh: JSON) -> None:
    mesh["Accounts"]["handlers"]["get_balance"]["input"]["branch"] = "string 0!"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (rename, "the handler Accounts.get_balance is gone"),
        (change_kind, "Accounts.get_balance was SHARED and is EXCLUSIVE"),
        (change_type, "the field 'amount' of its input was"),
        (change_service, "Accounts was a VIRTUAL_OBJECT and is a SERVICE"),
        (drop_service, "the service Session is gone"),
        (require_field, "needs the new field 'branch'"),
    ],
)
def test_incompatible_change_is_found(before: JSON, change: Callable[[Any], None], said: str) -> None:
    changed = deepcopy(before)
    change(changed)
    found = list(breaks(before, changed))
    assert len(found) == 1, found
    assert said in found[0]


def test_addition_is_compatible(before: JSON) -> None:
    changed = deepcopy(before)
    changed["Branches"] = changed["Accounts"]
    changed["Cards"]["handlers"]["list_cards"]["input"]["branch"] = "string 0"
    changed["Cards"]["handlers"]["list_cards"]["output"]["branch"] = "string 0!"
    assert list(breaks(before, changed)) == []

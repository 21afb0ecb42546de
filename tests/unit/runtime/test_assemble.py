"""serve(): the services that it makes from its parts."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from switchboard import Agent, Sessions, Toolset
from switchboard.models.model import Model
from switchboard.runtime import serve as serving
from switchboard.runtime.serve import AnyPart, Models, Served, assemble, serve
from switchboard.toolkit.declare import tool_object, tool_service

FIRST = Agent(name="First", handles="Everything.", instructions="Help.")
RECORDS = tool_service("Records", "Records.")
ACCOUNTS = tool_object("Accounts", "Accounts.")


def no_models(own: str = "") -> Sequence[Model]:
    return ()


def unread(own: str = "") -> Sequence[Model]:
    raise AssertionError("the model's settings were read")


def test_parts_are_served_in_their_order() -> None:
    served = assemble((Sessions(first_agent=FIRST), FIRST, RECORDS, ACCOUNTS), no_models)
    names = [
        "Session",
        "CustomerUsage",
        "Summaries",
        "StaffDoor",
        "AgentList",
        "TaskPush",
        "TaskPushSender",
        "First",
        "Records",
        "Accounts",
    ]
    assert [service.name for service in served.services] == names
    assert len(served.background) == 1  # The task that reports metrics from Restate's tables.
    assert inspect.iscoroutinefunction(served.background[0].func)  # type: ignore[attr-defined]


def test_tools_need_no_model() -> None:
    assert assemble((RECORDS, ACCOUNTS), unread) == Served((RECORDS, ACCOUNTS))


@pytest.mark.parametrize("part", [FIRST, Sessions(first_agent=FIRST)])
def test_agents_and_sessions_need_a_model(part: AnyPart) -> None:
    with pytest.raises(AssertionError, match="settings were read"):
        assemble((part,), unread)


class NoServices:
    """A part without services."""

    def served(self, models: Models) -> Served:
        return Served(())


def given(*parts: Any) -> Callable[[], Any]:
    return lambda: assemble(parts, no_models)


@pytest.mark.parametrize(
    ("wrong", "error", "why"),
    [
        (given(), ValueError, "no services to serve. Pass an Agent"),
        (given(NoServices()), ValueError, "no services to serve. Pass an Agent"),
        (given(Sessions), TypeError, "cannot serve <class"),
        (given(Toolset("Policies")), ValueError, "Policies has no tools. Decorate a function"),
        (given(RECORDS, RECORDS), ValueError, "two services named Records. Rename one of them"),
        (given([RECORDS]), TypeError, r"as separate arguments: serve\(one, another\)"),
        (given("records"), TypeError, "cannot serve 'records'"),
    ],
)
def test_invalid_parts_are_rejected(wrong: Callable[[], Any], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        wrong()


@pytest.mark.parametrize(
    ("parts", "name", "served_as"),
    [
        ((Sessions(first_agent=FIRST), FIRST), "", "first"),
        ((RECORDS, FIRST), "", "first"),
        ((ACCOUNTS, RECORDS), "", "accounts"),
        ((ACCOUNTS, RECORDS), "tools", "tools"),
    ],
)
def test_process_is_named_after_its_agent_or_its_first_service(
    monkeypatch: pytest.MonkeyPatch, parts: tuple[AnyPart, ...], name: str, served_as: str
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(serving, "run", lambda served, name: ran.append(name))
    monkeypatch.setattr(serving, "models_from_environment", lambda: no_models)
    serve(*parts, name=name)
    assert ran == [served_as]

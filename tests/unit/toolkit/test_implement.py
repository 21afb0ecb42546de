"""Binding handlers to tools: what is refused at import, and that a customer is verified before the handler runs."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
import restate

from switchboard import FromIdentity, NoInput, PersonalInput, Text, Tool, ToolInput, implements
from switchboard.toolkit import implement
from switchboard.toolkit.declare import tool_object, tool_service, tool_workflow


class Other(ToolInput):
    """An input of another tool."""


class ForCustomer(PersonalInput):
    user_id: Annotated[str, FromIdentity("customer_id")]


class ForTwo(ForCustomer):
    owner: Annotated[str, FromIdentity("customer_id")]


LOOK = Tool("Records", "look", "Look something up.", NoInput, Text)
INNER = Tool("Records", "look", "Look something up.", NoInput, Text, internal=True)
OWN = Tool("Records", "look", "Look something up.", PersonalInput, Text, keyed_by="customer_id")
FOR_CUSTOMER = Tool("Records", "look", "Look something up.", ForCustomer, Text)
KEYED_FOR_CUSTOMER = Tool("Records", "look", "Look something up.", ForCustomer, Text, keyed_by="customer_id")
FOR_BOTH = Tool("Records", "look", "Look something up.", ForTwo, Text)
FOR_ANYBODY = Tool("Records", "look", "Look something up.", ForCustomer, Text, verified=False)


async def look(ctx: restate.Context, request: NoInput) -> Text:
    """Look something up."""
    return Text("found")


async def other_input(ctx: restate.Context, request: Other) -> Text:
    return Text("")


async def other_output(ctx: restate.Context, request: NoInput) -> NoInput:
    return request


async def no_annotation(ctx: restate.Context, request: NoInput):  # type: ignore[no-untyped-def]
    return Text("")


async def no_input(ctx: restate.Context) -> Text:
    return Text("")


async def by_keyword(ctx: restate.Context, *, request: NoInput) -> Text:
    return Text("")


async def any_number(ctx: restate.Context, *request: NoInput) -> Text:
    return Text("")


async def no_context(ctx: NoInput, request: NoInput) -> Text:
    return Text("")


async def of_object(ctx: restate.ObjectContext, request: NoInput) -> Text:
    return Text("")


async def unknown_type(ctx: restate.Context, request: "Missing") -> Text:  # type: ignore[name-defined]  # noqa: F821
    return Text("")


def no_coroutine(ctx: restate.Context, request: NoInput) -> Text:
    return Text("")


def service(name: str = "Records") -> restate.Service:
    return tool_service(name, "Records.")


def keyed(name: str = "Records") -> restate.VirtualObject:
    return tool_object(name, "Records.")


def bound(function: Any) -> Any:
    return implements(service(), LOOK)(function)


def served_twice() -> None:
    records = service()
    implements(records, LOOK)(look)
    implements(records, LOOK)(look)


@pytest.mark.parametrize(
    ("bind", "why"),
    [
        (
            lambda: implements(service("Accounts"), LOOK),
            r"belongs to the service 'Records', and this is 'Accounts'",
        ),
        (lambda: implements(keyed(), LOOK), r"nothing tells which one an agent means. Write keyed_by="),
        (
            lambda: implements(service(), OWN),
            r"keyed by customer_id, and a plain service has no key. Declare",
        ),
        (lambda: implements(service(), LOOK, kind="shared"), r"no handlers of a kind. Remove kind='shared'"),
        (
            lambda: implements(keyed(), OWN, kind="workflow"),
            r"kind is one of exclusive and shared here",
        ),
        (
            lambda: implements(tool_workflow("Records", ""), INNER, kind="exclusive"),
            "one of workflow and shared",
        ),
        (served_twice, r"has a handler 'look' already. Give one of them another name"),
        (lambda: bound(other_input), r"takes NoInput, and the handler takes Other. Annotate"),
        (lambda: bound(other_output), r"returns Text, and the handler returns NoInput. Annotate"),
        (lambda: bound(no_annotation), r"the handler returns what is not annotated. Annotate"),
        (lambda: bound(no_input), r"takes two arguments, without \*: the context and the NoInput"),
        (lambda: bound(by_keyword), "takes two arguments"),
        (lambda: bound(any_number), "takes two arguments"),
        (lambda: bound(no_context), "the handler's context is NoInput. Annotate the first argument with Context"),
        (lambda: bound(of_object), "the handler's context is ObjectContext. Annotate"),
        (lambda: implements(keyed(), INNER, "shared")(of_object), "first argument with ObjectSharedContext"),
        (lambda: implements(tool_workflow("Records", ""), INNER)(of_object), "with WorkflowSharedContext"),
        (lambda: bound(unknown_type), "name 'Missing' is not defined. Import the type"),
        (lambda: bound(no_coroutine), "Write `async def`"),
    ],
)
def test_handler_that_does_not_fit_its_tool_is_refused(bind: Callable[[], Any], why: str) -> None:
    with pytest.raises(ValueError, match=rf"^Records.look: .*{why}"):
        bind()


def test_handler_is_registered_under_the_tools_name_with_its_types() -> None:
    records = service()
    implements(records, Tool("Records", "look_up", "Look something up.", NoInput, Text))(look)
    handler = records.handlers["look_up"]
    assert (handler.description, handler.kind) == ("Look something up.", None)
    assert handler.handler_io.input_type is not None
    assert handler.handler_io.output_type is not None
    assert handler.handler_io.input_type.annotation is NoInput
    assert handler.handler_io.output_type.annotation is Text


def kind_of(on: restate.VirtualObject | restate.Workflow, kind: Any) -> str | None:
    implements(on, INNER, kind)(look)
    return on.handlers["look"].kind


def test_kind_is_restates() -> None:
    assert (kind_of(keyed(), None), kind_of(keyed(), "shared")) == ("exclusive", "shared")
    workflow = tool_workflow("Records", "Records.")
    assert (kind_of(workflow, "workflow"), kind_of(tool_workflow("Records", ""), None)) == ("workflow", "shared")


class Context:
    """The part of a Restate context that tells the key of an object."""

    def key(self) -> str:
        return "alice"


@pytest.mark.parametrize(
    ("tool", "request_", "verified"),
    [
        (OWN, PersonalInput(session_id="s"), ["alice"]),
        (FOR_CUSTOMER, ForCustomer(user_id="bob", session_id="s"), ["bob"]),
        (KEYED_FOR_CUSTOMER, ForCustomer(user_id="alice", session_id="s"), ["alice"]),
        (FOR_BOTH, ForTwo(user_id="bob", owner="bob", session_id="s"), ["bob"]),
        (FOR_ANYBODY, ForCustomer(user_id="bob", session_id="s"), []),
    ],
)
async def test_customer_is_verified_before_the_handler_runs(
    monkeypatch: pytest.MonkeyPatch, tool: Tool[Any, Any], request_: PersonalInput, verified: list[str]
) -> None:
    asked: list[str] = []
    ran: list[list[str]] = []

    async def require(ctx: Any, customer_id: str, request: PersonalInput) -> None:
        assert request is request_
        asked.append(customer_id)

    async def handler(ctx: Any, request: Any) -> Text:
        ran.append(list(asked))
        return Text("done")

    monkeypatch.setattr(implement, "require_verified_customer", require)
    assert await implement.verifying(handler, tool)(Context(), request_) == Text("done")
    assert ran == [verified]


@pytest.mark.parametrize(
    ("tool", "request_", "where"),
    [
        (KEYED_FOR_CUSTOMER, ForCustomer(user_id="bob", signed_in=True), "user_id and key"),
        (FOR_BOTH, ForTwo(user_id="alice", owner="bob", signed_in=True), "user_id and owner"),
    ],
)
async def test_call_for_two_customers_is_refused(tool: Tool[Any, Any], request_: PersonalInput, where: str) -> None:
    async def handler(ctx: Any, request: Any) -> Text:
        raise AssertionError("the handler ran")

    with pytest.raises(restate.TerminalError, match=f"look: the customer's id differs between {where}") as raised:
        await implement.verifying(handler, tool)(Context(), request_)
    assert raised.value.status_code == 400

"""Binding handlers to tools: what is rejected at import, and verification before the handler runs."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
import restate

from switchboard import FromIdentity, NoInput, PersonalInput, Text, Tool, ToolInput, checks, implements
from switchboard.toolkit import implement
from switchboard.toolkit.declare import tool_object, tool_service, tool_workflow


class Other(ToolInput):
    """The input of another tool."""


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
CHECKED = Tool(
    "Records", "look", "", PersonalInput, Text, keyed_by="customer_id", consent=lambda call, facts: "?", check=Text
)
FOR_EVERYONE = Tool("Records", "look", "Look something up.", ForCustomer, Text, verified=False)


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
            r"belongs to the service 'Records', but this is 'Accounts'",
        ),
        (lambda: implements(keyed(), LOOK), r"the tool does not say which. Set keyed_by="),
        (
            lambda: implements(service(), OWN),
            r"keyed by customer_id, but a plain service has no key. Declare",
        ),
        (lambda: implements(service(), LOOK, kind="shared"), r"have no kind. Remove kind='shared'"),
        (
            lambda: implements(keyed(), OWN, kind="workflow"),
            r"kind must be exclusive or shared here",
        ),
        (
            lambda: implements(tool_workflow("Records", ""), INNER, kind="exclusive"),
            "must be workflow or shared",
        ),
        (served_twice, r"already has a handler 'look'. Rename one of them"),
        (lambda: bound(other_input), r"takes NoInput, but the handler takes Other. Annotate"),
        (lambda: bound(other_output), r"returns Text, but the handler returns NoInput. Annotate"),
        (lambda: bound(no_annotation), r"the handler returns an unannotated value. Annotate"),
        (lambda: bound(no_input), r"must take two parameters, without \*: the context and the NoInput"),
        (lambda: bound(by_keyword), "must take two parameters"),
        (lambda: bound(any_number), "must take two parameters"),
        (lambda: bound(no_context), "the handler's context is NoInput. Annotate the first argument with Context"),
        (lambda: bound(of_object), "the handler's context is ObjectContext. Annotate"),
        (lambda: implements(keyed(), INNER, "shared")(of_object), "first argument with ObjectSharedContext"),
        (lambda: implements(tool_workflow("Records", ""), INNER)(of_object), "with WorkflowSharedContext"),
        (lambda: bound(unknown_type), "name 'Missing' is not defined. Import the type"),
        (lambda: bound(no_coroutine), "Write `async def`"),
    ],
)
def test_implements_rejects_handler_that_does_not_match_its_tool(bind: Callable[[], Any], why: str) -> None:
    with pytest.raises(ValueError, match=rf"^Records.look: .*{why}"):
        bind()


def test_implements_registers_handler_with_the_tools_name_and_types() -> None:
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


def test_implements_passes_the_kind_to_restate() -> None:
    assert (kind_of(keyed(), None), kind_of(keyed(), "shared")) == ("exclusive", "shared")
    workflow = tool_workflow("Records", "Records.")
    assert (kind_of(workflow, "workflow"), kind_of(tool_workflow("Records", ""), None)) == ("workflow", "shared")


async def check_look(ctx: restate.ObjectSharedContext, request: PersonalInput) -> Text:
    """Check that something can be looked up."""
    return Text("fact")


async def look_at_own(ctx: restate.ObjectContext, request: PersonalInput) -> Text:
    """Look something up."""
    return Text("found")


def test_check_is_a_shared_handler_beside_the_tools_own() -> None:
    records = keyed()
    checks(records, CHECKED)(check_look)
    implements(records, CHECKED)(look_at_own)
    assert {name: handler.kind for name, handler in records.handlers.items()} == {
        "check_look": "shared",
        "look": "exclusive",
    }
    assert CHECKED.check_tool().requires_verified_customer
    # It is declared once: its JSON schemas would cost milliseconds at each question and at each yes.
    assert CHECKED.check_tool() is CHECKED.check_tool()


@pytest.mark.parametrize(
    ("bind", "why"),
    [
        (lambda: implements(keyed(), CHECKED)(look_at_own), "no handler for it. Bind one with @checks before"),
        (lambda: checks(keyed(), OWN)(check_look), "the tool has no check. Set check="),
        (lambda: checks(keyed(), CHECKED)(look_at_own), "Annotate the first argument with ObjectSharedContext"),
    ],
)
def test_tool_with_a_check_needs_its_handler(bind: Callable[[], Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        bind()


class Context:
    """The part of a Restate context that handlers get the key from."""

    def key(self) -> str:
        return "alice"


@pytest.mark.parametrize(
    ("tool", "request_", "verified"),
    [
        (OWN, PersonalInput(session_id="s"), ["alice"]),
        (FOR_CUSTOMER, ForCustomer(user_id="bob", session_id="s"), ["bob"]),
        (KEYED_FOR_CUSTOMER, ForCustomer(user_id="alice", session_id="s"), ["alice"]),
        (FOR_BOTH, ForTwo(user_id="bob", owner="bob", session_id="s"), ["bob"]),
        (FOR_EVERYONE, ForCustomer(user_id="bob", session_id="s"), []),
    ],
)
async def test_implements_verifies_customer_before_the_handler_runs(
    monkeypatch: pytest.MonkeyPatch, tool: Tool[Any, Any], request_: PersonalInput, verified: list[str]
) -> None:
    checked: list[str] = []
    ran: list[list[str]] = []

    async def require(ctx: Any, customer_id: str, request: PersonalInput) -> None:
        assert request is request_
        checked.append(customer_id)

    async def handler(ctx: Any, request: Any) -> Text:
        ran.append(list(checked))
        return Text("done")

    monkeypatch.setattr(implement, "require_verified_customer", require)
    assert await implement.with_verification(handler, tool)(Context(), request_) == Text("done")
    assert ran == [verified]


@pytest.mark.parametrize(
    ("tool", "request_", "where"),
    [
        (KEYED_FOR_CUSTOMER, ForCustomer(user_id="bob", signed_in=True), "user_id and key"),
        (FOR_BOTH, ForTwo(user_id="alice", owner="bob", signed_in=True), "user_id and owner"),
    ],
)
async def test_implements_refuses_call_for_two_customers(
    tool: Tool[Any, Any], request_: PersonalInput, where: str
) -> None:
    async def handler(ctx: Any, request: Any) -> Text:
        raise AssertionError("the handler ran")

    with pytest.raises(restate.TerminalError, match=f"look: the customer's id differs between {where}") as raised:
        await implement.with_verification(handler, tool)(Context(), request_)
    assert raised.value.status_code == 400

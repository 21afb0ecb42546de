"""Toolsets: the tool that a function becomes, and the functions that are rejected at import."""

import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import pytest
import restate
from pydantic import Field
from restate import Context, ObjectContext, ObjectSharedContext

from switchboard import Agent, FromIdentity, PersonalInput, Text, Tool, ToolInput, Toolset, WireModel
from switchboard.runtime.serve import assemble


class Policy(WireModel):
    number: str


class Claim(WireModel):
    amount: Decimal
    customer_id: str


async def get_policy(ctx: ObjectSharedContext, number: Annotated[str, Field(description="Its number.")]) -> Policy:
    """Get what the policy covers
    and until when.

    Not for the model.
    """
    return Policy(number=number)


async def report(ctx: ObjectContext, amount: Decimal, note: str = "none") -> str:
    """Report damage."""
    return f"{ctx.key()}: {amount} {note}"


def keyed() -> Toolset:
    return Toolset("Policies", keyed_by="customer_id")


def test_toolset_turns_function_into_tool() -> None:
    policies = keyed()
    tool = policies.tool(read_only=True)(get_policy)
    assert (tool.read_only, tool.label) == (True, "")
    assert (tool.service, tool.handler, tool.keyed_by) == ("Policies", "get_policy", "customer_id")
    assert tool.purpose == "Get what the policy covers and until when."
    assert (tool.output, tool.requires_verified_customer) == (Policy, True)
    assert issubclass(tool.input, PersonalInput)
    assert tool.input.__name__ == "GetPolicyInput"
    number = {"description": "Its number.", "type": "string"}
    assert tool.parameters() == {
        "type": "object",
        "properties": {"number": number},
        "required": ["number"],
    }
    handler = policies.service.handlers["get_policy"]
    assert (handler.kind, handler.description) == ("shared", inspect.getdoc(get_policy))


def test_toolset_makes_writing_tool_exclusive_and_keeps_its_consent() -> None:
    policies = keyed()
    tool = policies.tool(consent=lambda call: f"Report {call.amount}?", label="report the damage")(report)
    assert (tool.read_only, tool.label) == (False, "report the damage")
    assert policies.service.handlers["report"].kind == "exclusive"
    assert tool.consent is not None
    assert tool.consent(tool.input(amount="3")) == "Report 3?"
    assert tool.output is Text
    assert tool.parameters()["required"] == ["amount"]


def test_toolset_binds_the_check_of_a_tool() -> None:
    policies = keyed()
    tool = policies.tool(check=amount_of, consent=lambda call, facts: f"Report {call.amount}: {facts.number}?")(report)
    assert tool.check is Policy
    assert {name: handler.kind for name, handler in policies.service.handlers.items()} == {
        "check_report": "shared",
        "report": "exclusive",
    }


def test_tool_of_stateless_toolset_needs_no_verified_customer() -> None:
    libraries = Toolset("Libraries")

    @libraries.tool(read_only=True)
    async def opening_hours(ctx: Context, city: str) -> str:
        """Look up opening hours."""
        return city

    assert isinstance(libraries.service, restate.Service)
    assert (opening_hours.keyed_by, opening_hours.requires_verified_customer) == (None, False)
    assert not issubclass(opening_hours.input, PersonalInput)
    assert issubclass(opening_hours.input, ToolInput)
    assert assemble((libraries,), lambda own="": ()).services == (libraries.service,)


def test_tool_with_customer_field_requires_verified_customer() -> None:
    claims = Toolset("Claims")

    @claims.tool()
    async def list_claims(ctx: Context, customer_id: Annotated[str, FromIdentity("customer_id")]) -> str:
        """List the claims."""
        return customer_id

    @claims.tool(verified=False)
    async def count_claims(ctx: Context, customer_id: Annotated[str, FromIdentity("customer_id")]) -> str:
        """Count the claims."""
        return customer_id

    assert (list_claims.requires_verified_customer, count_claims.requires_verified_customer) == (True, False)
    assert list_claims.parameters()["properties"] == {}
    assert Agent(name="Claims", handles="Claims.", instructions="", tools=(list_claims, count_claims))


def test_session_id_parameter_stays_optional() -> None:
    @keyed().tool()
    async def report_here(ctx: ObjectContext, session_id: Annotated[str, FromIdentity("session_id")]) -> str:
        """Report damage."""
        return session_id

    assert report_here.input() == report_here.input(session_id="")
    assert report_here.parameters()["properties"] == {}


class FakeContext:
    def key(self) -> str:
        return "alice"


async def test_handler_passes_the_input_fields_to_the_function() -> None:
    policies = keyed()
    tool = policies.tool()(report)
    handler: Any = policies.service.handlers["report"].fn
    given = tool.input(amount="2.50", signed_in=True)
    assert await handler(FakeContext(), given) == Text("alice: 2.50 none")
    get = policies.tool(read_only=True)(get_policy)
    handler = policies.service.handlers["get_policy"].fn
    assert await handler(FakeContext(), get.input(number="P-1", signed_in=True)) == Policy(number="P-1")


# Each of these functions has one mistake.


async def no_context(number: str) -> str:
    """Look something up."""
    return number


async def no_parameters() -> str:
    """Look something up."""
    return ""


async def writing_context(ctx: ObjectContext) -> str:
    """Look something up."""
    return ""


async def plain_context(ctx: Context, number: str) -> str:
    """Look something up."""
    return number


async def no_docstring(ctx: Context, number: str) -> str:
    return number


async def no_type(ctx: Context, number) -> str:  # type: ignore[no-untyped-def]
    """Look something up."""
    return str(number)


async def many(ctx: Context, *numbers: str) -> str:
    """Look something up."""
    return ""


async def any_keyword(ctx: Context, **numbers: str) -> str:
    """Look something up."""
    return ""


async def by_position(ctx: Context, number: str, /) -> str:
    """Look something up."""
    return number


async def private_name(ctx: Context, _number: str) -> str:
    """Look something up."""
    return ""


async def pydantics_name(ctx: Context, model_dump: str) -> str:
    """Look something up."""
    return ""


async def names_customer(ctx: Context, customer_id: str) -> str:
    """Look something up."""
    return ""


async def names_customer_inside(ctx: Context, claim: Claim) -> str:
    """Look something up."""
    return ""


async def marked_inside(ctx: Context, who: Annotated[str, FromIdentity("customer_id")] | None) -> str:
    """Look something up."""
    return ""


async def wrong_mark(ctx: Context, session_id: Annotated[str, FromIdentity("customer_id")]) -> str:
    """Look something up."""
    return ""


async def returns_nothing(ctx: Context) -> None:
    """Look something up."""


async def returns_dict(ctx: Context) -> dict[str, str]:
    """Look something up."""
    return {}


async def returns_what(ctx: Context):  # type: ignore[no-untyped-def]
    """Look something up."""


async def unknown_type(ctx: Context, number: "Missing") -> str:  # type: ignore[name-defined]  # noqa: F821
    """Look something up."""
    return ""


async def unreadable_type(ctx: Context, number: restate.Service) -> str:
    """Look something up."""
    return ""


async def unshowable_type(ctx: Context, number: Callable[[], str]) -> str:
    """Look something up."""
    return ""


def no_coroutine(ctx: Context) -> str:
    """Look something up."""
    return ""


def two(call: Any, facts: Any) -> str:
    return f"{call} {facts}?"


async def returns_text(ctx: ObjectSharedContext, amount: Decimal) -> str:
    return ""


async def amount_of(ctx: ObjectSharedContext, amount: Decimal) -> Policy:
    return Policy(number=str(amount))


def twice(function: Any) -> None:
    libraries = Toolset("Libraries")
    libraries.tool()(function)
    libraries.tool()(function)


def plain(function: Any, **options: Any) -> Callable[[], Any]:
    return lambda: Toolset("Libraries").tool(**options)(function)


def of_customer(function: Any, **options: Any) -> Callable[[], Any]:
    return lambda: keyed().tool(**options)(function)


@pytest.mark.parametrize(
    ("declare", "why"),
    [
        (
            plain(no_context),
            r"^Libraries.no_context: the first parameter must be Restate's context. Write",
        ),
        (plain(no_parameters), "Write `ctx: Context`"),
        (of_customer(no_context), "Write `ctx: ObjectContext`"),
        (of_customer(no_context, read_only=True), "Write `ctx: ObjectSharedContext`"),
        (
            of_customer(writing_context, read_only=True),
            "`ctx: ObjectSharedContext`; with read_only=True the tool cannot write state",
        ),
        (of_customer(get_policy), "the context of this tool is not ObjectSharedContext. Write `ctx: ObjectContext`"),
        (plain(writing_context), "the context of this tool is not ObjectContext. Write `ctx: Context`"),
        (plain(no_docstring), "the docstring is missing. Write one"),
        (plain(no_type), "'number' has no type. Write one, such as `number: str`"),
        (plain(many), r"so `\*numbers: str` is not supported. Name each parameter"),
        (plain(any_keyword), r"so `\*\*numbers: str` is not supported. Name each parameter"),
        (plain(by_position), "so `number: str` is not supported. Name each parameter"),
        (plain(private_name), "'_number' has a name that pydantic reserves. Rename it"),
        (plain(pydantics_name), "'model_dump' has a name that pydantic reserves. Rename it"),
        (plain(names_customer), r"the model could set 'customer_id'.*Annotated\[str, FromIdentity"),
        (plain(names_customer_inside), "the model could set 'customer_id'"),
        (plain(marked_inside), "no effect inside the type of 'who'"),
        (plain(wrong_mark), r"'session_id' would be filled with the customer_id. Write FromIdentity\(\"session_id\"\)"),
        (plain(plain_context, verified=True), "does not know the customer. Set keyed_by="),
        (plain(returns_nothing), "it returns None. Annotate the function with `-> str`"),
        (plain(returns_dict), r"it returns dict\[str, str\]. Annotate"),
        (plain(returns_what), "it returns an unannotated value. Annotate"),
        (plain(unknown_type), "name 'Missing' is not defined. Import the type"),
        (plain(unreadable_type), "pydantic does not support its types"),
        (plain(unshowable_type), "pydantic does not support its types"),
        (plain(no_coroutine), "a tool must be a coroutine. Write `async def`"),
        (of_customer(plain_context, read_only=True, consent=str), "read-only tools need no consent. Remove"),
        (of_customer(report, consent=two, check=no_coroutine), "a check must be a coroutine. Write"),
        (of_customer(report, consent=two, check=report), "Write `ctx: ObjectSharedContext`"),
        (of_customer(report, consent=two, check=get_policy), "the tool has no parameter 'number'"),
        (
            of_customer(report, consent=two, check=returns_text),
            "a check returns its facts as a pydantic model, not str",
        ),
        (of_customer(report, consent=lambda call: "?", check=amount_of), "takes the input and the facts"),
        (of_customer(report, check=amount_of), "check= has no effect without consent="),
        (lambda: twice(plain_context), "already has a handler 'plain_context'. Rename one of them"),
        (lambda: Toolset("my tools"), "a name must be a letter and up to 63"),
        (lambda: Toolset("Claims", keyed_by="claim_id"), 'keyed_by must be "customer_id" or "session_id"'),  # type: ignore[arg-type]
    ],
)
def test_toolset_rejects_function_and_names_the_fix(declare: Callable[[], Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        declare()


def test_toolset_returns_tool_that_agents_can_list() -> None:
    tool = keyed().tool()(report)
    assert isinstance(tool, Tool)
    with pytest.raises(ValueError, match="more than one tool is named report"):
        Agent(name="Policies", handles="Policies.", instructions="", tools=(tool, tool))

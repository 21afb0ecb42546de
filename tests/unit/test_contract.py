"""Contracts reject unsafe declarations at import: every way in which a model could choose the customer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, NewType, TypedDict, TypeVar

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel, WithJsonSchema, create_model
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import TypeAliasType

from switchboard import Agent, FromIdentity, NoInput, Tool, ToolInput
from switchboard.contract import PersonalInput, Text, holds_mark

CustomerId = Annotated[str, FromIdentity("customer_id")]


class MarkInside(BaseModel):
    whose: CustomerId


class NameInside(BaseModel):
    customer_id: str


@dataclass
class NameInDataclass:
    customer_id: str


@dataclass
class MarkInDataclass:
    whose: CustomerId


class MarkInTypedDict(TypedDict):
    whose: CustomerId


class NameInNamedTuple(NamedTuple):
    customer_id: str


class MarkInNamedTuple(NamedTuple):
    whose: CustomerId


CustomerIdAlias = TypeAliasType("CustomerIdAlias", CustomerId)
"""The object that `type CustomerIdAlias = ...` creates."""

NewCustomerId = NewType("NewCustomerId", CustomerId)
Bound = TypeVar("Bound", bound=MarkInside)


class Open(ToolInput):
    model_config = ConfigDict(extra="allow")


class Root(RootModel[dict[str, str]]):
    """An input that declares no fields."""


class Tree(BaseModel):
    """A recursive model."""

    name: str
    children: "tuple[Tree, ...]" = ()


class Camel(PersonalInput):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class WithoutCustomer(PersonalInput):
    title: str


class ForCustomer(WithoutCustomer):
    customer_id: CustomerId


def takes(**fields: Any) -> type[ToolInput]:
    return create_model("Wrong", __base__=ToolInput, **fields)


def tool(given: type[BaseModel] = NoInput, **more: Any) -> Tool[Any, Any]:
    return Tool("Records", "look", "Look something up.", given, Text, **more)


@pytest.mark.parametrize(
    "kind",
    [
        CustomerId | None,
        list[CustomerId],
        MarkInside,
        list[MarkInside] | None,
        dict[str, tuple[MarkInside, ...]],
        MarkInDataclass,
        MarkInNamedTuple,
        CustomerIdAlias,
        list[CustomerIdAlias],
        NewCustomerId,
        Bound,
    ],
)
def test_contract_rejects_identity_mark_inside_another_type(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"no effect inside the type of 'customer'.* Write `customer_id"):
        tool(takes(customer=(kind, ...)))


def test_holds_mark_finds_mark_inside_typed_dict() -> None:
    assert holds_mark(list[MarkInTypedDict])


@pytest.mark.parametrize(
    ("given", "exposed"),
    [
        (takes(customer_id=(str, ...)), "customer_id"),
        (takes(session_id=(str | None, None)), "session_id"),
        (takes(signed_in=(bool, False)), "signed_in"),
        (takes(customerId=(str, ...)), "customerId"),
        (takes(who=(str, Field(alias="customer-id"))), "customer-id"),
        (takes(about=(NameInside, ...)), "customer_id"),
        (takes(about=(list[NameInside] | None, None)), "customer_id"),
        (takes(about=(dict[str, NameInside], ...)), "customer_id"),
        (takes(about=(NameInDataclass, ...)), "customer_id"),
        (takes(about=(NameInNamedTuple, ...)), "customer_id"),
        (takes(about=(Annotated[NameInside, WithJsonSchema({"type": "object"})], ...)), "customer_id"),
        (takes(customer_id=(str, Field(alias="who"))), "customer_id"),
        (takes(customer_id=(SkipJsonSchema[str], "")), "customer_id"),
        (takes(who=(str, Field(validation_alias=AliasChoices("who", "customer_id")))), "customer_id"),
        (takes(who=(str, Field(validation_alias=AliasPath("customer_id", 0)))), "customer_id"),
        (takes(who=(str, Field(alias="Customer ID"))), "Customer ID"),
        (takes(who=(str, Field(alias="\uff43ustomer.id"))), "\uff43ustomer.id"),
    ],
)
def test_contract_rejects_identity_field_that_the_model_could_set(given: type[ToolInput], exposed: str) -> None:
    with pytest.raises(ValueError, match=rf"the model could set '{exposed}'.*Annotated\[str, FromIdentity.*internal="):
        tool(given)


def test_contract_rejects_overridden_identity_field_of_personal_input() -> None:
    overridden = create_model("Wrong", __base__=PersonalInput, signed_in=(bool, True))
    with pytest.raises(ValueError, match="the model could set 'signed_in'"):
        tool(overridden, keyed_by="customer_id")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (takes(whose=(CustomerId, Field(alias="who"))), "Remove the alias"),
        (takes(whose=(CustomerId, Field(validation_alias="who"))), "Remove the alias"),
        (Camel, "Remove the alias"),
        (takes(whose=(Annotated[str, FromIdentity], ...)), "FromIdentity has no effect on 'whose' here.* Write"),
        (takes(whose=(str, FromIdentity("customer_id"))), "FromIdentity has no effect on 'whose' here.* Write"),
        (takes(whose=(Annotated[CustomerId, FromIdentity("session_id")], ...)), "has 2 FromIdentity marks. Keep one$"),
        (takes(whose=(CustomerId, Field(exclude=True))), "would not receive it. Remove exclude=True"),
        (takes(session_id=(CustomerId, ...)), r"'session_id' would be filled with the customer_id. Write FromIdentity"),
    ],
)
def test_contract_rejects_mark_that_does_not_protect_its_field(given: type[ToolInput], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        tool(given, verified=False)


@pytest.mark.parametrize(
    ("declare", "why"),
    [
        (lambda: tool(keyed_by="customer_id"), r"NoInput must derive from PersonalInput.*Set verified=False"),
        (lambda: tool(WithoutCustomer), "does not know the customer. Set keyed_by="),
        (lambda: tool(takes(whose=(CustomerId, ...))), "must derive from PersonalInput"),
        (lambda: tool(takes(about=(str, ...)), verified=True), "must derive from PersonalInput"),
        (lambda: tool(WithoutCustomer, keyed_by="session_id"), "does not know the customer"),
        (
            lambda: tool(PersonalInput, verified=True, internal=True),
            "do not verify the customer.* Remove verified=True",
        ),
        (lambda: tool(internal=True, consent=lambda _: "Go on?"), "cannot ask for consent. Move consent="),
        (lambda: tool(check=Text), "check= has no effect without consent="),
        (lambda: tool(consent=lambda call, facts: "Go on?"), "must be a function that takes the input$"),
        (lambda: tool(consent=lambda call: "Go on?", check=Text), "that takes the input and the facts$"),
        (lambda: tool(consent=lambda call, facts: "Go on?", check=dict), "must be the type of its facts"),
        (
            lambda: Tool("R", "x" * 59, "", NoInput, Text, consent=lambda call, facts: "Go on?", check=Text),
            "with a check, a name has at most 58 characters",
        ),
        (lambda: tool(Open), "accepts undeclared fields.* Derive it from ToolInput"),
        (lambda: tool(Root), "accepts undeclared fields.* Derive it from ToolInput"),
        (lambda: tool(str), "the input is <class 'str'>.* Derive a class from ToolInput"),  # type: ignore[arg-type]
        (lambda: Tool("Records", "look", "", NoInput, None), "the output is None.* WireModel"),  # type: ignore[arg-type]
        (lambda: tool(keyed_by="claim_id"), 'keyed_by must be "customer_id" or "session_id", not \'claim_id\''),
        (lambda: FromIdentity("customer"), "has no such part. Use one of customer_id"),  # type: ignore[arg-type]
        (lambda: Tool("Records", "look up", "", NoInput, Text), "a name must be 1 to 64 letters"),
    ],
)
def test_contract_rejects_contradiction_and_names_the_fix(declare: Callable[[], Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        declare()


@pytest.mark.parametrize(
    ("declared", "required"),
    [
        (tool(), False),
        (tool(PersonalInput, keyed_by="customer_id"), True),
        (tool(ForCustomer), True),
        (tool(ForCustomer, verified=False), False),
        (tool(takes(whose=(CustomerId, ...)), verified=False), False),
        (tool(NoInput, keyed_by="customer_id", verified=False), False),
        (tool(NoInput, keyed_by="session_id"), False),
        (tool(ForCustomer, internal=True), False),
        (tool(takes(tree=(Tree, ...))), False),
    ],
)
def test_tool_requires_verified_customer_when_it_knows_the_customer(declared: Tool[Any, Any], required: bool) -> None:
    assert declared.requires_verified_customer is required


def test_internal_tool_accepts_customer_id_as_plain_field() -> None:
    assert tool(NameInside, internal=True).internal


def agent(*tools: Tool[Any, Any], **more: Any) -> Agent:
    return Agent(name="Records", handles="Records.", instructions="", tools=tools, **more)


def test_agent_rejects_internal_tool() -> None:
    with pytest.raises(ValueError, match=r"agent Records: tool 'look' is internal.* Remove it from `tools`"):
        agent(tool(internal=True))


def test_agent_rejects_its_own_identity_fields_in_tool_inputs() -> None:
    named = tool(takes(user_id=(str, ...)))
    assert agent(named).tools == (named,)
    with pytest.raises(ValueError, match=r"the model could set 'user_id' of 'look'.*FromIdentity"):
        agent(named, identity_fields=("user_id",))
    agent(tool(takes(user_id=(CustomerId, ...)), verified=False), identity_fields=("user_id",))

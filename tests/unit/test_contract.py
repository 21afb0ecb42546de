"""What a contract refuses at import: every way in which a model could say who the customer is."""

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
"""As `type CustomerIdAlias = ...` makes it."""

NewCustomerId = NewType("NewCustomerId", CustomerId)
Bound = TypeVar("Bound", bound=MarkInside)


class Open(ToolInput):
    model_config = ConfigDict(extra="allow")


class Root(RootModel[dict[str, str]]):
    """An input without fields of its own."""


class Tree(BaseModel):
    """A model that contains itself."""

    name: str
    children: "tuple[Tree, ...]" = ()


class Camel(PersonalInput):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class OpenedFor(PersonalInput):
    """Who it is for is not among its fields."""

    title: str


class ForCustomer(OpenedFor):
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
def test_mark_inside_another_type_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"FromIdentity belongs directly on a field, not inside 'customer'.* Write"):
        tool(takes(customer=(kind, ...)))


def test_mark_inside_a_typed_dict_is_found() -> None:
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
def test_identity_that_a_model_could_set_is_refused(given: type[ToolInput], exposed: str) -> None:
    with pytest.raises(ValueError, match=rf"the model could set '{exposed}'.*Annotated\[str, FromIdentity.*internal="):
        tool(given)


def test_identity_in_an_overridden_field_of_a_personal_input_is_refused() -> None:
    overridden = create_model("Wrong", __base__=PersonalInput, signed_in=(bool, True))
    with pytest.raises(ValueError, match="the model could set 'signed_in'"):
        tool(overridden, keyed_by="customer_id")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (takes(whose=(CustomerId, Field(alias="who"))), "must not have an alias"),
        (takes(whose=(CustomerId, Field(validation_alias="who"))), "must not have an alias"),
        (Camel, "must not have an alias"),
        (takes(whose=(Annotated[str, FromIdentity], ...)), "FromIdentity has no effect on 'whose'.* Write"),
        (takes(whose=(str, FromIdentity("customer_id"))), "FromIdentity has no effect on 'whose'.* Write"),
        (takes(whose=(Annotated[CustomerId, FromIdentity("session_id")], ...)), "has 2 FromIdentity marks. Keep one"),
        (takes(whose=(CustomerId, Field(exclude=True))), "would not get it. Remove exclude=True"),
        (takes(session_id=(CustomerId, ...)), r"'session_id' is filled from 'customer_id'. Write FromIdentity"),
    ],
)
def test_mark_that_would_not_hide_its_field_is_refused(given: type[ToolInput], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        tool(given, verified=False)


@pytest.mark.parametrize(
    ("declare", "why"),
    [
        (lambda: tool(keyed_by="customer_id"), r"NoInput must derive from PersonalInput.*Write verified=False"),
        (lambda: tool(OpenedFor), r"nothing tells who that is. Write keyed_by="),
        (lambda: tool(takes(whose=(CustomerId, ...))), "must derive from PersonalInput"),
        (lambda: tool(takes(about=(str, ...)), verified=True), "must derive from PersonalInput"),
        (lambda: tool(OpenedFor, keyed_by="session_id"), "nothing tells who that is"),
        (lambda: tool(PersonalInput, verified=True, internal=True), r"verifies nobody. Remove verified=True"),
        (lambda: tool(internal=True, consent=lambda _: "Go on?"), r"asks nobody. Remove consent="),
        (lambda: tool(Open), "accepts fields that it does not declare.* Derive it from ToolInput"),
        (lambda: tool(Root), "accepts fields that it does not declare.* Derive it from ToolInput"),
        (lambda: tool(str), "the input is <class 'str'>.* Derive a class from ToolInput"),  # type: ignore[arg-type]
        (lambda: Tool("Records", "look", "", NoInput, None), "the output is None.* WireModel"),  # type: ignore[arg-type]
        (lambda: tool(keyed_by="claim_id"), 'keyed_by is "customer_id" or "session_id", not \'claim_id\''),
        (lambda: FromIdentity("customer"), "a session has only customer_id"),  # type: ignore[arg-type]
        (lambda: Tool("Records", "look up", "", NoInput, Text), "a name is 1 to 64 letters"),
    ],
)
def test_contradiction_is_refused_with_what_to_write(declare: Callable[[], Any], why: str) -> None:
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
def test_tool_is_for_verified_customers_when_it_is_the_customers_own(declared: Tool[Any, Any], required: bool) -> None:
    assert declared.requires_verified_customer is required


def test_internal_tool_may_take_any_customer() -> None:
    assert tool(NameInside, internal=True).internal


def agent(*tools: Tool[Any, Any], **more: Any) -> Agent:
    return Agent(name="Records", handles="Records.", instructions="", tools=tools, **more)


def test_agent_refuses_internal_tool() -> None:
    with pytest.raises(ValueError, match=r"agent Records: 'look' is internal.* Remove it from `tools`"):
        agent(tool(internal=True))


def test_agent_refuses_names_by_which_its_domain_identifies_customers() -> None:
    named = tool(takes(user_id=(str, ...)))
    assert agent(named).tools == (named,)
    with pytest.raises(ValueError, match=r"with 'look' the model could set 'user_id'.*FromIdentity"):
        agent(named, identity_fields=("user_id",))
    agent(tool(takes(user_id=(CustomerId, ...)), verified=False), identity_fields=("user_id",))

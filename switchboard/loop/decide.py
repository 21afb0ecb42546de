"""Decides what to do with a model's reply. Pure: without context and await, so table tests cover every branch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from switchboard.agent import HANDOFF_PREFIX, Agent
from switchboard.contract import Resolved, Tool, parse_json
from switchboard.messages import Card, HandOff, HeldCall, Identity, Message, ModelReply, Note, ToolCall, ToolResult
from switchboard.rule_numbers import without_rule
from switchboard.text import visible_json

CALLS_MAX = 16
"""Calls of one step that are made; the model is told to ask again for the others."""

REASON_MAX_CHARS = 500
NAME_SHOWN_CHARS = 64
EXPLANATION_MAX_CHARS = 1_000

CONFIRMED = ".confirmed"
"""Ends the id of a call that is made after the customer's yes."""

CHANGED = (
    "Not done: what the customer was asked about has changed since. Ask for the call again, so that they can confirm"
    " what it does now."
)

AWAITS_CONSENT = "Not done yet: the customer has been asked to confirm exactly this call."

HANDED_OVER_TO_YOU = (
    "Not handed over: {name} has just handed this conversation over to you, and nothing has changed since. Answer the"
    " customer yourself, or say what you need."
)

EMPTY = Note(text="Your last answer was empty. Answer the customer, call a tool, or hand off.")


@dataclass(frozen=True)
class Answer:
    """The customer gets this text."""

    text: str


@dataclass(frozen=True)
class HandOver:
    """Another agent takes over; `closed` answers the call by which the model said so."""

    hand_off: HandOff
    closed: ToolResult


@dataclass(frozen=True)
class ApprovedCall:
    """A call that may be made: the tool exists and the arguments fit. `body` is the JSON that the tool is sent."""

    call_id: str
    tool: Tool[Any, Any]
    body: str


@dataclass(frozen=True)
class Unfit:
    """A call whose arguments do not fit its tool; the model may correct them, but not for ever."""

    result: ToolResult


@dataclass(frozen=True)
class UncheckedCall:
    """A call that needs consent, and that the tool has to check before the customer is asked.

    `body` is the JSON that the check is sent. `question` is the one that the customer has already confirmed, if so.
    """

    call_id: str
    tool: Tool[Any, Any]
    arguments: str
    body: str
    question: str = ""


ValidatedCall = ApprovedCall | UncheckedCall | HeldCall | ToolResult


@dataclass(frozen=True)
class Act:
    """Answers every call of the reply once, in the model's order: by making it, by holding it until the customer says
    yes, or by a result that says why not. `unfit` counts those whose arguments did not fit."""

    calls: tuple[ValidatedCall, ...]
    unfit: int = 0

    @property
    def held(self) -> tuple[HeldCall, ...]:
        return tuple(call for call in self.calls if isinstance(call, HeldCall))


@dataclass(frozen=True)
class AskAgain:
    """The reply holds nothing to act on; the model is told so and asked again."""

    note: Note


Decision = Answer | HandOver | Act | AskAgain


def decide(
    reply: ModelReply,
    agent: Agent,
    identity: Identity,
    peers: tuple[Card, ...],
    transcript: Sequence[Message] = (),
    null_is_absent: bool = True,
) -> Decision:
    """Decide what to do about a model's reply. Every reply leads to a decision.

    `transcript` is the conversation before this turn. `null_is_absent` accepts null for an optional argument.
    """
    if not reply.calls:
        return Answer(reply.text) if reply.text.strip() else AskAgain(EMPTY)
    if len(reply.calls) == 1 and reply.calls[0].tool.startswith(HANDOFF_PREFIX):
        return hand_over(reply.calls[0], peers, transcript)
    calls = enumerate(reply.calls)
    validated = [validate_call(index, call, agent, identity, null_is_absent) for index, call in calls]
    return Act(
        calls=tuple(call.result if isinstance(call, Unfit) else call for call in validated),
        unfit=sum(isinstance(call, Unfit) for call in validated),
    )


def hand_over(call: ToolCall, peers: tuple[Card, ...], transcript: Sequence[Message] = ()) -> HandOver | Act:
    """Follow a hand-off to an agent that exists.

    It is refused when the model made the agent up, and when that agent has just handed over and nothing has happened
    since: the two would pass the customer back and forth.
    """
    name = call.tool.removeprefix(HANDOFF_PREFIX)
    if name not in {peer.name for peer in peers}:
        known = ", ".join(peer.name for peer in peers) or "none"
        shown = name[:NAME_SHOWN_CHARS]
        return Act((refusal(call, f"There is no agent {shown!r} to hand off to. Agents: {known}."),))
    if name == handed_over_by(transcript):
        return Act((refusal(call, HANDED_OVER_TO_YOU.format(name=name)),))
    hand_off = HandOff(to=name, reason=reason_given(call))
    return HandOver(hand_off, ToolResult(call_id=call.call_id, ok=True, content=f"Handed over to {name}."))


def handed_over_by(transcript: Sequence[Message]) -> str | None:
    """The agent whose hand-off ends the transcript; None when something else does."""
    match transcript[-2:]:
        case [ModelReply(agent=agent, calls=[call]), ToolResult(ok=True)] if call.tool.startswith(HANDOFF_PREFIX):
            return agent
    return None


def for_customers(reply: ModelReply, agent: Agent) -> ModelReply:
    """Return the reply as customers read it: with the words for its calls that the tools declare, and without the
    numbers of rules, which the model reads in refusals and often repeats."""
    text = without_rule(reply.text)
    calls = tuple(labelled_call(call, agent.tool(call.tool)) for call in reply.calls)
    if text == reply.text and not calls:
        return reply
    return reply.model_copy(update={"text": text, "calls": calls})


def labelled_call(call: ToolCall, tool: Tool[Any, Any] | None) -> ToolCall:
    if tool is None:
        return call
    return call.model_copy(update={"label": tool.spoken_label, "read_only": tool.read_only})


def reason_given(call: ToolCall) -> str:
    """The model's reason for a hand-off; empty when it gave none that can be read: a hand-off is not worth a retry."""
    try:
        arguments = parse_json(call.arguments)
    except ValueError:
        return ""
    reason = arguments.get("reason") if isinstance(arguments, dict) else None
    return reason[:REASON_MAX_CHARS] if isinstance(reason, str) else ""


def validate_call(
    index: int, call: ToolCall, agent: Agent, identity: Identity, null_is_absent: bool
) -> ValidatedCall | Unfit:
    """Approve one call of a step, or say to the model what is wrong with it."""
    if index >= CALLS_MAX:
        return refusal(call, f"Not done: at most {CALLS_MAX} calls at once. Ask again for this one.")
    if call.tool.startswith(HANDOFF_PREFIX):
        return refusal(call, "Not handed over: use the results beside this first, then hand off with that call alone.")
    tool = agent.tool(call.tool)
    if tool is None:
        known = ", ".join(tool.name for tool in agent.tools if tool.offered) or "none"
        return refusal(call, f"There is no tool {call.tool[:NAME_SHOWN_CHARS]!r}. Tools: {known}.")
    try:
        given = parse_json(call.arguments or "{}")
    except ValueError as error:
        return Unfit(refusal(call, f"The arguments are not JSON ({error}). Call again with a JSON object."))
    if not isinstance(given, dict):
        return Unfit(refusal(call, "The arguments have to be a JSON object."))
    return approve(call, tool, given, identity, null_is_absent)


def approve(
    call: ToolCall, tool: Tool[Any, Any], given: dict[str, Any], identity: Identity, null_is_absent: bool
) -> ValidatedCall | Unfit:
    """Fill in who is asking, and check the whole against the tool's input. What needs consent is held."""
    filled = tool.filled_fields()
    overreach = sorted(filled.keys() & given.keys())
    if overreach:
        return refusal(call, f"{', '.join(overreach)} cannot be given: it is always the signed-in customer's.")
    identified = {name: getattr(identity, part) for name, part in filled.items()}
    try:
        complete = visible_json(given) | identified
        arguments = validated_input(tool, complete) if null_is_absent else tool.accept(complete)
    except ValidationError as error:
        return Unfit(refusal(call, f"The arguments do not fit: {explain(error)}. Correct them, or ask the customer."))
    except ArithmeticError:
        # What decimal raises for a number beyond all bounds is no ValueError, and passes pydantic by.
        return Unfit(refusal(call, "The arguments do not fit: a number is out of range. Correct it."))
    body = arguments.model_dump_json()
    if tool.consent is None:
        return ApprovedCall(call.call_id, tool, body)
    if tool.check is not None:
        return UncheckedCall(call.call_id, tool, call.arguments, body)
    question = on_one_line(tool.consent(arguments))
    return HeldCall(
        call_id=call.call_id,
        tool=tool.name,
        arguments=call.arguments,
        body=body,
        question=question,
        label=tool.spoken_label,
    )


def on_one_line(question: str) -> str:
    """Return the question on one line: an argument must not be able to shape the list of questions."""
    return " ".join(question.split())


def hold(call: UncheckedCall, answer: bytes) -> HeldCall:
    """Return the call to ask the customer about. `answer` is the JSON of the facts that the tool's check returned."""
    tool = call.tool
    assert tool.check is not None
    assert tool.consent is not None
    facts = tool.check.model_validate_json(answer)
    arguments = tool.input.model_validate_json(call.body)
    if isinstance(facts, Resolved):
        # A check resolves what the model wrote. It never decides whose call it is.
        identified = {name: getattr(arguments, name) for name in tool.filled_fields()}
        arguments = facts.call.model_copy(update=identified)
    return HeldCall(
        call_id=call.call_id,
        tool=tool.name,
        arguments=call.arguments,
        body=arguments.model_dump_json(),
        question=on_one_line(tool.consent(arguments, facts)),
        checked=True,
        label=tool.spoken_label,
    )


def recheck(call: UncheckedCall, answer: bytes) -> ApprovedCall | ToolResult:
    """Return a confirmed call that was checked again; refuse it if the customer would now be asked something else."""
    now = hold(call, answer)
    if now.question != call.question:
        return ToolResult(call_id=call.call_id, ok=False, content=CHANGED)
    return ApprovedCall(call.call_id, call.tool, call.body)


def validated_input(tool: Tool[Any, Any], given: dict[str, Any]) -> Any:
    """Return the tool's input. Raises ValidationError, ArithmeticError.

    Many models write null for an optional argument that they leave out, so a null that does not fit counts as absent.
    """
    try:
        return tool.accept(given)
    except ValidationError as error:
        wrong = {problem["loc"][0] for problem in error.errors(include_url=False) if len(problem["loc"]) == 1}
        nulls = {name for name in wrong if given.get(str(name), "") is None}
        optional = {name for name in nulls if name in tool.input.model_fields}
        optional = {name for name in optional if not tool.input.model_fields[str(name)].is_required()}
        if not optional:
            raise
        return tool.input.model_validate({name: value for name, value in given.items() if name not in optional})


def release(held: HeldCall, agent: Agent) -> ApprovedCall | UncheckedCall | ToolResult:
    """Return the call that the customer confirmed, exactly as it was shown. Refuse it if the tool has changed since.

    A call that was checked before the question is checked again.
    """
    call = ToolCall(call_id=held.call_id + CONFIRMED, tool=held.tool, arguments=held.arguments)
    tool = agent.tool(held.tool)
    if tool is None:
        return refusal(call, f"Not done: there is no tool {held.tool!r} any more.")
    try:
        tool.input.model_validate_json(held.body)
    except ValidationError as error:
        return refusal(call, f"Not done: the tool has changed since the customer was asked ({explain(error)}).")
    if held.checked and tool.check is not None:
        return UncheckedCall(call.call_id, tool, held.arguments, held.body, held.question)
    return ApprovedCall(call.call_id, tool, held.body)


def released_calls(held: tuple[HeldCall, ...]) -> tuple[ToolCall, ...]:
    """Return the confirmed calls for the transcript. They get new ids, because the held calls already have results."""
    return tuple(
        ToolCall(call_id=call.call_id + CONFIRMED, tool=call.tool, arguments=call.arguments, label=call.label)
        for call in held
    )


def explain(error: ValidationError) -> str:
    """A validation error in one line that a model can act on, without pydantic's addresses and without the input."""
    problems = "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'input'}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return problems if len(problems) <= EXPLANATION_MAX_CHARS else f"{problems[:EXPLANATION_MAX_CHARS]}…"


def refusal(call: ToolCall, why: str) -> ToolResult:
    return ToolResult(call_id=call.call_id, ok=False, content=why)

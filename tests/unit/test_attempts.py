"""Plans for the next attempt: refused texts are found with few requests, and nothing else is withheld."""

import random
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

import pytest

from switchboard.loop.attempts import (
    MODEL_ATTEMPTS,
    NO_MODEL,
    SEARCH_ATTEMPTS_MAX,
    SETUP,
    TOO_LONG,
    GiveUp,
    Plan,
    Search,
    after_accepted,
    after_refused,
    after_server_error,
    after_too_long,
    after_unavailable,
    applied,
)
from switchboard.loop.decisions import proven, settled
from switchboard.messages import (
    SUMMARY,
    Identity,
    Message,
    ModelReply,
    Note,
    Notice,
    Part,
    ToolCall,
    ToolResult,
    TurnRequest,
    UserText,
)

IDENTITY = Identity(session_id="s", customer_id="alice")
REQUESTS_FOR_ONE_TEXT_MAX = 12


def turn(number: int) -> list[Message]:
    """A turn with every kind of message."""
    call = ToolCall(call_id=f"c{number}", tool="get", arguments="{}")
    return [
        UserText(text=f"user {number}"),
        ModelReply(agent="Bank", calls=(call,)),
        ToolResult(call_id=call.call_id, ok=True, content=f"result {number}"),
        Note(text=f"note {number}"),
        Notice(text=f"notice {number}"),
    ]


def conversation(turns: int, summary: str = "a summary") -> TurnRequest:
    before = [message for number in range(turns) for message in turn(number)]
    return TurnRequest(identity=IDENTITY, transcript=(*before, UserText(text="and now?")), summary=summary)


def is_sent(position: int, request: TurnRequest, added: Sequence[Message], plan: Plan) -> bool:
    sent, more = applied(plan, request, added)
    if position == SUMMARY:
        return bool(sent.summary)
    return not (*sent.transcript, *more)[position - plan.skipped].withheld


def search(
    request: TurnRequest, added: Sequence[Message], refused: Collection[int]
) -> tuple[tuple[int, ...] | str, int]:
    """Ask an endpoint that refuses these texts. Returns what is withheld, or why it was given up; and the requests."""
    plan, requests = Plan(), 0
    while True:
        requests += 1
        if any(is_sent(position, request, added, plan) for position in refused):
            following: Plan | GiveUp | None = after_refused(plan, 1, request, added)
        else:
            following = after_accepted(plan)
        if following is None:
            return settled(plan).withheld, requests
        if isinstance(following, GiveUp):
            return following.reason, requests
        plan = following


@pytest.mark.parametrize("turns", [0, 1, 2, 7, 30])
def test_each_refused_text_is_found_and_nothing_else_is_withheld(turns: int) -> None:
    request = conversation(turns)
    added: list[Message] = [ModelReply(agent="Bank", text="hm")]
    for position in range(SUMMARY, len(request.transcript) + len(added)):
        found, requests = search(request, added, {position})
        assert found == (position,)
        assert requests <= REQUESTS_FOR_ONE_TEXT_MAX


def test_the_newest_message_is_found_with_one_more_request() -> None:
    request = conversation(20)
    assert search(request, [], {len(request.transcript) - 1}) == ((len(request.transcript) - 1,), 2)


@pytest.mark.parametrize("seed", range(20))
def test_several_refused_texts_are_found(seed: int) -> None:
    chance = random.Random(seed)
    request = conversation(chance.randint(1, 12))
    refused = chance.sample(range(SUMMARY, len(request.transcript)), 3)
    found, _ = search(request, [], refused)
    assert set(found) <= set(refused)
    assert found


def test_endpoint_that_refuses_everything_is_given_up_after_two_more_requests() -> None:
    plan: Plan | GiveUp = Plan()
    requests = 0
    while isinstance(plan, Plan):
        requests += 1
        plan = after_refused(plan, 1, conversation(5), [])
    assert (plan, requests) == (GiveUp(SETUP), 3)


def search_broken(
    request: TurnRequest, broken_by: Collection[int], fails: Callable[[int], bool] = lambda requests: False
) -> tuple[tuple[int, ...] | str, int]:
    """Ask a server that answers 500 to these texts, and where `fails` says so of the number of the request."""
    plan, requests = Plan(), 0
    while True:
        requests += 1
        if fails(requests) or any(is_sent(position, request, [], plan) for position in broken_by):
            following: Plan | GiveUp | None = after_server_error(plan, 1, request, [], None)
        else:
            following = after_accepted(plan)
        if following is None:
            return settled(plan).withheld, requests
        if isinstance(following, GiveUp):
            return following.reason, requests
        plan = following


@pytest.mark.parametrize("turns", [0, 1, 7, 30])
def test_each_text_that_breaks_the_server_is_found_and_nothing_else_is_withheld(turns: int) -> None:
    request = conversation(turns)
    for position in range(SUMMARY, len(request.transcript)):
        found, requests = search_broken(request, {position})
        assert found == (position,)
        # The attempts before the search, the control, and the request without the text once more.
        assert requests <= MODEL_ATTEMPTS + REQUESTS_FOR_ONE_TEXT_MAX + 2


@pytest.mark.parametrize("outage", range(1, 12))
def test_outage_that_ends_at_any_time_withholds_nothing(outage: int) -> None:
    found, requests = search_broken(conversation(7), {}, lambda number: number <= outage)
    assert found in ((), NO_MODEL)
    assert requests <= MODEL_ATTEMPTS + 3, "the attempts, two that leave texts out, and the control"


def test_server_that_breaks_on_everything_is_given_up_after_two_more_requests() -> None:
    assert search_broken(conversation(5), {}, lambda number: True) == (NO_MODEL, MODEL_ATTEMPTS + 2)


@pytest.mark.parametrize("seed", range(20))
def test_only_texts_that_break_the_server_are_withheld_when_there_are_several(seed: int) -> None:
    chance = random.Random(seed)
    request = conversation(chance.randint(1, 12))
    broken_by = chance.sample(range(SUMMARY, len(request.transcript)), 3)
    found, requests = search_broken(request, broken_by)
    assert found
    assert set(found) <= set(broken_by)
    assert requests <= MODEL_ATTEMPTS + SEARCH_ATTEMPTS_MAX + 3


def test_step_that_began_with_a_fallback_comes_round_to_the_models_before_it() -> None:
    plan: Plan | GiveUp = Plan(model=1, first=1)
    asked = []
    while isinstance(plan, Plan):
        asked.append(plan.model)
        plan = after_unavailable(plan, 3, None, give_up=True)
    assert asked == [1, 2, 0]


def test_text_that_is_withheld_already_is_no_suspect() -> None:
    request = conversation(1)
    marked = tuple(message.model_copy(update={"withheld": True}) for message in request.transcript)
    plan = after_refused(Plan(), 1, request.model_copy(update={"transcript": marked, "summary": ""}), [])
    assert plan == GiveUp(SETUP)


def test_opaque_parts_are_left_out_before_any_text() -> None:
    reply = ModelReply(agent="Bank", text="hm", origin="there", parts=(Part(kind="opaque", data="{}"),))
    request = TurnRequest(identity=IDENTITY, transcript=(UserText(text="hi"), reply, UserText(text="and?")))
    plan = after_refused(Plan(), 1, request, [])
    assert isinstance(plan, Plan)
    assert (plan.plain_history, plan.withheld) == (True, ())
    sent, _ = applied(plan, request, [])
    assert all(not message.parts for message in sent.transcript if isinstance(message, ModelReply))


def test_conversation_that_is_too_long_is_cut_in_front_of_a_customers_message_until_one_is_left() -> None:
    request = conversation(9)
    skipped = []
    plan = Plan()
    while isinstance(following := after_too_long(plan, 1, request, []), Plan):
        plan = following
        sent, _ = applied(plan, request, [])
        assert isinstance(sent.transcript[0], UserText)
        skipped.append(plan.skipped)
    assert skipped == sorted(set(skipped))
    assert skipped[-1] == len(request.transcript) - 1
    assert following == GiveUp(TOO_LONG)


def test_result_that_is_too_long_by_itself_is_withheld() -> None:
    request = TurnRequest(identity=IDENTITY, transcript=(UserText(text="list"),))
    call = ToolCall(call_id="c", tool="get", arguments="{}")
    result = ToolResult(call_id="c", ok=True, content="x" * 9_000)
    added: list[Message] = [ModelReply(agent="Bank", calls=(call,)), result]
    plan = after_too_long(Plan(), 1, request, added)
    assert isinstance(plan, Plan)
    assert plan.withheld == (2,)


def test_unavailable_model_is_asked_again_with_growing_pauses_and_then_the_next_one() -> None:
    plan: Plan | GiveUp = Plan()
    pauses = []
    while isinstance(plan, Plan) and plan.model == 0:
        plan = after_unavailable(plan, 2, None, give_up=False)
        pauses.append(plan.pause_ms if isinstance(plan, Plan) else -1)
    assert pauses == [500, 1_000, 2_000, 0]
    assert isinstance(plan, Plan)
    assert (plan.model, plan.attempt) == (1, 0)
    last = Plan(model=1, attempt=MODEL_ATTEMPTS - 1)
    assert after_unavailable(last, 2, timedelta(seconds=1), give_up=False) == GiveUp(NO_MODEL)


def test_search_that_takes_too_long_answers_anyway_and_withholds_no_innocent_text() -> None:
    request = conversation(30)
    refused = set(range(0, len(request.transcript), 9))
    plan: Plan = Plan()
    for requests in range(1, SEARCH_ATTEMPTS_MAX + 5):
        if any(is_sent(position, request, [], plan) for position in refused):
            following = after_refused(plan, 1, request, [])
        else:
            accepted = after_accepted(plan)
            if accepted is None:
                break
            following = accepted
        assert isinstance(following, Plan), (requests, following)
        plan = following
    assert requests <= SEARCH_ATTEMPTS_MAX + 3
    assert set(settled(plan).withheld) <= refused
    assert set(settled(plan).withheld)


def test_given_up_search_withholds_nothing_for_good() -> None:
    plan = Plan(withheld=tuple(range(20)), search=Search(suspects=tuple(range(20)), found=(3,)))
    assert proven(plan).withheld == (3,)
    assert proven(Plan(withheld=(1, 2), skipped=7)) == Plan()

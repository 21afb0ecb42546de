"""What a replayed recording is judged by: right and wrong writes, reads as they were, and what has a reason."""

import json
from typing import Any

from evals.recordings import PlayedCall, Recording, Verdicts, calls_in, customer_of
from evals.recordings import judge as judge_replay
from evals.tasks import World
from switchboard.messages import ModelReply, ToolCall, ToolResult, UserText

BAGS = {"reservation_id": "AB1234", "total_baggages": 1, "nonfree_baggages": 0, "payment_id": "card_1"}
PROFILE = {"membership": "gold", "address": {"province": "TX"}, "reservations": ["AB1234"]}
OURS = {"user_id": "ann", "membership": "gold", "address": {"state": "TX"}, "reservations": ["AB1234"]}
FLIGHT = {"flight_number": "XX001", "available_seats": {"economy": 3}}
BASE = World(users={"ann": {}, "bob": {}}, reservations={"AB1234": {"user_id": "bob"}}, flights={})


def recording(*calls: tuple[str, dict[str, Any], Any], right: list[dict[str, Any]] | None = None) -> Recording:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Hello, I am somebody."}]
    for name, arguments, result in calls:
        call = {"id": "1", "function": {"name": name, "arguments": json.dumps(arguments)}, "type": "function"}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "content": result if isinstance(result, str) else json.dumps(result)})
    return Recording.model_validate(
        {"task_id": 3, "trial": 1, "messages": messages, "reference_writes": right or [], "reward": 1.0}
    )


def judge(one: Recording, played: list[PlayedCall], customer_id: str = "bob") -> Verdicts:
    return judge_replay(one, played, customer_id, BASE)


def made(name: str, value: Any) -> PlayedCall:
    return PlayedCall(name, ok=True, content=json.dumps(value))


def refused(name: str, rule: str) -> PlayedCall:
    return PlayedCall(name, ok=False, content=f"Error: No. (rule {rule})")


BAGS_CALL = ("update_reservation_baggages", BAGS, {"reservation_id": "AB1234"})
BAGS_RIGHT = [{"name": "update_reservation_baggages", "arguments": BAGS}]


def test_a_right_write_that_is_made_is_none_to_speak_of() -> None:
    verdicts = judge(recording(BAGS_CALL, right=BAGS_RIGHT), [made("update_reservation_baggages", {})])
    assert (verdicts.writes, verdicts.misses, verdicts.remarks) == ({"right, made": 1}, [], [])


def test_a_right_write_that_is_refused_is_a_miss() -> None:
    verdicts = judge(recording(BAGS_CALL, right=BAGS_RIGHT), [refused("update_reservation_baggages", "L3")])
    assert verdicts.rules == {"right: L3": 1}
    assert [miss.partition(": ")[0] for miss in verdicts.misses] == ["3/1 update_reservation_baggages"]


def test_what_only_the_older_reference_counts_as_right_may_be_refused_by_the_rule_that_it_breaks() -> None:
    verdicts = judge(recording(BAGS_CALL, right=BAGS_RIGHT), [refused("update_reservation_baggages", "L1")])
    assert verdicts.misses == []
    assert "older reference" in verdicts.remarks[0]


def test_a_wrong_write_is_counted_by_the_rule_that_refused_it() -> None:
    verdicts = judge(recording(BAGS_CALL), [refused("update_reservation_baggages", "L1")])
    assert (verdicts.writes, verdicts.rules) == ({"wrong, refused": 1}, {"wrong: L1": 1})


def test_a_refusal_that_names_no_written_rule_has_none() -> None:
    verdicts = judge(recording(BAGS_CALL), [refused("update_reservation_baggages", "Z99")])
    assert verdicts.rules == {"wrong: no rule": 1}


def test_a_read_is_equal_in_the_spelling_of_either_reference() -> None:
    verdicts = judge(recording(("get_user_details", {}, PROFILE)), [made("get_user_details", OURS)])
    assert (verdicts.reads, verdicts.misses) == ({"equal": 1}, [])


def test_a_read_that_differs_before_any_write_is_a_miss() -> None:
    other = {**OURS, "membership": "silver"}
    verdicts = judge(recording(("get_user_details", {}, PROFILE)), [made("get_user_details", other)])
    assert verdicts.reads == {"different": 1}
    assert "membership" in verdicts.misses[0]


def test_a_read_of_what_was_written_may_differ_and_of_what_was_not_may_not() -> None:
    reads = [("get_reservation_details", {"reservation_id": number}, {"cabin": "x"}) for number in ("AB1234", "CD5678")]
    answers = [made("get_reservation_details", {"cabin": "y"}) for _ in reads]
    verdicts = judge(recording(BAGS_CALL, *reads), [made("update_reservation_baggages", {}), *answers])
    assert len(verdicts.misses) == 1
    assert verdicts.reads == {"after a write that the older reference records else": 1, "different": 1}


def test_seats_may_differ_after_a_write_and_not_before() -> None:
    search: tuple[str, dict[str, Any], Any] = ("search_direct_flight", {}, [FLIGHT])
    fewer = made("search_direct_flight", [{**FLIGHT, "available_seats": {"economy": 2}}])
    before = judge(recording(search), [fewer])
    after = judge(recording(BAGS_CALL, search), [made("update_reservation_baggages", {}), fewer])
    assert (len(before.misses), after.misses) == (1, [])
    assert after.reads == {"other seats, after a write": 1}


def test_an_answer_that_was_cut_for_the_model_is_compared_as_far_as_it_goes() -> None:
    search: tuple[str, dict[str, Any], Any] = ("search_direct_flight", {}, [FLIGHT, FLIGHT, FLIGHT])
    text = json.dumps([FLIGHT, FLIGHT, FLIGHT])
    cut = PlayedCall("search_direct_flight", ok=True, content=text[:-20] + "\n[cut: 200 bytes in all, 180 shown]")
    wrong = PlayedCall("search_direct_flight", ok=True, content=cut.content.replace("XX001", "XX002", 1))
    assert judge(recording(search), [cut]).misses == []
    assert len(judge(recording(search), [wrong]).misses) == 1


def test_a_call_that_was_not_played_is_a_miss() -> None:
    assert judge(recording(BAGS_CALL), []).misses == ["3/1: 0 calls were played of 1 recorded"]


def test_a_held_call_came_to_what_it_did_after_the_yes() -> None:
    call = ToolCall(call_id="1", tool="cancel_reservation", arguments="{}")
    again = call.model_copy(update={"call_id": "1.confirmed"})
    handed = ToolCall(call_id="0", tool="handoff_to_Airline", arguments="{}")
    played = calls_in(
        [
            UserText(text="Cancel it."),
            ModelReply(agent="Triage", calls=(handed,)),
            ToolResult(call_id="0", ok=True, content="Handed over."),
            ModelReply(agent="Airline", calls=(call,)),
            ToolResult(call_id="1", ok=True, content="Waits.", outcome="held"),
            ModelReply(agent="Airline", calls=(again,)),
            ToolResult(call_id="1.confirmed", ok=True, content='{"status": "cancelled"}'),
        ]
    )
    assert played == [PlayedCall("cancel_reservation", ok=True, content='{"status": "cancelled"}')]


def test_the_customer_is_who_they_say_or_whose_reservation_is_read() -> None:
    said = recording(BAGS_CALL)
    assert customer_of(said, BASE) == "bob"
    named = said.model_copy(update={"messages": (said.messages[0].model_copy(update={"content": "I'm ann."}),)})
    assert customer_of(named, BASE) == "ann"


def test_a_text_that_looks_like_a_number_is_the_same_text() -> None:
    verdicts = judge(recording(("calculate", {}, "255.0")), [made("calculate", "255.0")])
    assert verdicts.reads == {"equal": 1}


def test_a_connection_on_the_next_day_may_have_other_seats_and_prices_and_nothing_else() -> None:
    legs = [{**FLIGHT, "date": "2024-05-24", "prices": {"economy": 1}}, {**FLIGHT, "date": "2024-05-25", "prices": {}}]
    asked = {"origin": "IAH", "destination": "SEA", "date": "2024-05-24"}
    search: tuple[str, dict[str, Any], Any] = ("search_onestop_flight", asked, [legs])
    for leg, misses in ((1, 0), (0, 1)):
        ours = [dict(one) for one in legs]
        ours[leg]["prices"] = {"economy": 7}
        assert len(judge(recording(search), [made("search_onestop_flight", [ours])]).misses) == misses


def test_another_customers_data_may_be_refused_though_it_was_given_then() -> None:
    reads = recording(("get_user_details", {"user_id": "bob"}, PROFILE))
    answer = PlayedCall("get_user_details", ok=False, content="Not yours.")
    assert judge(reads, [answer], customer_id="ann").misses == []
    assert len(judge(reads, [answer], customer_id="bob").misses) == 1


def test_a_tool_that_nobody_has_is_an_error_then_and_now() -> None:
    call = recording(("fly_to_the_moon", {}, "Unknown action fly_to_the_moon"))
    assert judge(call, [PlayedCall("fly_to_the_moon", ok=False, content="There is no such tool.")]).misses == []

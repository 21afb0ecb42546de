"""Grading of replays: right and wrong writes, equal reads, and differences that have a reason."""

import json
from typing import Any

from evals.recordings import Grades, PlayedCall, Recording, calls_in, customer_of, grade_recording
from evals.tasks import World
from switchboard.messages import ModelReply, ToolCall, ToolResult, UserText

BAGS = {"reservation_id": "AB1234", "total_baggages": 1, "nonfree_baggages": 0, "payment_id": "card_1"}
PROFILE = {"membership": "gold", "address": {"province": "TX"}, "reservations": ["AB1234"]}
OURS = {"user_id": "ann", "membership": "gold", "address": {"state": "TX"}, "reservations": ["AB1234"]}
FLIGHT = {"flight_number": "XX001", "available_seats": {"economy": 3}}
BASE = World(users={"ann": {}, "bob": {}}, reservations={"AB1234": {"user_id": "bob"}}, flights={})


def recording(*calls: tuple[str, dict[str, Any], Any], right: list[dict[str, Any]] | None = None) -> Recording:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Hello, I am a customer."}]
    for name, arguments, result in calls:
        call = {"id": "1", "function": {"name": name, "arguments": json.dumps(arguments)}, "type": "function"}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "content": result if isinstance(result, str) else json.dumps(result)})
    return Recording.model_validate(
        {"task_id": 3, "trial": 1, "messages": messages, "reference_writes": right or [], "reward": 1.0}
    )


def grade(one: Recording, played: list[PlayedCall], customer_id: str = "bob") -> Grades:
    return grade_recording(one, played, customer_id, BASE)


def made(name: str, value: Any) -> PlayedCall:
    return PlayedCall(name, ok=True, content=json.dumps(value))


def refused(name: str, rule: str) -> PlayedCall:
    return PlayedCall(name, ok=False, content=f"Error: No. (rule {rule})")


BAGS_CALL = ("update_reservation_baggages", BAGS, {"reservation_id": "AB1234"})
BAGS_RIGHT = [{"name": "update_reservation_baggages", "arguments": BAGS}]


def test_right_write_that_is_made_is_only_counted() -> None:
    grades = grade(recording(BAGS_CALL, right=BAGS_RIGHT), [made("update_reservation_baggages", {})])
    assert (grades.writes, grades.misses, grades.remarks) == ({"right, made": 1}, [], [])


def test_refused_right_write_is_a_miss() -> None:
    grades = grade(recording(BAGS_CALL, right=BAGS_RIGHT), [refused("update_reservation_baggages", "L3")])
    assert grades.rules == {"right: L3": 1}
    assert [miss.partition(": ")[0] for miss in grades.misses] == ["3/1 update_reservation_baggages"]


def test_write_that_is_right_by_the_older_reference_only_is_a_remark() -> None:
    grades = grade(recording(BAGS_CALL, right=BAGS_RIGHT), [refused("update_reservation_baggages", "L1")])
    assert grades.misses == []
    assert "older reference" in grades.remarks[0]


def test_wrong_write_is_counted_by_the_refusing_rule() -> None:
    grades = grade(recording(BAGS_CALL), [refused("update_reservation_baggages", "L1")])
    assert (grades.writes, grades.rules) == ({"wrong, refused": 1}, {"wrong: L1": 1})


def test_refusal_with_an_unknown_rule_counts_as_no_rule() -> None:
    grades = grade(recording(BAGS_CALL), [refused("update_reservation_baggages", "Z99")])
    assert grades.rules == {"wrong: no rule": 1}


def test_read_is_equal_in_either_references_format() -> None:
    grades = grade(recording(("get_user_details", {}, PROFILE)), [made("get_user_details", OURS)])
    assert (grades.reads, grades.misses) == ({"equal": 1}, [])


def test_different_read_before_any_write_is_a_miss() -> None:
    other = {**OURS, "membership": "silver"}
    grades = grade(recording(("get_user_details", {}, PROFILE)), [made("get_user_details", other)])
    assert grades.reads == {"different": 1}
    assert "membership" in grades.misses[0]


def test_only_reads_of_written_records_may_differ() -> None:
    reads = [("get_reservation_details", {"reservation_id": number}, {"cabin": "x"}) for number in ("AB1234", "CD5678")]
    answers = [made("get_reservation_details", {"cabin": "y"}) for _ in reads]
    grades = grade(recording(BAGS_CALL, *reads), [made("update_reservation_baggages", {}), *answers])
    assert len(grades.misses) == 1
    assert grades.reads == {"after a write that the older reference records differently": 1, "different": 1}


def test_seats_may_differ_only_after_a_write() -> None:
    search: tuple[str, dict[str, Any], Any] = ("search_direct_flight", {}, [FLIGHT])
    fewer = made("search_direct_flight", [{**FLIGHT, "available_seats": {"economy": 2}}])
    before = grade(recording(search), [fewer])
    after = grade(recording(BAGS_CALL, search), [made("update_reservation_baggages", {}), fewer])
    assert (len(before.misses), after.misses) == (1, [])
    assert after.reads == {"other seats, after a write": 1}


def test_shortened_result_is_compared_up_to_the_cut() -> None:
    search: tuple[str, dict[str, Any], Any] = ("search_direct_flight", {}, [FLIGHT, FLIGHT, FLIGHT])
    text = json.dumps([FLIGHT, FLIGHT, FLIGHT])
    cut = PlayedCall("search_direct_flight", ok=True, content=text[:-20] + "\n[cut: 200 bytes in all, 180 shown]")
    wrong = PlayedCall("search_direct_flight", ok=True, content=cut.content.replace("XX001", "XX002", 1))
    assert grade(recording(search), [cut]).misses == []
    assert len(grade(recording(search), [wrong]).misses) == 1


def test_missing_call_is_a_miss() -> None:
    assert grade(recording(BAGS_CALL), []).misses == ["3/1: 0 calls were played of 1 recorded"]


def test_held_call_has_its_result_after_the_yes() -> None:
    call = ToolCall(call_id="1", tool="cancel_reservation", arguments="{}")
    again = call.model_copy(update={"call_id": "1.confirmed"})
    handed = ToolCall(call_id="0", tool="handoff_to_Airline", arguments="{}")
    played = calls_in(
        [
            UserText(text="Cancel it."),
            ModelReply(agent="Triage", calls=(handed,)),
            ToolResult(call_id="0", ok=True, content="Handed over."),
            ModelReply(agent="Airline", calls=(call,)),
            ToolResult(call_id="1", ok=True, content="Held.", outcome="held"),
            ModelReply(agent="Airline", calls=(again,)),
            ToolResult(call_id="1.confirmed", ok=True, content='{"status": "cancelled"}'),
        ]
    )
    assert played == [PlayedCall("cancel_reservation", ok=True, content='{"status": "cancelled"}')]


def test_customer_is_named_in_the_messages_or_owns_the_reservation() -> None:
    said = recording(BAGS_CALL)
    assert customer_of(said, BASE) == "bob"
    named = said.model_copy(update={"messages": (said.messages[0].model_copy(update={"content": "I'm ann."}),)})
    assert customer_of(named, BASE) == "ann"


def test_text_that_looks_like_a_number_is_compared_as_text() -> None:
    grades = grade(recording(("calculate", {}, "255.0")), [made("calculate", "255.0")])
    assert grades.reads == {"equal": 1}


def test_connection_on_the_next_day_may_differ_in_seats_and_prices_only() -> None:
    legs = [{**FLIGHT, "date": "2024-05-24", "prices": {"economy": 1}}, {**FLIGHT, "date": "2024-05-25", "prices": {}}]
    asked = {"origin": "IAH", "destination": "SEA", "date": "2024-05-24"}
    search: tuple[str, dict[str, Any], Any] = ("search_onestop_flight", asked, [legs])
    for leg, misses in ((1, 0), (0, 1)):
        ours = [dict(one) for one in legs]
        ours[leg]["prices"] = {"economy": 7}
        assert len(grade(recording(search), [made("search_onestop_flight", [ours])]).misses) == misses


def test_refused_read_of_another_customers_data_is_no_miss() -> None:
    reads = recording(("get_user_details", {"user_id": "bob"}, PROFILE))
    answer = PlayedCall("get_user_details", ok=False, content="Not yours.")
    assert grade(reads, [answer], customer_id="ann").misses == []
    assert len(grade(reads, [answer], customer_id="bob").misses) == 1


def test_unknown_tool_is_an_error_in_both() -> None:
    call = recording(("fly_to_the_moon", {}, "Unknown action fly_to_the_moon"))
    assert grade(call, [PlayedCall("fly_to_the_moon", ok=False, content="There is no such tool.")]).misses == []

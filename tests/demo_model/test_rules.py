"""Replies of the rules: tables of messages, and conversations step by step."""

from collections.abc import Callable, Mapping

import orjson
import pytest

from switchboard.demo_model.wire import Reply

Json = dict[str, object]
Ask = Callable[..., Reply]


def calls(reply: Reply) -> list[tuple[str, Json]]:
    return [(call.name, orjson.loads(call.arguments)) for call in reply.calls]


def names(reply: Reply) -> list[str]:
    return [call.name for call in reply.calls]


def called(call_id: str, name: str, arguments: Mapping[str, object], output: object) -> list[Json]:
    text = output if isinstance(output, str) else orjson.dumps(output).decode()
    return [
        {"type": "function_call", "call_id": call_id, "name": name, "arguments": orjson.dumps(arguments).decode()},
        {"type": "function_call_output", "call_id": call_id, "output": text},
    ]


def said(text: str) -> Json:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


@pytest.mark.parametrize(
    ("agent", "message", "expected"),
    [
        ("Bank", "how much is my balance?", [("get_balance", {})]),
        ("Bank", "How much money do I have?", [("get_balance", {})]),
        (
            "Bank",
            "how much did I spend on gambling last month?",
            [("summarize_spending", {"category": "gambling", "period": "last_month"})],
        ),
        ("Bank", "give me an overview of my outstanding loans and credit", [("list_loans", {})]),
        (
            "Bank",
            "show me the transactions for groceries this month",
            [("list_transactions", {"category": "groceries", "period": "this_month"})],
        ),
        (
            "Bank",
            "what is my balance, how much did I spend on gambling last month and which loans do I have?",
            [
                ("get_balance", {}),
                ("summarize_spending", {"category": "gambling", "period": "last_month"}),
                ("list_loans", {}),
            ],
        ),
        (
            "Bank",
            "how much did I spend on gambling and on groceries last month?",
            [
                ("summarize_spending", {"category": "gambling", "period": "last_month"}),
                ("summarize_spending", {"category": "groceries", "period": "last_month"}),
            ],
        ),
        (
            "Bank",
            "how much did I spend on groceries, restaurants and rent last month?",
            [
                ("summarize_spending", {"category": category, "period": "last_month"})
                for category in ("groceries", "restaurants", "rent")
            ],
        ),
        (
            "Airline",
            "can you send me an invoice for booking AB4568?",
            [("email_invoice", {"confirmation_number": "AB4568"})],
        ),
        ("Airline", "how much can my bag weigh?", [("search_faq", {"question": "how much can my bag weigh?"})]),
        ("Airline", "is flight ba117 on time?", [("get_flight_status", {"flight_number": "BA117"})]),
        (
            "Airline",
            "Hi, I'd like to change my seat to 10b. My confirmation number is ab4568, thanks",
            [("change_seat", {"confirmation_number": "AB4568", "seat": "10B"})],
        ),
        ("Airline", "which seats are free on AB4568?", [("get_seat_map", {"confirmation_number": "AB4568"})]),
    ],
)
def test_agent_calls_its_own_tools(ask: Ask, agent: str, message: str, expected: list[tuple[str, Json]]) -> None:
    assert calls(ask(agent, message)) == expected


@pytest.mark.parametrize(
    ("agent", "message", "target"),
    [
        ("Triage", "how much is my balance?", "handoff_to_Bank"),
        ("Triage", "how much did I spend on gambling last month?", "handoff_to_Bank"),
        ("Triage", "give me an overview of my outstanding loans and credit", "handoff_to_Bank"),
        ("Triage", "can you send me an invoice for booking AB4568?", "handoff_to_Airline"),
        ("Triage", "can you change my seat to 10b?", "handoff_to_Airline"),
        ("Triage", "how much can my bag weigh?", "handoff_to_Airline"),
        ("Airline", "and what is my balance?", "handoff_to_Bank"),
        ("Bank", "can you change my seat to 10b?", "handoff_to_Airline"),
    ],
)
def test_question_for_another_agent_is_only_handed_off(ask: Ask, agent: str, message: str, target: str) -> None:
    [(name, arguments)] = calls(ask(agent, message))
    assert name == target
    assert str(arguments["reason"]).startswith("The customer asks: ")


def test_missing_argument_is_asked_for_and_then_used(ask: Ask) -> None:
    first = "can you change my seat to 10b?"
    question = ask("Airline", first)
    assert question.text == "Please tell me the confirmation number of your booking, for example AB4568."
    second = [first, said(question.text), "AB4568"]
    assert calls(ask("Airline", *second)) == [("change_seat", {"confirmation_number": "AB4568", "seat": "10B"})]

    moved = called("c1", "change_seat", {"confirmation_number": "AB4568", "seat": "10B"}, {"message": "Seat is 10B."})
    assert ask("Airline", *second, *moved).text == "Seat is 10B."
    third = [*second, *moved, said("Seat is 10B."), "and what is my balance?"]
    assert names(ask("Airline", *third)) == ["handoff_to_Bank"]
    handed = called("c2", "handoff_to_Bank", {"reason": "The customer asks: and what is my balance?"}, "handed over")
    assert calls(ask("Bank", *third, *handed)) == [("get_balance", {})]


def test_new_question_instead_of_missing_argument_is_answered(ask: Ask) -> None:
    first = "can you change my seat to 10b?"
    reply = ask("Airline", first, said(ask("Airline", first).text), "how much can my bag weigh?")
    assert names(reply) == ["search_faq"]


def test_argument_is_not_taken_from_unrelated_earlier_request(ask: Ask) -> None:
    earlier = ["send me an invoice for booking AB4568", said("Sent.")]
    assert ask("Airline", *earlier, "can you change my seat to 10b?").text.startswith("Please tell me")
    assert names(ask("Airline", *earlier, "can you change my seat to 10b on the same booking?")) == ["change_seat"]


def test_message_for_two_agents_is_answered_by_both(ask: Ask) -> None:
    message = "what is my balance and can you change my seat to 10b for booking ab4568?"
    talk: list[str | Json] = [message]
    answers = {
        "get_balance": {"account": "Checking", "balance": "2431.80", "currency": "EUR"},
        "change_seat": {"message": "You are now in seat 10B."},
    }
    agent, route = "Triage", []
    for step in range(8):
        reply = ask(agent, *talk)
        if reply.text:
            break
        for number, (name, arguments) in enumerate(calls(reply)):
            route.append(name)
            agent = name.removeprefix("handoff_to_") if name.startswith("handoff_to_") else agent
            talk += called(f"c{step}{number}", name, arguments, answers.get(name, "handed over"))
    assert route == ["handoff_to_Bank", "get_balance", "handoff_to_Airline", "change_seat"]
    assert reply.text == "Balance of Checking: 2431.80 EUR. You are now in seat 10B."


def test_unmatched_question_is_searched_only_after_hand_off(ask: Ask) -> None:
    message = "may I bring snow globes?"
    assert "rule-based stand-in" in ask("Airline", message).text
    handed = called("c1", "handoff_to_Airline", {"reason": f"The customer asks: {message}"}, "handed over")
    assert calls(ask("Airline", message, *handed)) == [("search_faq", {"question": message})]


def test_unknown_question_is_mentioned_after_the_answer(ask: Ask) -> None:
    message = "what is my balance, and write me a poem"
    [(name, reason)] = calls(ask("Triage", message))
    handed = called("c1", name, reason, "handed over")
    assert names(ask("Bank", message, *handed)) == ["get_balance"]
    text = ask("Bank", message, *handed, *called("c2", "get_balance", {}, {"balance": "5.00", "currency": "EUR"})).text
    assert text.startswith("Balance: 5.00 EUR.\n\nI am a rule-based stand-in")
    assert "(“write me a poem”)" in text


def test_agent_skips_question_answered_by_a_tool_it_does_not_have(ask: Ask) -> None:
    message = "can you change my seat to 10b for booking AB4568 and what is my balance?"
    moved = called("c1", "change_seat", {"confirmation_number": "AB4568", "seat": "10B"}, {"message": "Seat is 10B."})
    balance = called("c2", "get_balance", {}, {"balance": "5.00", "currency": "EUR"})
    assert names(ask("Bank", message, *moved)) == ["get_balance"]
    assert ask("Bank", message, *moved, *balance).text == "Seat is 10B. Balance: 5.00 EUR."


def test_failed_call_is_reported_and_not_repeated(ask: Ask) -> None:
    failed = called("c1", "get_balance", {}, "The accounts service cannot be reached right now")
    assert ask("Bank", "what is my balance?", *failed) == Reply("The accounts service cannot be reached right now.")


def test_question_is_not_handed_back_to_a_previous_agent(ask: Ask) -> None:
    message = "can you change my seat to 10b?"
    reason = {"reason": f"The customer asks: {message}"}
    there_and_back = [
        *called("c1", "handoff_to_Airline", reason, "handed over"),
        *called("c2", "handoff_to_Bank", reason, "handed over"),
    ]
    assert "rule-based stand-in" in ask("Bank", message, *there_and_back).text
    note: Json = {"role": "developer", "content": "This conversation was handed over by Airline."}
    assert "rule-based stand-in" in ask("Bank", message, note).text


@pytest.mark.parametrize("agent", ["Triage", "Bank", "Airline"])
def test_greeting_lists_what_the_customer_can_ask(ask: Ask, agent: str) -> None:
    assert ask(agent, "hello").text.startswith("Hello! I can help with:\n- ")
    assert ask(agent, "thanks!").text.startswith("You are welcome.")
    assert ask(agent, "what can you do?").text.startswith("Hello! I can help with:")


@pytest.mark.parametrize("agent", ["Triage", "Bank", "Airline"])
@pytest.mark.parametrize("message", ["write me a poem", "Wie hoch ist mein Kontostand?", "ok 123 ???"])
def test_message_without_rule_gets_the_stand_in_text(ask: Ask, agent: str, message: str) -> None:
    text = ask(agent, message).text
    assert text.startswith("I am a rule-based stand-in for a language model and cannot help with that")
    assert "OPENAI_API_KEY" in text


@pytest.mark.parametrize(
    "message", ["", " ", "???", "\x00", "💸" * 50, "{}", "(((", "a" * 1_000_000, "balance, " * 50_000]
)
@pytest.mark.parametrize("agent", ["Triage", "Bank", "Airline", "Unknown"])
def test_odd_and_huge_messages_get_a_reply(ask: Ask, agent: str, message: str) -> None:
    reply = ask(agent, message)
    assert reply.text or reply.calls


def test_reply_is_deterministic_and_respects_tool_choice(ask: Ask) -> None:
    message = "what is my balance, and which loans do I have?"
    assert ask("Bank", message) == ask("Bank", message)
    assert names(ask("Bank", message, parallel_tool_calls=False)) == ["get_balance"]
    assert not ask("Bank", message, tool_choice="none").calls


def test_summary_is_returned_when_no_functions_are_offered(ask: Ask) -> None:
    reply = ask("Unknown", "my bag is lost", instructions="Summarize the conversation.")
    assert reply.text == "The customer wrote: my bag is lost"

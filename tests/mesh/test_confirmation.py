"""Calls that need the customer's yes run only after it, exactly as shown, and once."""

import asyncio
from typing import Any

import pytest

from switchboard.session.consent import read_consent
from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.laboratory import LONG_MS, Laboratory

TO_PROBE = calls(("handoff_to_Probe", {"reason": "a payment"}))


def payment(to: str, amount: str = "12.50") -> tuple[str, Any]:
    return ("pay", {"to": to, "amount": amount})


def count_payments(laboratory: Laboratory, to: str, amount: str = "12.50") -> int:
    return laboratory.probed(f'paid {{"to":"{to}","amount":"{amount}"}}')


async def ask(laboratory: Laboratory, *steps: JSON, more: tuple[JSON, ...] = ()) -> tuple[Customer, JSON]:
    """Send a message that makes the probe agent ask for a yes. Returns the customer and the reply."""
    # After a yes, the confirmed calls take the first step. The model's reply to their results is the second.
    after_yes = [scene(text, says("never said"), says("it is done")) for text in ("yes", "Yes.")]
    await laboratory.model.plays(scene("pay", TO_PROBE, *steps), scene("pay again", *steps), *after_yes, *more)
    customer = laboratory.customer()
    answer = await customer.says("pay")
    assert answer.status == 200, answer
    return customer, answer.body


async def test_yes_runs_exactly_the_calls_that_were_shown(laboratory: Laboratory) -> None:
    name = f"exact-{laboratory.replays}"
    customer, reply = await ask(laboratory, calls(payment(name)))
    assert reply["text"] == f"Please confirm, with yes or no: Pay 12.50 EUR to {name}?"
    assert [call["tool"] for call in reply["confirmation"]["calls"]] == ["pay"]
    assert count_payments(laboratory, name) == 0
    answer = await customer.says("yes")
    assert (answer.text, answer.body["confirmation"]) == ("it is done", None)
    assert count_payments(laboratory, name) == 1


async def test_repeated_yes_runs_the_call_once(laboratory: Laboratory) -> None:
    name = f"twice-{laboratory.replays}"
    customer, reply = await ask(laboratory, calls(payment(name)))
    held_id = reply["confirmation"]["held_id"]
    answers = await asyncio.gather(*(customer.asks("confirm", held_id=held_id) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409]
    assert "This question is no longer open." in next(answer.text for answer in answers if answer.status == 409)
    assert count_payments(laboratory, name) == 1
    await customer.says("yes")
    assert count_payments(laboratory, name) == 1


async def test_no_runs_nothing(laboratory: Laboratory) -> None:
    name = f"declined-{laboratory.replays}"
    customer, reply = await ask(laboratory, calls(payment(name)))
    requests = len(await laboratory.model.requests(customer.session))
    answer = await customer.says("no, thanks")
    assert answer.text == "Okay, I won't do that."
    assert (await customer.asks("confirm", held_id=reply["confirmation"]["held_id"])).status == 409
    assert count_payments(laboratory, name) == 0
    assert len(await laboratory.model.requests(customer.session)) == requests


async def test_any_other_text_drops_the_calls_and_informs_the_model(laboratory: Laboratory) -> None:
    name = f"dropped-{laboratory.replays}"
    other = scene("yes, but what does it cost?", says("nothing"))
    customer, reply = await ask(laboratory, calls(payment(name)), more=(other,))
    answer = await customer.says("yes, but what does it cost?")
    assert answer.text == "nothing"
    assert (await customer.asks("confirm", held_id=reply["confirmation"]["held_id"])).status == 409
    assert count_payments(laboratory, name) == 0
    last_request = (await laboratory.model.requests(customer.session))[-1]
    result = [item["content"] for item in last_request["body"]["input"] if item.get("role") == "developer"]
    assert result == ["The customer did not confirm. These held calls were not made: pay."]


async def test_writes_are_confirmed_together_and_reads_run_immediately(laboratory: Laboratory) -> None:
    first, second = f"one-{laboratory.replays}", f"two-{laboratory.replays}"
    step = calls(payment(first), ("who_am_i", {}), payment(second, "7"))
    customer, reply = await ask(laboratory, step)
    assert reply["text"] == (f"Please confirm, with yes or no:\n- Pay 12.50 EUR to {first}?\n- Pay 7 EUR to {second}?")
    tools = [message for message in await customer.messages() if message["kind"] == "tool"][1:]
    assert "customer_id" in tools[1]["content"]
    assert (await customer.says("yes")).text == "it is done"
    assert (count_payments(laboratory, first), count_payments(laboratory, second, "7")) == (1, 1)


async def test_every_call_in_the_transcript_has_one_result(laboratory: Laboratory) -> None:
    customer, _ = await ask(laboratory, calls(payment(f"paired-{laboratory.replays}"), ("refuse", {})))
    await customer.says("yes")
    messages = await customer.messages()
    made = [call["call_id"] for message in messages if message["kind"] == "model" for call in message["calls"]]
    answered = [message["call_id"] for message in messages if message["kind"] == "tool"]
    assert sorted(made) == sorted(answered)
    assert len(set(answered)) == len(answered)


async def test_another_customer_cannot_confirm(laboratory: Laboratory) -> None:
    name = f"foreign-{laboratory.replays}"
    customer, reply = await ask(laboratory, calls(payment(name)))
    mallory = laboratory.customer("mallory", session=customer.session)
    assert (await mallory.asks("confirm", held_id=reply["confirmation"]["held_id"])).status == 403
    assert count_payments(laboratory, name) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", "yes"),
        (" Yes! ", "yes"),
        ("yes, please", "yes"),
        ("OK", "yes"),
        ("Ja", "yes"),
        ("no", "no"),
        ("No.", "no"),
        ("Don't", "no"),
        ("no, don't do it", None),
        ("yes, but to Carol", None),
        ("yes and no", None),
        ("not yes", None),
        ("yesterday", None),
        ("nobody", None),
        ("ok what is my balance", None),
        ("", None),
        ("👍", None),
        ("yes yes", None),
        ("yes?", None),
        ("ok?", None),
        ("👎 yes", None),
        ("<yes>", None),
        ("si", None),
    ],
)
def test_consent_requires_an_unambiguous_phrase(text: str, expected: str | None) -> None:
    assert read_consent(text) == expected


async def test_yes_written_before_the_question_does_not_count(laboratory: Laboratory) -> None:
    """The yes is queued while the turn that will ask the question is still running."""
    name = f"queued-{laboratory.replays}"
    held = calls(("hold", {"name": name}))
    await laboratory.model.plays(scene("pay", TO_PROBE, held, calls(payment(name))), scene("ok", says("what is ok?")))
    customer = laboratory.customer()
    question = asyncio.create_task(customer.says("pay"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    early = asyncio.create_task(customer.says("ok"))
    await laboratory.until(lambda: sent(laboratory, customer, 2))
    laboratory.release(name)
    assert (await question).body["confirmation"]
    assert (await early).text == "what is ok?"
    assert count_payments(laboratory, name) == 0


async def sent(laboratory: Laboratory, customer: Customer, count: int) -> bool:
    """Whether the session has got so many messages."""
    return len(await laboratory.invocations(customer.session, "send")) == count


Waiting = asyncio.Task[Answer]


async def queue_yes(laboratory: Laboratory, customer: Customer, seen: int | None) -> tuple[Waiting, Waiting]:
    """Send "and now?", and a yes while its turn runs. Returns the requests that wait for both answers."""
    before = len(await laboratory.model.requests(customer.session))
    running = asyncio.create_task(customer.says("and now?"))

    async def thinking() -> bool:
        return len(await laboratory.model.requests(customer.session)) > before

    await laboratory.until(thinking)
    yes = asyncio.create_task(customer.asks("send", text="yes", **({} if seen is None else {"seen": seen})))
    # The first message asked the question.
    await laboratory.until(lambda: sent(laboratory, customer, 3))
    assert not running.done(), "the yes was not queued"
    return running, yes


@pytest.mark.parametrize("asks", [True, False], ids=["running turn asks", "running turn answers"])
async def test_queued_yes_confirms_neither_an_older_question_nor_one_yet_to_come(
    laboratory: Laboratory, asks: bool
) -> None:
    """Whatever turn `seen` names: that of the older question, the running one, or none."""
    name = f"queued-{asks}-{laboratory.replays}"
    follow_up = calls(payment(name, "13.50")) if asks else says("Not yet paid.")
    held = scene("and now?", calls(("hold", {"name": name})), follow_up)
    first, reply = await ask(laboratory, calls(payment(name)), more=(held,))
    customers = [first, laboratory.customer(), laboratory.customer()]
    await asyncio.gather(*(customer.says("pay") for customer in customers[1:]))
    seen = (reply["turn"], reply["turn"] + 1, None)
    queued = await asyncio.gather(*(queue_yes(laboratory, *each) for each in zip(customers, seen, strict=True)))
    laboratory.release(name)
    answers = [(await running, await yes) for running, yes in queued]
    assert [bool(second.body["confirmation"]) for second, _ in answers] == [asks] * 3
    assert [yes.text for _, yes in answers] == ["never said"] * 3
    assert [count_payments(laboratory, name, amount) for amount in ("12.50", "13.50")] == [0, 0]


async def test_queued_yes_confirms_the_question_if_the_running_turn_is_cancelled(laboratory: Laboratory) -> None:
    """Nothing of the cancelled turn is stored, so the question is still the last thing that the customer has seen."""
    name = f"queued-cancelled-{laboratory.replays}"
    # Nothing ends this turn but its cancellation.
    endless = {**says("never said"), "latency_ms": LONG_MS}
    customer, reply = await ask(laboratory, calls(payment(name)), more=(scene("and now?", endless),))
    running, yes = await queue_yes(laboratory, customer, reply["turn"])
    _, current, _ = await laboratory.invocations(customer.session, "send")
    url = f"{laboratory.mesh.addresses.admin_url}/invocations/{current['id']}/cancel"
    async with laboratory.http.patch(url) as response:
        assert response.status in (200, 202)
    assert ((await running).status, (await yes).text) == (409, "it is done")
    assert count_payments(laboratory, name) == 1


async def test_yes_counts_only_if_the_question_was_seen(laboratory: Laboratory) -> None:
    name = f"seen-{laboratory.replays}"
    customer, reply = await ask(laboratory, calls(payment(name)), calls(payment(name)))
    assert (await customer.asks("send", text="yes", seen=reply["turn"] - 1)).text == "never said"
    assert count_payments(laboratory, name) == 0
    again = await customer.says("pay again")
    assert (await customer.asks("send", text="yes", seen=again.body["turn"])).text == "it is done"
    assert count_payments(laboratory, name) == 1


async def test_yes_after_a_notice_needs_an_explicit_confirmation(laboratory: Laboratory) -> None:
    name = f"notice-{laboratory.replays}"
    customer, reply = await ask(laboratory, calls(payment(name)))
    await notify(laboratory, customer, "Your loan was approved. Do you want to hear the terms?")
    assert (await customer.says("yes")).text == "never said"
    assert count_payments(laboratory, name) == 0

    other, reply = await ask(laboratory, calls(payment(name)))
    await notify(laboratory, other, "Your loan was approved.")
    assert (await other.asks("confirm", held_id=reply["confirmation"]["held_id"])).text == "it is done"
    assert count_payments(laboratory, name) == 1


async def notify(laboratory: Laboratory, customer: Customer, text: str) -> None:
    """Have a probe tool send the customer a notice, as a workflow would."""
    messenger = laboratory.customer(customer.customer_id)
    step = calls(("notify", {"to_session": customer.session, "text": text}))
    await laboratory.model.plays(
        scene("tell", TO_PROBE, step, says("told")),
        *[scene(word, says("never said"), says("it is done")) for word in ("yes", "Yes.")],
    )
    assert (await messenger.says("tell")).text == "told"


async def test_completed_payment_is_reported_when_the_model_is_down(laboratory: Laboratory) -> None:
    name = f"paid-then-down-{laboratory.replays}"
    customer, _ = await ask(laboratory, calls(payment(name)))
    await laboratory.model.fails({"kind": "http_401", "times": -1, "contains": "yes"})
    answer = await customer.says("yes")
    await laboratory.model.recovers()
    assert answer.body["failed"]
    assert "Done: make the payment. Please ask me for the current state before you ask for it again." in answer.text
    assert count_payments(laboratory, name) == 1

"""Calls that a tool checks: the customer is asked only for what can be done, and from facts; after the yes, again."""

import asyncio
from typing import Any
from uuid import uuid4

from switchboard.loop.decide import CHANGED
from switchboard.session.contract import SendMessage
from switchboard.session.state import OUTCOME_UNKNOWN
from switchboard.testing import JSON, Customer, calls, says, scene
from tests.laboratory import LONG_MS, Laboratory, told_exactly

TO_PROBE = calls(("handoff_to_Probe", {"reason": "a gift"}))


def gift(to: str, **more: Any) -> tuple[str, Any]:
    return ("give", {"to": to, "amount": "5", **more})


def given(laboratory: Laboratory, name: str, note: str = "") -> int:
    body = f'{{"to":"{name} Builder","amount":"5","note":"{note}","milliseconds":0}}'
    return laboratory.probed(f"gave {body}")


async def ask(laboratory: Laboratory, *steps: JSON) -> tuple[Customer, JSON]:
    """Send a message that makes the probe agent take these steps. Returns the customer and the reply."""
    after_yes = scene("yes", says("never said"), says("it is done"))
    await laboratory.model.plays(scene("give", TO_PROBE, *steps, says("that is not possible")), after_yes)
    customer = laboratory.customer()
    answer = await customer.says("give")
    assert answer.status == 200, answer
    return customer, answer.body


async def results(customer: Customer) -> list[JSON]:
    """Return the results of the probe agent's calls."""
    return [message for message in await customer.messages() if message["kind"] == "tool"][1:]


async def test_question_shows_the_facts_and_the_resolved_call_runs(laboratory: Laboratory) -> None:
    name = f"Ann{laboratory.replays}"
    call = gift(f"{name}\u200d\u202e", note='so\n"kind". Say yes to cancel')
    customer, reply = await ask(laboratory, calls(call))
    assert reply["text"] == (
        f"Please confirm, with yes or no: Give 5 EUR to {name} Builder in Mill Lane?"
        " Note: “so 'kind'. Say yes to cancel”"
    )
    assert given(laboratory, name, "so 'kind'. Say yes to cancel") == 0
    assert (await customer.says("yes")).text == "it is done"
    assert given(laboratory, name, "so 'kind'. Say yes to cancel") == 1
    # Checked before the question, and again with the resolved name before the call was made.
    assert (laboratory.probed(f"check {name}"), laboratory.probed(f"check {name} Builder")) >= (1, 1)


async def test_customer_is_not_asked_for_what_the_check_refuses(laboratory: Laboratory) -> None:
    name, stranger = f"Ben{laboratory.replays}", f"stranger{laboratory.replays}"
    customer, reply = await ask(laboratory, calls(gift(stranger)))
    assert (reply["text"], reply["confirmation"]) == ("that is not possible", None)
    assert [(one["ok"], one["content"]) for one in await results(customer)] == [(False, f"I know no {stranger}.")]

    step = calls(gift(stranger), ("who_am_i", {}), gift(name))
    customer, reply = await ask(laboratory, step)
    assert reply["text"].startswith(f"Please confirm, with yes or no: Give 5 EUR to {name} Builder")
    assert [one["outcome"] for one in await results(customer)] == ["known", "known", "held"]
    assert [one["ok"] for one in await results(customer)] == [False, True, False]
    await customer.says("yes")
    assert given(laboratory, name) == 1


async def test_call_is_not_made_if_its_facts_have_changed_since_the_question(laboratory: Laboratory) -> None:
    name = f"Cat{laboratory.replays}"
    customer, _ = await ask(laboratory, calls(gift(name)))
    with laboratory.probe_log.open("a") as log:
        log.write(f"moved {name}\n")
    assert (await customer.says("yes")).text == "it is done"  # The scripted model does not read results.
    assert (await results(customer))[-1]["content"] == CHANGED
    assert given(laboratory, name) == 0


async def test_interrupt_during_a_check_asks_and_does_nothing(laboratory: Laboratory) -> None:
    await told_exactly(lambda: interrupted_check(laboratory, f"Dan{uuid4().hex[:8]}"))


async def interrupted_check(laboratory: Laboratory, name: str) -> bool:
    """Interrupt a check. Returns whether its agent said in time that nothing was done."""
    await laboratory.model.plays(scene("give", TO_PROBE, calls(gift(name, milliseconds=LONG_MS))))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("give"))
    await laboratory.until(lambda: laboratory.probed(f"check {name}"))
    await customer.asks("interrupt")
    answer = await message
    assert (answer.body["interrupted"], answer.body["confirmation"]) == (True, None)
    assert "don't know" not in answer.text
    if OUTCOME_UNKNOWN in answer.text:
        return False
    assert [one["outcome"] for one in await results(customer)] == ["held"]
    return True


async def test_toolset_checks_before_it_asks(laboratory: Laboratory) -> None:
    customer, reply = await ask(laboratory, calls(("cancel_policy", {"number": "P-2"})))
    assert reply["confirmation"] is None
    assert (await results(customer))[-1]["content"] == "There is no policy P-2 that you could cancel."
    _, reply = await ask(laboratory, calls(("cancel_policy", {"number": "P-1"})))
    assert f"Cancel policy P-1 of {customer.customer_id}, with " in reply["text"]


async def test_session_reads_messages_without_hidden_characters(laboratory: Laboratory) -> None:
    text = "hi \u202ethere\x1b]0;owned\x07 👩‍👧"
    read = SendMessage(customer_id="alice", text=text).text
    assert read == "hi there]0;owned 👩‍👧"
    await laboratory.model.plays(scene(read, says("hello")))
    assert (await laboratory.customer().says(text)).text == "hello"

"""A remote A2A agent as an agent of the mesh: hand-offs, questions, long work, kills, and answers of all kinds."""

import asyncio
import json

import pytest

from switchboard.credentials import CREDENTIAL
from switchboard.testing import says, scene
from tests.remote.conftest import HANDS_BACK, TOKEN, Insured, said, turns, unique
from tests.stored import stored_in_tables


async def test_a_remote_agent_answers_through_the_agent_that_handed_over(insured: Insured) -> None:
    text = f"travel {unique()}"
    customer, answer = await insured.asks(text, says("you are insured"))
    assert (answer["text"], answer["agent"], answer["hand_offs"]) == (
        "you are insured",
        "Triage",
        ["Insurer", "Triage"],
    )
    result = await insured.result(customer)
    assert result == {"from": "Insurer", "answer": f"insured: {text}"}
    (heard,) = insured.heard(text)
    assert [part["text"] for part in heard["message"]["parts"]] == [
        text,
        "Note of the agent that hands over: travel insurance",
    ]
    assert heard["headers"]["authorization"] == f"Bearer {TOKEN}"
    # Nothing says who the customer is, and the token is in no journal.
    for secret in (customer.customer_id, customer.session):
        assert secret not in json.dumps(heard)
    repeated, _ = await insured.asks(f"repeats {text}", says("it repeats our token"))
    assert (await insured.result(repeated))["answer"] == f"you sent {CREDENTIAL}"
    stored = await stored_in_tables(insured.laboratory)
    assert text.encode() in stored
    assert TOKEN.encode() not in stored


async def test_a_remote_question_is_asked_and_answered(insured: Insured) -> None:
    name = unique()
    customer, asked = await insured.asks(f"asks {name}")
    assert (asked["text"], asked["agent"]) == ("Insurer asks: Which policy?", "Insurer")
    await insured.laboratory.model.plays(scene(f"policy {name}", HANDS_BACK, says("thank you")))
    answer = await said(customer, f"policy {name}")
    assert (answer["text"], answer["agent"]) == ("thank you", "Triage")
    first, second = (insured.heard(text)[0]["message"] for text in (f"asks {name}", f"policy {name}"))
    assert second["contextId"]
    assert second["taskId"] == first["taskId"]
    assert len(second["parts"]) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fails", "Insurer could not do it."),
        ("garbage text", "Insurer could not be used"),
        ("garbage no task", "Insurer could not be used"),
        ("garbage no id", "Insurer could not be used"),
        ("garbage an error", "Insurer could not be used"),
        ("garbage a redirect", "Insurer could not be used"),
        ("garbage 50 MB", "it answered with more than"),
        ("garbage compressed", "it sent a compressed answer"),
        ("garbage another id", "it answered another request"),
        ("garbage an unknown state", "Insurer could not be used"),
        ("garbage drips", "Insurer cannot be reached at the moment"),
        ("garbage silence", "Insurer cannot be reached at the moment"),
        ("signs in", "wants the customer to sign in there, which is not possible"),
    ],
)
async def test_an_unusable_answer_is_handed_back(insured: Insured, text: str, why: str) -> None:
    customer, answer = await insured.asks(text, says("I could not insure you"))
    assert (answer["text"], answer["agent"]) == ("I could not insure you", "Triage")
    assert why in (await insured.result(customer))["problem"]
    await insured.laboratory.model.plays(scene("hello", says("hi")))
    assert (await said(customer, "hello"))["text"] == "hi"


async def test_a_question_for_credentials_comes_with_a_warning(insured: Insured) -> None:
    _, asked = await insured.asks(f"phishes {unique()}")
    assert asked["text"] == (
        "Insurer asks: Please give me your password.\n"
        "(Please do not send passwords, PINs or codes. Insurer is not part of our service.)"
    )


async def test_a_task_that_is_completed_is_not_asked_about_again(insured: Insured) -> None:
    """Whatever the remote agent says about it later."""
    customer, answer = await insured.asks("garbage completed", says("you are insured"))
    assert answer["text"] == "you are insured"
    assert await insured.result(customer) == {"from": "Insurer", "answer": "insured"}


async def test_remote_words_are_bounded_and_marked(insured: Insured) -> None:
    customer, _ = await insured.asks(f"hostile {unique()}", says("strange"))
    answer = (await insured.result(customer))["answer"]
    assert len(answer.encode()) <= 6_200
    assert "\u202e" not in answer
    (result,) = (
        each
        for each in (await turns(customer))[-1]["messages"]
        if each["kind"] == "tool" and "Ignore your" in each["content"]
    )
    assert result["others_words"] == ["answer"]


async def test_a_long_task_holds_no_turn_and_its_answer_comes_later(insured: Insured) -> None:
    """The turn waits for some time; then the customer gets a message of its own, or is told that it took too long."""
    customer, answer = await insured.asks(f"hangs {unique()}", says("it takes a while"))
    assert answer["text"] == "it takes a while"
    assert "still working" in (await insured.result(customer))["state"]

    async def told() -> bool:
        last = (await turns(customer))[-1]["reply"]
        return "has not finished your request in time" in last

    await insured.laboratory.until(told)
    await insured.laboratory.until(lambda: insured.heard("canceled"))


async def test_an_answer_that_is_made_while_the_remote_agent_is_away_comes_later(insured: Insured) -> None:
    text = f"hides {unique()}"
    customer, answer = await insured.asks(text, says("it has your request"))
    insured.log.with_suffix(".hidden").unlink()
    assert answer["text"] == "it has your request"
    result = await insured.result(customer)
    assert "has the request, but cannot be reached" in result.get("state", ""), result

    async def told() -> bool:
        return f"Insurer has answered your request: done: {text}" in (await turns(customer))[-1]["reply"]

    await insured.laboratory.until(told)


async def test_an_interrupt_cancels_the_remote_task(insured: Insured) -> None:
    text = f"hangs {unique()}"
    before = len(insured.heard("canceled"))
    customer = insured.laboratory.customer()
    running = asyncio.create_task(insured.asks(text, says("never said"), customer=customer))
    await insured.laboratory.until(insured.waits)
    await customer.asks("interrupt")
    _, answer = await running
    assert answer["interrupted"]
    await insured.laboratory.until(lambda: len(insured.heard("canceled")) > before)


KILLED = ["agent", "restate", "insurer"]


@pytest.mark.parametrize("killed", KILLED)
async def test_a_kill_in_mid_work_loses_nothing(insured: Insured, killed: str) -> None:
    text = f"{'hangs' if killed == 'insurer' else 'works'} {unique()}"
    running = asyncio.create_task(insured.asks(text, says("done at last")))
    await insured.laboratory.until(lambda: insured.heard(text))
    if killed == "insurer":
        # Before that, the message would be sent again. And what it was working on has not ended.
        await insured.laboratory.until(insured.waits)
    process = {
        "agent": insured.agent,
        "restate": insured.laboratory.mesh.restate,
        "insurer": insured.insurer,
    }[killed]
    await process.kill()
    await process.start()
    customer, answer = await running
    assert answer["text"] == "done at last"
    result = await insured.result(customer)
    if killed == "insurer":
        # Its tasks are lost with its process.
        assert "Insurer c" in result.get("problem", "") or "cannot be reached" in result["state"]
    else:
        assert result["answer"] == f"done: {text}"
        assert len({each["message"]["messageId"] for each in insured.heard(text)}) == 1


async def test_a_remote_agent_that_is_away_is_handed_back(insured: Insured) -> None:
    await insured.insurer.kill()
    try:
        customer, answer = await insured.asks(f"travel {unique()}", says("not now"))
        assert answer["text"] == "not now"
        assert "cannot be reached" in (await insured.result(customer))["problem"]
    finally:
        await insured.insurer.start()


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ("another address", "it names another address on its agent card"),
        ("a redirect", "Insurer could not be used"),
        ("50 MB", "it answered with more than"),
        ("text", "Insurer could not be used"),
    ],
)
async def test_a_bad_card_gets_no_message_and_no_token(insured: Insured, shown: str, why: str) -> None:
    text = f"travel {unique()}"
    with insured.card(shown):
        customer, answer = await insured.asks(text, says("not now"))
    assert answer["text"] == "not now"
    assert why in (await insured.result(customer))["problem"]
    assert insured.heard(text) == []


async def test_a_card_that_changes_its_address_ends_the_work(insured: Insured) -> None:
    text = f"moves {unique()}"
    with insured.card(""):
        customer, answer = await insured.asks(text, says("not now"))
    assert answer["text"] == "not now"
    assert "it names another address on its agent card" in (await insured.result(customer))["problem"]

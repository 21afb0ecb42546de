"""Generated conversations do what plain models of the bank's and the airline's rules predict, also under kills.

The models share no code with the tools. A failure prints the shortest script that was found, as a test to paste here.
"""

import datetime as dt
import os
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.generated import model_of_bank
from tests.generated.model_of_bank import Bank
from tests.generated.outcomes import Mismatch
from tests.generated.runs import play, play_generated
from tests.generated.script import Asks, Call, Conversation, Kills, Yes
from tests.generated.stage import Stage, open_stage
from tests.laboratory import SOON, open_laboratory

CONVERSATIONS, STEPS, WITH_KILLS = 30, 4, 2
"""Of a normal run: its conversations, their steps at most, and the conversations during which processes are killed."""

MANY, MANY_WITH_KILLS = 1_000, 100
"""Conversations of each of the LONG_RUNS."""

LONG_RUNS = 10

SEED = int(os.environ.get("CONVERSATIONS_SEED", dt.datetime.now(dt.UTC).date().toordinal()))
"""Of the long runs: another one every day. A failure prints it."""


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("mesh")
    async with open_laboratory(folder, environment=SOON) as laboratory, open_stage(laboratory) as opened:
        yield opened


TRANSFER = {"recipient": "{payee}", "recipient_name": "Bob Brandt", "currency": "EUR", "reference": "{customer}"}


async def test_written_conversation_is_played(stage: Stage) -> None:
    transfer = Asks((Call("transfer_money", {**TRANSFER, "amount": "7.00"}),))
    too_much = Asks((Call("transfer_money", {**TRANSFER, "amount": "5000.01"}),))
    await play(stage, [Conversation("carol", (transfer, Yes(), Kills("tools"), transfer, Yes(), too_much))])


MOVE = {"source": "checking", "target": "savings", "amount": "7.00", "currency": "EUR"}


async def test_difference_of_a_cent_is_found_and_printed_as_a_test(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def richer(customer_id: str, **more: Any) -> Bank:
        bank = model_of_bank.carol(customer_id, **more)
        bank.accounts["savings"].balance += Decimal("0.01")
        return bank

    monkeypatch.setitem(model_of_bank.CUSTOMERS, "carol", richer)
    conversation = Conversation("carol", (Asks((Call("move_between_own_accounts", MOVE),)), Yes()))
    with pytest.raises(Mismatch) as wrong:
        await play(stage, [conversation, Conversation("erin", (Yes(),))])
    printed = str(wrong.value).partition("async def test_found_conversation(stage: Stage) -> None:")[2]
    assert repr(conversation.steps[0]) in printed
    assert "erin" not in printed


@pytest.mark.slow
async def test_wrong_limit_shrinks_to_one_message(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_of_bank, "TRANSFER_MAX", Decimal("4999.99"))
    with pytest.raises(Mismatch) as wrong:
        await play_generated(stage, MANY, 3, STEPS)
    printed = str(wrong.value).partition("async def test_found_conversation(stage: Stage) -> None:")[2]
    assert printed.count("Call(") == 1
    assert "'5000.00'" in printed


async def test_generated_conversations_do_what_the_models_predict(stage: Stage) -> None:
    await play_generated(stage, CONVERSATIONS, 1, STEPS)


async def test_generated_conversations_do_what_the_models_predict_under_kills(stage: Stage) -> None:
    await play_generated(stage, WITH_KILLS, 2, STEPS, kills=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(LONG_RUNS))
async def test_many_generated_conversations_do_what_the_models_predict(
    stage: Stage, number: int, record_testsuite_property: Callable[[str, object], None]
) -> None:
    run = SEED * LONG_RUNS + number
    await play_generated(stage, MANY - MANY_WITH_KILLS, run)
    await play_generated(stage, MANY_WITH_KILLS, run, kills=True)
    record_testsuite_property(f"conversations, run {number}", stage.counted())

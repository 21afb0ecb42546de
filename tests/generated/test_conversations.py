"""Generated conversations do what plain models of the bank's and the airline's rules predict, also under kills.

The models share no code with the tools. A failure prints the shortest script that was found, as a test to paste here.
"""

import datetime as dt
import os
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import Phase

from tests.generated import model_of_bank
from tests.generated.model_of_bank import Bank
from tests.generated.mutants import MUTANTS
from tests.generated.outcomes import Mismatch
from tests.generated.real_mesh import open_stage
from tests.generated.runs import play, play_generated, play_in_memory
from tests.generated.script import Asks, Call, Conversation, Kills, Yes
from tests.generated.stage import Stage
from tests.laboratory import SOON, open_laboratory

IN_MEMORY = int(os.environ.get("CONVERSATIONS", "40"))
"""Conversations in memory of a normal run. The workflow of pull requests plays 200."""

ON_A_MESH, WITH_KILLS = 10, 2
"""Conversations of a normal run on a real mesh, and on it while processes are killed."""

PARTS = 4
"""Messages and stories of a conversation of a normal run, at most. In memory they may be as long as in long runs."""

MANY_IN_MEMORY, MANY_ON_A_MESH, MANY_WITH_KILLS = 900, 50, 50
"""Conversations of each of the LONG_RUNS."""

LONG_RUNS = 10

SEED = int(os.environ.get("CONVERSATIONS_SEED", dt.datetime.now(dt.UTC).date().toordinal()))
"""Of the long runs: another one every day. A failure prints it."""


def slow(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow)


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
def test_wrong_limit_shrinks_to_a_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_of_bank, "TRANSFER_MAX", Decimal("4999.99"))
    with pytest.raises(Mismatch) as wrong:
        play_in_memory(MANY_IN_MEMORY, 3)
    printed = str(wrong.value).partition("async def test_found_conversation(stage: Stage) -> None:")[2]
    # A standing order has to be made before its amount can be changed.
    assert printed.count("Call(") <= 2
    assert "'5000.00'" in printed


def test_generated_conversations_in_memory_do_what_the_models_predict() -> None:
    # Hypothesis repeats some conversations, and one is empty.
    assert play_in_memory(IN_MEMORY, 1)["conversations"] > IN_MEMORY / 2


async def test_generated_conversations_do_what_the_models_predict(stage: Stage) -> None:
    await play_generated(stage, ON_A_MESH, 1, PARTS)


async def test_generated_conversations_do_what_the_models_predict_under_kills(stage: Stage) -> None:
    await play_generated(stage, WITH_KILLS, 2, PARTS, kills=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(LONG_RUNS))
def test_many_generated_conversations_in_memory_do_what_the_models_predict(
    number: int, record_testsuite_property: Callable[[str, object], None]
) -> None:
    counted = play_in_memory(MANY_IN_MEMORY, SEED * LONG_RUNS + number)
    record_testsuite_property(f"conversations in memory, run {number}", counted)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(LONG_RUNS))
async def test_many_generated_conversations_do_what_the_models_predict(
    stage: Stage, number: int, record_testsuite_property: Callable[[str, object], None]
) -> None:
    run = SEED * LONG_RUNS + number
    await play_generated(stage, MANY_ON_A_MESH, run)
    await play_generated(stage, MANY_WITH_KILLS, run, kills=True)
    record_testsuite_property(f"conversations on a mesh, run {number}", stage.counted())


QUICKLY_FOUND = ("a card is refunded twice over", "the balance that is told is stale")

MUTANT_CONVERSATIONS = 1_000
"""Within so many conversations each defect has to be found."""


@pytest.mark.parametrize("defect", [name if name in QUICKLY_FOUND else slow(name) for name in MUTANTS])
def test_defect_in_the_code_is_found(defect: str, record_testsuite_property: Callable[[str, object], None]) -> None:
    with MUTANTS[defect](), pytest.raises(Mismatch) as wrong:
        play_in_memory(MUTANT_CONVERSATIONS, 1, phases=(Phase.generate,))
    record_testsuite_property(f"conversations until it was found: {defect}", wrong.value.found_after)

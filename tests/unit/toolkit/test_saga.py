"""Sagas: which calls are sent, and in which order, on success and when a step is refused."""

from typing import Any

import pytest
import restate

from switchboard import NoInput, Tool
from switchboard.contract import Text
from switchboard.toolkit import saga as sagas
from switchboard.toolkit.saga import Saga


def tool(name: str) -> Tool[NoInput, Text]:
    return Tool(service="Shop", handler=name, purpose="A step.", input=NoInput, output=Text, internal=True)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls and sends in order; a call of `pay` is refused."""
    done: list[str] = []

    def start(ctx: Any, tool: Tool[NoInput, Text], request: NoInput, key: str | None = None) -> str:
        done.append(f"call {tool.handler}")
        return tool.handler

    async def gather(*calls: Any) -> None:
        return None

    async def read(tool: Tool[NoInput, Text], call: str) -> Text:
        if call == "vanish":
            raise restate.TerminalError("killed", status_code=409)
        if call == "pay":
            raise restate.TerminalError("Not enough money.", status_code=402)
        return Text(call)

    def send(ctx: Any, tool: Tool[NoInput, Text], request: NoInput, key: str | None = None) -> None:
        done.append(f"send {tool.handler}")

    monkeypatch.setattr(sagas, "start_call", start)
    monkeypatch.setattr(sagas, "read", read)
    monkeypatch.setattr(sagas, "send_tool", send)
    monkeypatch.setattr(restate, "gather", gather)
    return done


def context() -> Any:
    return None


async def order(saga: Saga, *steps: str) -> None:
    for name in steps:
        saga.undo_by(tool(f"undo_{name}"), NoInput())
        saga.settle_by(tool(f"settle_{name}"), NoInput())
        await saga.step(tool(name), NoInput())


async def test_saga_undoes_all_steps_last_first_when_a_step_is_refused(made: list[str]) -> None:
    with pytest.raises(restate.TerminalError) as raised, Saga(context(), "purchase 1", "Nothing was bought.") as saga:
        await order(saga, "reserve", "pay")
    assert (raised.value.message, raised.value.status_code) == ("Not enough money. Nothing was bought.", 402)
    assert made == ["call reserve", "call pay", "send undo_pay", "send undo_reserve"]


async def test_saga_keeps_the_refusals_text_when_otherwise_is_empty(made: list[str]) -> None:
    with pytest.raises(restate.TerminalError) as raised, Saga(context(), "purchase 1") as saga:
        await order(saga, "pay")
    assert raised.value.message == "Not enough money."


async def test_saga_that_was_undone_knows_the_outcome_of_a_killed_step(made: list[str]) -> None:
    with pytest.raises(restate.TerminalError) as raised, Saga(context(), "purchase 1", "Nothing was bought.") as saga:
        await order(saga, "vanish")
    assert (raised.value.message, raised.value.status_code) == ("It was interrupted. Nothing was bought.", 409)
    assert made == ["call vanish", "send undo_vanish"]


async def test_saga_settles_in_order_when_all_steps_succeed(made: list[str]) -> None:
    with Saga(context(), "purchase 1") as saga:
        await order(saga, "reserve", "ship")
    saga.settle()
    assert made == ["call reserve", "call ship", "send settle_reserve", "send settle_ship"]


async def test_saga_undoes_nothing_on_a_bug_because_restate_retries(made: list[str]) -> None:
    async def buy() -> None:
        with Saga(context(), "purchase 1") as saga:
            await order(saga, "reserve")
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        await buy()
    assert made == ["call reserve"]

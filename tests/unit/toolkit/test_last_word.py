"""Which error or result a cancelled handler gets from the tool that it has called."""

from typing import Any

import pytest
import restate

from switchboard import NoInput, Tool, call_tool
from switchboard.contract import Text
from switchboard.loop.call_report import OUTCOME_UNKNOWN, UNKNOWN
from switchboard.toolkit.rpc import start

CANCELLED = restate.TerminalError("cancelled", status_code=409)
REFUSED = restate.TerminalError("Not enough money.", status_code=402)
KILLED = restate.TerminalError("killed", status_code=409)


class Answer:
    """The future of a call that ends with a result or an error."""

    def __init__(self, ending: restate.TerminalError | None) -> None:
        self.ending = ending

    def __await__(self) -> Any:
        if self.ending is not None:
            raise self.ending
        yield from ()
        return b'"done"'


class Context:
    """A context whose waits are cancelled a number of times."""

    def __init__(self, cancellations: int, ending: restate.TerminalError | None) -> None:
        self.cancellations = cancellations
        self.ending = ending

    def generic_call(self, *_: Any, **__: Any) -> Answer:
        return Answer(self.ending)

    async def gather(self, *_: Any) -> None:
        if self.cancellations:
            self.cancellations -= 1
            raise CANCELLED


def tool(read_only: bool = False) -> Tool[NoInput, Text]:
    return Tool(
        service="Shop", handler="pay", purpose="Pay.", input=NoInput, output=Text, internal=True, read_only=read_only
    )


async def outcome(monkeypatch: pytest.MonkeyPatch, cancellations: int, ending: restate.TerminalError | None) -> Any:
    ctx: Any = Context(cancellations, ending)
    monkeypatch.setattr(restate, "gather", ctx.gather)
    try:
        return (await call_tool(ctx, tool(), NoInput())).root
    except restate.TerminalError as error:
        return error.message, error.status_code


@pytest.mark.parametrize("cancellations", [0, 1])
@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (None, "done"),
        (REFUSED, ("Not enough money.", 402)),
        (CANCELLED, ("cancelled", 409)),
        (KILLED, (UNKNOWN, OUTCOME_UNKNOWN)),
    ],
)
async def test_call_that_writes_has_the_last_word_after_a_cancellation(
    monkeypatch: pytest.MonkeyPatch, cancellations: int, ending: restate.TerminalError | None, expected: Any
) -> None:
    assert await outcome(monkeypatch, cancellations, ending) == expected


async def test_outcome_is_unknown_after_a_second_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await outcome(monkeypatch, 2, None) == (UNKNOWN, OUTCOME_UNKNOWN)


async def test_only_reads_are_started_without_waiting_for_them() -> None:
    ctx: Any = Context(0, None)
    assert isinstance(start(ctx, tool(read_only=True), NoInput()), Answer)
    with pytest.raises(ValueError, match=r"pay writes\. Call it with call_tool"):
        start(ctx, tool(), NoInput())

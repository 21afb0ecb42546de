"""What staff see of one turn: its record with costs, the refusals of tools, and a timeline while Restate keeps it."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from switchboard.messages import ModelReply, ToolResult
from switchboard.rule_numbers import rule_of
from switchboard.session.contract import TurnRecord
from switchboard.session.introspection import LOOKUP_FAILURES, Introspection
from switchboard.session.settings import SessionSettings
from switchboard.session.staff_contract import Refusal, TimedPart, Timeline
from switchboard.session.turn_trace import Span, read_turn
from switchboard.telemetry.logs import private

logger = logging.getLogger(__name__)

MILLISECOND = timedelta(milliseconds=1)

NOT_RECORDED = "This turn has no timeline: no message of a customer started it, or an older version answered it."
NO_LONGER_KEPT = "Restate no longer has the journal of this turn. It keeps a journal for a day."
NOT_READABLE = "The timeline cannot be read at the moment, because Restate's tables do not answer. Try again."


class _Rows(BaseModel):
    rows: list[dict[str, Any]]


class Inspector:
    """Reads the timelines of turns, and knows the prices of models."""

    def __init__(self, introspection: Introspection, settings: SessionSettings) -> None:
        self._introspection = introspection
        self.settings = settings

    async def timeline(self, record: TurnRecord) -> Timeline:
        """Return the timeline, or the reason why there is none."""
        if not record.invocation_id:
            return Timeline(note=NOT_RECORDED)
        try:
            turn = await read_turn(self._rows, record.invocation_id, set())
        except LOOKUP_FAILURES as error:
            logger.warning("cannot read the timeline of a turn: %s", private(error))
            return Timeline(note=NOT_READABLE)
        return Timeline(note=NO_LONGER_KEPT) if turn is None else timeline_of(turn, datetime.now(UTC))

    def costs(self, record: TurnRecord) -> tuple[Decimal, ...]:
        """Return the cost of each reply of a model, in the order of the record's messages."""
        return tuple(self.settings.cost(each) for each in record.messages if isinstance(each, ModelReply))

    async def _rows(self, sql: str) -> list[dict[str, Any]]:
        return _Rows.model_validate_json(await self._introspection.query(sql)).rows


def timeline_of(turn: Span, now: datetime) -> Timeline:
    """Return the parts of a turn, each after the one that called it."""

    def parts(span: Span, depth: int) -> Iterator[TimedPart]:
        yield TimedPart(
            kind=span.kind,
            name=span.name,
            depth=depth,
            state=span.state,
            start_ms=max((span.start - turn.start) // MILLISECOND, 0),
            took_ms=None if span.end is None else max((span.end - span.start) // MILLISECOND, 0),
            why=span.why,
        )
        for child in span.children:
            yield from parts(child, depth + 1)

    return Timeline(parts=tuple(parts(turn, 0)), took_ms=max(((turn.end or now) - turn.start) // MILLISECOND, 0))


def refusals(record: TurnRecord) -> tuple[Refusal, ...]:
    """Return the calls that a tool refused or that failed, with the rule that its text names."""
    tools = {call.call_id: call.tool for each in record.messages if isinstance(each, ModelReply) for call in each.calls}
    return tuple(
        Refusal(tool=tools.get(each.call_id, ""), rule=rule_of(each.content), text=each.content)
        for each in record.messages
        if isinstance(each, ToolResult) and not each.ok and each.outcome == "known"
    )

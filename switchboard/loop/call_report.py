"""Reports the outcome of a turn's calls to the customer, and gives a result to each call that has none. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from switchboard.agent import HANDOFF_PREFIX
from switchboard.messages import Message, ModelReply, ToolCall, ToolResult

UNKNOWN = "Interrupted. It is not known whether this was done. Find out before it is done again."

OUTCOME_UNKNOWN = 504
"""Status code of a tool's error that says that the tool cannot know whether its work was done."""

KILLED = "killed"
"""Restate's message for a call that an operator killed: it may have written by then."""


@dataclass(frozen=True)
class CallReport:
    """Labels of the calls of a turn that change something, grouped by outcome. Each label is listed once per outcome.

    Hand-offs, held calls and read-only calls are left out.
    """

    done: tuple[str, ...]
    failed: tuple[str, ...]
    unknown: tuple[str, ...]

    def sentence(self) -> str:
        """Return the report for the customer, or an empty string if no call was to change anything."""
        parts = [
            f"Done: {', '.join(self.done)}." if self.done else "",
            f"Not done: {', '.join(self.failed)}." if self.failed else "",
            f"I don't know whether this was done: {', '.join(self.unknown)}." if self.unknown else "",
        ]
        return " ".join(part for part in parts if part)


def report_calls(messages: Sequence[Message]) -> CallReport:
    """Group the calls of these messages by outcome."""
    done, failed, unknown = [], [], []
    for call, result in calls_and_results(messages):
        if call.read_only or call.tool.startswith(HANDOFF_PREFIX):
            continue
        if result is not None and result.outcome == "held":
            continue
        name = call.label or call.tool.replace("_", " ")
        if result is None or result.outcome == "unknown":
            unknown.append(name)
        elif result.ok:
            done.append(name)
        else:
            failed.append(name)
    return CallReport(once(done), once(failed), once(unknown))


def once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def close_open_calls(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same messages, with an UNKNOWN result behind each call that has none.

    A call without its result is an error at the model's endpoint, in every request that follows.
    """
    closed: list[Message] = []
    for message, open_calls in with_open_calls(messages):
        closed.append(message)
        closed += [unknown_result(call) for call in open_calls]
    return tuple(closed)


def is_outcome_unknown(status_code: int, message: str) -> bool:
    """Return whether a tool's error leaves open whether its work was done. All other errors say that it was not."""
    return status_code == OUTCOME_UNKNOWN or message == KILLED


def unknown_result(call: ToolCall) -> ToolResult:
    return ToolResult(call_id=call.call_id, ok=False, outcome="unknown", content=UNKNOWN)


def calls_and_results(messages: Sequence[Message]) -> Iterator[tuple[ToolCall, ToolResult | None]]:
    """Each call with its result. They are paired within a step: an endpoint may use an id again in a later one."""
    for index, message in enumerate(messages):
        if isinstance(message, ModelReply):
            results = results_after(messages, index)
            yield from ((call, results.get(call.call_id)) for call in message.calls)


def with_open_calls(messages: Sequence[Message]) -> Iterator[tuple[Message, tuple[ToolCall, ...]]]:
    """Each message; behind the last one of a step, the calls of that step that have no result."""
    open_calls: tuple[ToolCall, ...] = ()
    for index, message in enumerate(messages):
        if isinstance(message, ModelReply):
            results = results_after(messages, index)
            open_calls = tuple(call for call in message.calls if call.call_id not in results)
        step_ends = index + 1 == len(messages) or not isinstance(messages[index + 1], ToolResult)
        yield message, open_calls if step_ends else ()
        if step_ends:
            open_calls = ()


def results_after(messages: Sequence[Message], index: int) -> dict[str, ToolResult]:
    """The results that follow a model's reply directly, by the call that they answer."""
    results: dict[str, ToolResult] = {}
    for message in messages[index + 1 :]:
        if not isinstance(message, ToolResult):
            break
        results[message.call_id] = message
    return results

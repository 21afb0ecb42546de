"""What a stream of A2A shows of a task's turn."""

from typing import Any, cast

from a2a.types import TaskStatusUpdateEvent

from switchboard.events import AgentStarted, Numbered
from switchboard.gateway.a2a.streams import Watched
from switchboard.gateway.a2a.tasks import Tasks
from switchboard.session.a2a import TaskName

NO_TASKS = cast(Tasks, None)


def started(turn: int, seq: int, agent: str) -> Numbered:
    return Numbered(turn=turn, seq=seq, event=AgentStarted(agent=agent))


def agents(shown: Any) -> list[str]:
    return [str(event.metadata["agent"]) for event in shown if isinstance(event, TaskStatusUpdateEvent)]


def test_events_before_the_tasks_turn_is_known_are_shown_once_it_is() -> None:
    watched = Watched(NO_TASKS, TaskName("s", "t"), None, 0)
    assert agents(watched._show_known(started(1, 1, "Triage"))) == []
    watched._turn = 1
    assert agents(watched._show_known(started(1, 2, "Bank"))) == ["Triage", "Bank"]
    assert agents(watched._show_known(started(2, 1, "Airline"))) == []

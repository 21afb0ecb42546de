"""Looks up tasks. Nothing about a task is kept here: any gateway reads it from the session, or from Restate."""

from datetime import UTC, datetime

from a2a.types import Task
from a2a.utils.errors import TaskNotFoundError
from google.protobuf.json_format import ParseDict

from switchboard.gateway.a2a.incoming import NO_TASK, key_of
from switchboard.gateway.identity import Caller
from switchboard.gateway.problems import Problem
from switchboard.gateway.sessions import Found, SessionClient
from switchboard.session.a2a import TaskName, submitted, task_json
from switchboard.session.contract import SessionTask, TaskRequest

HIDDEN = (403, 404, 410)
"""Statuses of a session that has no such task for this customer. An error does not tell them apart."""


class Tasks:
    """The tasks in the sessions of one caller's customer."""

    def __init__(self, session_client: SessionClient, caller: Caller) -> None:
        self._sessions = session_client
        self._caller = caller

    async def read(self, name: TaskName) -> "TaskView":
        """Return a task as it is now. Raises TaskNotFoundError, and Problem if there is no answer."""
        task = await self._recorded(name)
        if task is not None:
            return TaskView(name, task)
        found = await self._sessions.find(self._caller, name.session_id, "send", key_of(name.task))
        if found is Found.ANSWERED and (task := await self._recorded(name)):
            return TaskView(name, task)
        if found in (Found.PENDING, Found.FAILED):
            return TaskView(name, failed=found is Found.FAILED)
        raise TaskNotFoundError(NO_TASK)

    async def _recorded(self, name: TaskName) -> SessionTask | None:
        caller = self._caller
        wanted = TaskRequest(customer_id=caller.customer_id, signed_in=caller.signed_in, task=name.task)
        try:
            return SessionTask.model_validate_json(await self._sessions.read(name.session_id, "task", wanted))
        except Problem as problem:
            if problem.status in HIDDEN:
                return None
            raise


class TaskView:
    """A task as it was read. Without `task`, its message waits for its turn, or has `failed` without one."""

    def __init__(self, name: TaskName, task: SessionTask | None = None, failed: bool = False) -> None:
        self.task = task
        shown = submitted(name, failed) if task is None else task_json(name, task, datetime.now(UTC))
        self.proto = Task()
        ParseDict(shown, self.proto)
        self.state: str = shown["status"]["state"]

    @property
    def turn(self) -> int:
        """The number of its running turn, or of its last one; 0 before the first one."""
        if self.task is None:
            return 0
        return self.task.running.turn if self.task.running is not None else self.task.turns[-1].turn

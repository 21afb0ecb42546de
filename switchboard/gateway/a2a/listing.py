"""Lists the tasks of one context. A task stands at its last turn, newest first."""

from collections.abc import Callable

from a2a.types import ListTasksRequest, ListTasksResponse, TaskState
from a2a.utils.errors import InvalidParamsError
from a2a.utils.task import apply_history_length, validate_page_size

from switchboard.gateway.a2a.tasks import Tasks
from switchboard.gateway.identity import Caller
from switchboard.gateway.problems import Problem
from switchboard.gateway.sessions import SessionClient
from switchboard.session.a2a import TaskName
from switchboard.session.contract import TRANSCRIPT_PAGE_MAX_TURNS, Transcript, TranscriptRequest, session_id

PAGE_SIZE = 50

CONTEXT_NEEDED = "Tasks are listed by context. Send a contextId."
TOKEN_INVALID = "The pageToken is not one of this list. Send the nextPageToken of the page before, or none."


async def list_tasks(
    params: ListTasksRequest, sessions: SessionClient, caller: Caller, own: Callable[[TaskName], TaskName], tasks: Tasks
) -> ListTasksResponse:
    """Return a page of the tasks of a context. Raises A2AError and Problem."""
    context = context_of(params)
    own(TaskName(context, ""))
    size = params.page_size if params.HasField("page_size") else PAGE_SIZE
    validate_page_size(size)
    last_turns = await turns_of_tasks(sessions, caller, context)
    before = read_token(params.page_token)
    left = [task for task, turn in sorted(last_turns.items(), key=lambda each: -each[1]) if turn < before]
    page = ListTasksResponse(page_size=size, total_size=len(last_turns))
    for task in left:
        if len(page.tasks) == size:
            page.next_page_token = str(last_turns[left[left.index(task) - 1]])
            break
        shown = (await tasks.read(TaskName(context, task))).proto
        since = params.status_timestamp_after
        if params.status not in (TaskState.TASK_STATE_UNSPECIFIED, shown.status.state) or (
            params.HasField("status_timestamp_after") and shown.status.timestamp.ToNanoseconds() < since.ToNanoseconds()
        ):
            continue
        page.tasks.append(apply_history_length(shown, params))
    return page


def context_of(params: ListTasksRequest) -> str:
    if not params.context_id:
        raise InvalidParamsError(CONTEXT_NEEDED)
    try:
        return session_id(params.context_id)
    except ValueError as error:
        raise InvalidParamsError(f"The contextId {error}.") from error


def read_token(token: str) -> int:
    if token and not token.isdecimal():
        raise InvalidParamsError(TOKEN_INVALID)
    return int(token) if token else 1_000_000_000


async def turns_of_tasks(sessions: SessionClient, caller: Caller, context: str) -> dict[str, int]:
    """Return the last turn of each task that has one. A context without messages has no tasks."""
    found: dict[str, int] = {}
    after, total = 0, 1
    while after < total:
        wanted = TranscriptRequest(
            customer_id=caller.customer_id, signed_in=caller.signed_in, after=after, limit=TRANSCRIPT_PAGE_MAX_TURNS
        )
        try:
            page = Transcript.model_validate_json(await sessions.read(context, "transcript", wanted))
        except Problem as problem:
            if problem.code == "session_unknown":
                return found
            raise
        found.update({task: record.turn for record in page.turns for task in record.tasks})
        if not page.turns:
            break
        after, total = page.turns[-1].turn, page.turns_total
    return found

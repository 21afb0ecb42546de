"""Public API of the Session object, the only part of the mesh that customers can reach."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from switchboard.contract import SUBJECT_MAX_CHARS
from switchboard.messages import Card, Confirmation, Message, Note, Notice, Usage, WireModel, added_later
from switchboard.text import PlainText, message_text

SESSION = "Session"

AGENT_LIST = "AgentList"
"""The service that tells the gateway which agents there are."""

MESSAGE_MAX_BYTES = 8 * 1024
TRANSCRIPT_PAGE_MAX_TURNS = 50
TRANSCRIPT_PAGE_MAX_BYTES = 1024 * 1024
"""A page ends with the turn that exceeds this size. The next page starts after that turn."""

TURNS_MAX = 999_999
"""The largest number of a turn that state keys have digits for."""

SESSION_ID = r"[A-Za-z0-9._-]{1,64}"
INVALID_SESSION_ID = (
    "is not a valid session id: use 1 to 64 letters, digits, '.', '_' or '-', but not '.' or '..' alone"
)

DOT_SEGMENTS = (".", "..")
"""Invalid as session ids: clients and proxies remove them from a URL's path, which would address another session."""


def session_id(text: str) -> str:
    """Return `text` if it is a valid session id. Raises ValueError."""
    if text in DOT_SEGMENTS or not re.fullmatch(SESSION_ID, text):
        raise ValueError(INVALID_SESSION_ID)
    return text


# Refusals that customers see. Each means that nothing was changed. The gateway recognises them by their text, and hides
# the text of any other 409 or 503.
NO_AGENTS = "Our agents are temporarily unavailable. No changes were made; please send your message again in a minute."
QUESTION_CLOSED = "This question is no longer open. It was already confirmed, declined or dropped."
QUESTION_EXPIRED = "This question has expired and no changes were made. Please send your request again."

OTHER_CUSTOMERS_SESSION = "This session belongs to another customer. Start one of your own."

TURN_UNKNOWN = "This session has no such turn with a reply that can be rated."

TASK_UNKNOWN = "This session has no such task."
TASK_OVER = "This task has no open question. Send your message without a task, to start a new one."

SESSION_EXPIRED = "This conversation has expired because it was not used for a long time. Please start a new one."

RETRY_IN_SECONDS = "Please try again in {seconds} seconds."
RETRY_TOMORROW = "Please try again after midnight UTC."

LIMIT_REFUSALS = {
    "turns": "You already have as many requests in progress as are allowed at once. " + RETRY_IN_SECONDS,
    "minute": "You have sent too many messages in a short time. " + RETRY_IN_SECONDS,
    "sessions": "You have started as many new conversations as are allowed in a day. " + RETRY_TOMORROW,
    "day": "You have reached your usage limit for today. " + RETRY_TOMORROW,
}
"""By the customer's limit that a message would exceed. Nothing was done; the same message may be sent again later."""


def check_text(text: str) -> str:
    """Return the text without hidden and control characters; see `switchboard.text.message_text`.

    Raises ValueError if it is then empty or longer than MESSAGE_MAX_BYTES.
    """
    text = message_text(text)
    if not text.strip():
        raise ValueError("is empty; please write what you need")
    size = len(text.encode(errors="surrogatepass"))
    if size > MESSAGE_MAX_BYTES:
        raise ValueError(
            f"is {size} bytes long, but the limit is {MESSAGE_MAX_BYTES}; please split it into several messages"
        )
    return text


SUBJECT = rf"^[A-Za-z0-9._@|:+=~-]{{1,{SUBJECT_MAX_CHARS}}}$"
"""Subjects of identity providers, such as `auth0|507f1f77`, `f:2f6a…:ada` and `ada+shop@example.com`.

No slash: it separates the parts of idempotency keys. No quote: operators paste ids into SQL queries.
"""

SUBJECT_RULE = f"1 to {SUBJECT_MAX_CHARS} letters, digits, '.', '_', '@', '|', ':', '+', '=', '~' or '-'"

CustomerId = Annotated[str, Field(pattern=SUBJECT, description="The customer's id at the identity provider.")]


class CustomerRequest(WireModel):
    """Names the customer who sends the request. A session answers only its own customer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customer_id: CustomerId
    signed_in: bool = Field(
        True,
        description="Whether the edge has authenticated the customer. If not, tools show and change none of the "
        "customer's data until the customer is verified.",
    )


TaskId = Annotated[str, Field(pattern=r"^([A-Za-z0-9_-]{22})?$")]
"""The part of a task's id that is unique in its session; empty for a message that belongs to none."""


class SendMessage(CustomerRequest):
    """One message from a customer.

    `task` is the task of another agent that the message starts, or continues if `continues`. Only a message to the
    task's open question can continue it.
    """

    text: Annotated[str, AfterValidator(check_text), Field(description="The message, at most 8 KiB.")]
    seen: int | None = Field(
        None,
        ge=0,
        description="The last turn that the customer had seen when writing this. A yes confirms only a question in it.",
    )
    task: TaskId = added_later("")
    continues: bool = added_later(False)


class ClaimedKey(WireModel):
    """Digest of the first request with an idempotency key. Detects reuse of the key for another request."""

    digest: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the handler's name and its input.")


class SendReply(WireModel):
    """The reply to a customer's message."""

    text: str
    agent: str = Field(description="The agent that answered.")
    turn: int = Field(description="The message's number in the session, from 1.")
    hand_offs: tuple[str, ...] = Field(description="The agents that the conversation was handed to, in order.")
    failed: bool = Field(description="True when the text is an apology instead of an answer.")
    interrupted: bool = Field(False, description="True when the turn was stopped before it was finished.")
    confirmation: Confirmation | None = Field(None, description="Set when the text asks the customer to confirm.")
    trace_id: str = Field("", description="Trace id of this message, in hexadecimal, for troubleshooting.")
    staffed: bool = Field(
        False,
        description="True while a member of staff answers in this session. Their messages are in the transcript.",
        exclude_if=lambda value: value is False,
    )


class HeldDecision(CustomerRequest):
    """The customer's yes or no to the `confirmation` of a reply."""

    held_id: str


class Interruption(WireModel):
    """`interrupted` is False when no turn was running."""

    interrupted: bool


class Notification(CustomerRequest):
    """A message that the mesh sends unprompted, such as the outcome of an approval or a reminder."""

    text: Annotated[str, AfterValidator(check_text)]


class TranscriptRequest(CustomerRequest):
    """Requests a page of the transcript, oldest turn first: at most `limit` turns after turn number `after`."""

    after: int = Field(0, ge=0)
    limit: int = Field(20, ge=1, le=TRANSCRIPT_PAGE_MAX_TURNS)


RATING_COMMENT_MAX_CHARS = 1_000


class Rating(WireModel):
    """A customer's rating of a reply."""

    rating: Literal["up", "down"]
    comment: str = ""
    at: datetime


class RateTurn(CustomerRequest):
    """Rates the reply of a turn, again if it was rated before."""

    turn: int = Field(ge=1, le=TURNS_MAX)
    rating: Literal["up", "down"]
    comment: Annotated[str, PlainText(RATING_COMMENT_MAX_CHARS, lines=True)] = ""


class Rated(WireModel):
    """The rating that a turn has from now on."""

    turn: int
    rating: Rating


STAFF_MEMBER = "staff"
"""What customers see instead of the name of a staff member."""

Act = Literal["", "taken_over", "handed_back", "note"]


class TurnRecord(WireModel):
    """One message with everything that happened until its reply. Written once, when the reply is known.

    Each act of staff is a turn of its own, without agents:
    - `by` without `act`: a staff member wrote `reply` to the customer. `messages` is one Notice with the same `by`.
    - `taken_over`: from here on `by` answers in the agents' place. `reply` tells the customer.
    - `handed_back`: from here on the agents answer. `by` is the staff member who handed back, or empty if the staff
      member was silent for too long. `reply` tells the customer. The Note in `messages` is for the agents; `note` is
      the staff member's part of it.
    - `note`: `by` wrote `note` for colleagues. Customers never see this turn; see `for_customers`.
    While a staff member answers, a customer's message is a turn with one UserText, without agents and without `by`;
    its `reply` says that a staff member will answer.
    """

    turn: int
    at: datetime
    agents: tuple[str, ...]
    messages: tuple[Message, ...]
    reply: str
    failed: bool = False
    interrupted: bool = False
    usage: Usage = Usage()
    by: str = added_later("")
    act: Act = added_later("")
    note: str = added_later("")
    trace_id: str = added_later("")
    """Trace id of the message, in hexadecimal; empty in older records and in messages of the mesh."""

    invocation_id: str = added_later("")
    """Restate's id of the invocation that answered the message; empty in older records and in messages of the mesh."""

    rating: Rating | None = added_later(None)
    """The customer's rating. It is stored apart from the record, and read with it."""

    tasks: tuple[str, ...] = added_later(())
    """Tasks of other agents that the message belongs to."""

    def for_customers(self) -> "TurnRecord | None":
        """Return the record as its customer may see it: without names of staff and Restate's ids.

        None if it is not for customers.
        """
        if self.act == "note":
            return None
        if not self.by and self.act != "handed_back":
            return self.model_copy(update={"invocation_id": ""})
        messages = tuple(
            message.model_copy(update={"by": STAFF_MEMBER}) if isinstance(message, Notice) and message.by else message
            for message in self.messages
            if not (self.act and isinstance(message, Note))
        )
        by = STAFF_MEMBER if self.by else ""
        return self.model_copy(update={"by": by, "messages": messages, "invocation_id": "", "note": ""})


class Transcript(WireModel):
    """A page of turns. More follow if `last` is less than `turns_total`: for the next page, set `after` to `last`.

    A page may be empty although more follow, because customers do not see all turns. Older sessions leave `last` at 0.
    """

    turns: tuple[TurnRecord, ...]
    turns_total: int
    last: int = added_later(0)

    def end(self, after: int) -> int:
        """Return the last turn that this page, which was asked for after turn number `after`, has covered."""
        return self.last or (self.turns[-1].turn if self.turns else max(self.turns_total, after))


class RunningCall(WireModel):
    """One invocation that belongs to the running turn, as Restate reports it."""

    target: str
    status: str
    since: datetime


class RunningTurn(WireModel):
    """The message that is being answered, with its calls in flight."""

    since: datetime
    calls: tuple[RunningCall, ...]


class EventsRequest(CustomerRequest):
    """Requests the records from which the events after turn number `after` follow: at most `limit` turns."""

    after: int = Field(0, ge=0)
    limit: int = Field(20, ge=0, le=TRANSCRIPT_PAGE_MAX_TURNS)


class RunningMessage(WireModel):
    """The message that is being answered. `run` is the id of its events: see `switchboard.events.Told`."""

    turn: int
    run: str
    since: datetime


class EventsPage(WireModel):
    """Records of turns, and the state of the session. See `switchboard.session.turn_events`.

    A page ends as a page of the transcript does, with turn number `last`; there are `turns_total` turns. It leaves out
    turns that are not for customers, unless it is for staff. `runs` are the ids of the turns' runs, by turn; older
    records have none. `confirmation` is the open question, and `asked_in` the turn that asked it. `running` is the
    message that is being answered, if there is one: every turn that had begun when the page was read is either it or
    among the `turns_total` turns. `session_id` is set on pages for staff, who may ask by the public part of an id. It
    is the whole id, which the gateway needs to follow the session and does not show.
    """

    customer_id: str
    signed_in: bool
    turns: tuple[TurnRecord, ...]
    last: int
    turns_total: int
    runs: dict[int, str] = Field(default_factory=dict)
    confirmation: Confirmation | None = None
    asked_in: int = 0
    running: RunningMessage | None = None
    session_id: str = added_later("")


class TaskRequest(CustomerRequest):
    """Requests a task by its id in the session."""

    task: TaskId


class TaskTurns(WireModel):
    """A task's turns so far, by number. `asked` if the last one ended in a question."""

    turns: tuple[int, ...]
    asked: bool = False


class SessionTask(WireModel):
    """A task of another agent: one message, and the answers to the questions that it led to.

    `turns` are its records so far. `asked` if the last one ended in a question; `confirmation` while it is open.
    `running` is the task's message that is being answered, if there is one.
    """

    turns: tuple[TurnRecord, ...]
    asked: bool = False
    confirmation: Confirmation | None = None
    running: RunningMessage | None = None


class AgentsRequest(WireModel):
    """Requests all agents."""


class Agents(WireModel):
    """All agents, sorted by name."""

    cards: tuple[Card, ...]


class AgentSpending(WireModel):
    """Usage and cost of one agent's model calls. The cost is 0 for models without a price."""

    agent: str
    usage: Usage
    cost: Decimal


class Staffed(WireModel):
    """A staff member answers in the agents' place. Customers see STAFF_MEMBER in `by`."""

    by: str
    since: datetime
    waiting_since: datetime | None = Field(
        None, description="Time of the oldest message of the customer that the staff member has not answered."
    )


class SessionStatus(WireModel):
    """State of a session. Available at any time, also while a turn runs."""

    session_id: str
    customer_id: str
    signed_in: bool = True
    active_agent: str
    turns_total: int
    running: RunningTurn | None
    confirmation: Confirmation | None
    spending: tuple[AgentSpending, ...]
    cost: Decimal
    budget: Decimal
    currency: str
    staff: Staffed | None = added_later(None)

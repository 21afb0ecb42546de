"""What the gateway does for each method of A2A. A message is one to a session, and a task is read from its session."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from datetime import timedelta
from functools import partial

from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.request_handlers.request_handler import RequestHandler, validate_request_params
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTaskPushNotificationConfigsResponse,
    ListTasksRequest,
    ListTasksResponse,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
)
from a2a.utils.errors import (
    ExtendedAgentCardNotConfiguredError,
    InternalError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.task import apply_history_length, validate_history_length
from fastapi import Request

from switchboard.gateway.a2a.errors import a2a_errors
from switchboard.gateway.a2a.incoming import NO_TASK, Incoming, read_message, task_name
from switchboard.gateway.a2a.listing import list_tasks
from switchboard.gateway.a2a.push import PushConfigStore
from switchboard.gateway.a2a.streams import follow
from switchboard.gateway.a2a.tasks import Tasks, TaskView
from switchboard.gateway.api import CALLER, caller_in, validated_text
from switchboard.gateway.contract import complete_characters
from switchboard.gateway.event_streams import never
from switchboard.gateway.identity import Caller
from switchboard.gateway.places import Places
from switchboard.gateway.problems import Problem
from switchboard.gateway.sessions import ClientDisconnected, Receive, SessionClient
from switchboard.messages import WireModel
from switchboard.session.a2a import INPUT_REQUIRED, SUBMITTED, TERMINAL, WORKING, TaskName
from switchboard.session.contract import CustomerRequest, HeldDecision, SendMessage
from switchboard.session_ids import may_use

REQUEST = "request"
"""Entry of a call's state that holds the HTTP request."""

CANCELED_WITHIN = timedelta(seconds=5)
"""How long a cancel waits for the turn to end. After that the task is shown as it is, and ends a moment later."""

FIRST_LOOK, LAST_LOOK = timedelta(milliseconds=50), timedelta(seconds=1)
"""Pauses between looks at a task that is being cancelled. They double each time."""

OVER = "This task has ended, so nothing more happens in it. Read it with GetTask."
ENDED = "This task has ended. Send a new message without taskId."
NOT_YET = "The message waits behind another one of its context, so it cannot be canceled yet."
LEFT = "The client left before the reply. Send the same message again to get it."


class Customer:
    """One request of a customer's agent: who calls, and the parts of the gateway that it needs."""

    def __init__(self, call: ServerCallContext) -> None:
        self.request: Request = call.state[REQUEST]
        self.caller: Caller = self.request.scope[CALLER]
        self.sessions: SessionClient = self.request.app.state.session_client
        self.places: Places = self.request.app.state.places
        self.tasks = Tasks(self.sessions, self.caller)

    def own(self, name: TaskName) -> TaskName:
        """Return the task's name. Raises Problem 403 for a session id that the caller cannot use."""
        caller_in(self.request, name.session_id)
        return name

    def own_task(self, task_id: str) -> TaskName:
        """Return the task's name. Raises TaskNotFoundError if another customer's context has it."""
        name = task_name(task_id)
        if not may_use(name.session_id, self.caller.standing):
            raise TaskNotFoundError(NO_TASK)
        return self.own(name)

    async def existing(self, task_id: str) -> TaskName:
        """Return the name of a task. Raises TaskNotFoundError if the customer has no such task."""
        name = self.own_task(task_id)
        await self.tasks.read(name)
        return name

    async def incoming(self, params: SendMessageRequest) -> Incoming:
        """Return the message. Raises A2AError if its task does not exist."""
        validate_history_length(params.configuration)
        incoming = read_message(params.message, self.caller, self.request.app.state.speaker)
        if incoming.continues:
            await self.existing(str(incoming.name))
        self.own(incoming.name)
        return incoming

    async def deliver(
        self, incoming: Incoming, receive: Receive, on_submitted: Callable[[str], None] = lambda _: None
    ) -> None:
        """Submit the message, and wait for its reply. A repeated message is submitted only once."""
        handler, payload = self.asked(incoming)
        session_id, key = incoming.name.session_id, incoming.key
        await self.sessions.deliver(
            self.caller, session_id, handler, payload, key, receive, on_submitted, findable=True
        )

    def asked(self, incoming: Incoming) -> tuple[str, WireModel]:
        """Return the session's handler and its input. Raises Problem."""
        who = {"customer_id": self.caller.customer_id, "signed_in": self.caller.signed_in}
        if incoming.answer is not None:
            handler = "confirm" if incoming.answer.confirmed else "decline"
            return handler, HeldDecision(held_id=incoming.answer.held_id, **who)
        try:
            text = validated_text(complete_characters(incoming.text))
        except ValueError as error:
            raise Problem(400, "request_invalid", f"The message {error}.") from error
        return "send", SendMessage(text=text, task=incoming.name.task, continues=incoming.continues, **who)

    async def submit(self, incoming: Incoming) -> None:
        """Submit the message, and do not wait for its reply."""
        submitted = asyncio.Event()
        delivery = asyncio.ensure_future(self.deliver(incoming, never, lambda _: submitted.set()))
        accepted = asyncio.ensure_future(submitted.wait())
        try:
            await asyncio.wait({delivery, accepted}, return_when=asyncio.FIRST_COMPLETED)
            if delivery.done():
                delivery.result()
        finally:
            delivery.cancel()
            accepted.cancel()

    async def cancel(self, name: TaskName, view: TaskView) -> TaskView:
        """Stop the running turn of a task, or decline its question."""
        who = {"customer_id": self.caller.customer_id, "signed_in": self.caller.signed_in}
        if view.state == WORKING:
            key = f"a2a-cancel-{name.task}-{view.turn}"
            await self.sessions.call(self.caller, name.session_id, "interrupt", CustomerRequest(**who), key)
            return await self.until_ended(name)
        assert view.task is not None
        assert view.task.confirmation is not None
        held_id = view.task.confirmation.held_id
        decision = HeldDecision(held_id=held_id, **who)
        await self.sessions.deliver(
            self.caller, name.session_id, "decline", decision, f"a2a-cancel-{held_id}", never, findable=True
        )
        return await self.tasks.read(name)

    async def until_ended(self, name: TaskName) -> TaskView:
        """Return the task when it no longer works, or after CANCELED_WITHIN as it is then."""
        pause = FIRST_LOOK
        with suppress(TimeoutError):
            async with asyncio.timeout(CANCELED_WITHIN.total_seconds()):
                while (await self.tasks.read(name)).state == WORKING:
                    await asyncio.sleep(pause.total_seconds())
                    pause = min(2 * pause, LAST_LOOK)
        return await self.tasks.read(name)


class MeshRequests(RequestHandler):
    """Answers A2A requests from the sessions of the mesh. `push` keeps who is told about tasks."""

    def __init__(self, push: PushConfigStore) -> None:
        self._push = push

    async def _tell(self, customer: Customer, incoming: Incoming, params: SendMessageRequest) -> None:
        """Keep the address that comes with a message, before its turn can end. Raises A2AError."""
        if params.configuration.HasField("task_push_notification_config"):
            await self._push.set(customer.caller, incoming.name, params.configuration.task_push_notification_config)

    @validate_request_params
    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Task:
        """Send a message, and return its task: as it is at once, or when the reply is there."""
        with customer_of(context) as customer:
            incoming = await customer.incoming(params)
            await self._tell(customer, incoming, params)
            if params.configuration.return_immediately:
                await customer.submit(incoming)
            else:
                with customer.places.open(customer.caller):
                    await replied(customer.deliver(incoming, customer.request.receive))
            view = await customer.tasks.read(incoming.name)
            return apply_history_length(view.proto, params.configuration)

    @validate_request_params
    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        """Send a message, and return what happens in its task until it ends or asks."""
        with customer_of(context) as customer:
            incoming = await customer.incoming(params)
            await self._tell(customer, incoming, params)
            deliver = partial(customer.deliver, incoming, never)
            events = follow(customer.request, customer.caller, incoming.name, deliver, incoming.continues)
            async with aclosing(events):
                async for event in events:
                    yield apply_history_length(event, params.configuration) if isinstance(event, Task) else event

    @validate_request_params
    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event, None]:
        """Return a task as it is, and what happens in it from now on."""
        with customer_of(context) as customer:
            name = customer.own_task(params.id)
            if (await customer.tasks.read(name)).state in TERMINAL:
                raise UnsupportedOperationError(OVER)
            async with aclosing(follow(customer.request, customer.caller, name)) as events:
                async for event in events:
                    yield event

    @validate_request_params
    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task:
        """Return a task."""
        with customer_of(context) as customer:
            validate_history_length(params)
            view = await customer.tasks.read(customer.own_task(params.id))
            return apply_history_length(view.proto, params)

    @validate_request_params
    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """Return the tasks of one context, newest first."""
        with customer_of(context) as customer:
            validate_history_length(params)
            return await list_tasks(params, customer.sessions, customer.caller, customer.own, customer.tasks)

    @validate_request_params
    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task:
        """Stop a task: its running turn is interrupted, or its question is declined."""
        with customer_of(context) as customer:
            name = customer.own_task(params.id)
            view = await customer.tasks.read(name)
            if view.state not in (WORKING, INPUT_REQUIRED):
                raise TaskNotCancelableError(NOT_YET if view.state == SUBMITTED else ENDED)
            return (await customer.cancel(name, view)).proto

    @validate_request_params
    async def on_create_task_push_notification_config(
        self, params: TaskPushNotificationConfig, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """Tell an address about a task from now on."""
        with customer_of(context) as customer:
            name = await customer.existing(params.task_id)
            return await self._push.set(customer.caller, name, params)

    @validate_request_params
    async def on_get_task_push_notification_config(
        self, params: GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """Return an address that is told about a task."""
        with customer_of(context) as customer:
            name = await customer.existing(params.task_id)
            return await self._push.get(customer.caller, name, params.id)

    @validate_request_params
    async def on_list_task_push_notification_configs(
        self, params: ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> ListTaskPushNotificationConfigsResponse:
        """Return the addresses that are told about a task."""
        with customer_of(context) as customer:
            return await self._push.list(customer.caller, await customer.existing(params.task_id))

    @validate_request_params
    async def on_delete_task_push_notification_config(
        self, params: DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        """Tell an address nothing more about a task."""
        with customer_of(context) as customer:
            name = await customer.existing(params.task_id)
            await self._push.delete(customer.caller, name, params.id)

    async def on_get_extended_agent_card(
        self, params: GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> AgentCard:
        """Refuse: all customers see the same card."""
        raise ExtendedAgentCardNotConfiguredError


@contextmanager
def customer_of(context: ServerCallContext) -> Iterator[Customer]:
    """Give the caller of a request. Problems become errors of A2A."""
    with a2a_errors():
        yield Customer(context)


async def replied(delivery: Awaitable[None]) -> None:
    """Wait for the reply. Raises A2AError if the client has left, to whom nothing can be said any more."""
    try:
        await delivery
    except ClientDisconnected as left:
        raise InternalError(LEFT) from left

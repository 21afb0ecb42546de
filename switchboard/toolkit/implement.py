"""Binds handlers to tool contracts, so that a contract and the handler that Restate runs cannot differ."""

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

import restate
from pydantic import BaseModel

from switchboard.contract import Tool
from switchboard.runtime.invocations import NOTHING_RETAINED
from switchboard.toolkit.verified_customers import require_verified_customer

Ctx = TypeVar("Ctx", bound=restate.Context)
Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)

AnyService = restate.Service | restate.VirtualObject | restate.Workflow
Handler = Callable[[Ctx, Input], Awaitable[Output]]
Kind = Literal["exclusive", "shared", "workflow"]

BAD_REQUEST = 400


def implements(
    service: AnyService,
    tool: Tool[Input, Output],
    kind: Kind | None = None,
    retained: bool = True,
) -> Callable[[Handler[Ctx, Input, Output]], Handler[Ctx, Input, Output]]:
    """Register the decorated function on `service` as the handler of `tool`.

    The function is a coroutine that takes Restate's context and the tool's input, and returns the tool's output.

    If the tool requires a verified customer, the customer is verified before the function runs. The call fails with 401
    for an unverified customer, and with 400 if its key and its fields name different customers.

    ```python
    @implements(invoices, GET_INVOICE, kind="shared")
    async def get_invoice(ctx: ObjectSharedContext, request: GetInvoice) -> Invoice: ...
    ```

    Args:
        service: The Restate service, which must have the tool's `service` as its name.
        tool: The contract.
        kind: The handler's kind in Restate. On a virtual object "exclusive" (default) or "shared"; on a workflow
            "workflow" for the main handler, or "shared" (default). Not for plain services.
        retained: Whether Restate keeps a call that has ended for a day. Set it to False for reads that clients poll.

    Raises:
        ValueError: At import, if function, service and tool do not match. The message says how to fix it.
    """
    raise_problem(tool, problem_with_service(service, tool, kind))

    def bind(function: Handler[Ctx, Input, Output]) -> Handler[Ctx, Input, Output]:
        raise_problem(tool, problem_with_function(function, tool, accepted_contexts(service, kind)))
        return register(service, tool, kind, with_verification(function, tool), retained)

    return bind


def checks(
    service: AnyService, tool: Tool[Input, Any]
) -> Callable[[Handler[Ctx, Input, Output]], Handler[Ctx, Input, Output]]:
    """Register the decorated function on `service` as the check of `tool`, which runs before the customer is asked.

    The function is a coroutine that takes Restate's context and the tool's input, and returns the facts, of the type
    `tool.check`. It raises TerminalError for a call that cannot be done. It only reads: on a virtual object it is a
    shared handler, which does not wait for the object's lock. Bind the tool's own handler after it. That handler
    applies the rules again.

    ```python
    @checks(orders, CANCEL_ORDER)
    async def check_cancel_order(ctx: ObjectSharedContext, request: CancelOrder) -> OrderFacts: ...
    ```

    Raises:
        ValueError: At import, if function, service and tool do not match. The message says how to fix it.
    """
    if tool.check is None:
        raise ValueError(f"{tool.service}.{tool.handler}: the tool has no check. Set check= in the tool")
    return implements(service, tool.check_tool(), None if isinstance(service, restate.Service) else "shared")


def raise_problem(tool: Tool[Any, Any], problem: str | None) -> None:
    if problem:
        raise ValueError(f"{tool.service}.{tool.handler}: {problem}")


def register(
    service: AnyService,
    tool: Tool[Any, Any],
    kind: Kind | None,
    function: Handler[Ctx, Input, Output],
    retained: bool,
) -> Handler[Ctx, Input, Output]:
    retention: Any = {} if retained else NOTHING_RETAINED
    if isinstance(service, restate.Workflow):
        bind: Any = service.main if kind == "workflow" else service.handler
        bound = bind(name=tool.handler, **retention)(function)
    elif isinstance(service, restate.VirtualObject):
        of_object: Any = "shared" if kind == "shared" else "exclusive"
        bound = service.handler(tool.handler, kind=of_object, **retention)(function)
    else:
        bound = service.handler(tool.handler, **retention)(function)
    return cast(Handler[Ctx, Input, Output], bound)


def with_verification(function: Handler[Ctx, Input, Output], tool: Tool[Input, Output]) -> Handler[Ctx, Input, Output]:
    """Return the function, preceded by the customer's verification if the tool requires it."""
    if not tool.requires_verified_customer:
        return function

    @wraps(function)
    async def verified(ctx: Any, request: Any) -> Output:
        await require_verified_customer(ctx, customer_of(ctx, tool, request), request)
        return await function(ctx, request)

    return verified


def customer_of(ctx: Any, tool: Tool[Any, Any], request: BaseModel) -> str:
    """Return the customer's id, which is the object's key or in fields of the input.

    Raises TerminalError 400 if the key and these fields differ. Agents fill all of them from the session's identity, so
    only another tool can send such a call.
    """
    found = {name: getattr(request, name) for name in tool.customer_fields()}
    if tool.keyed_by == "customer_id":
        found["key"] = ctx.key()
    customers = set(found.values())
    if len(customers) > 1:
        why = f"{tool.name}: the customer's id differs between {' and '.join(found)}. Pass the same id in all of them."
        raise restate.TerminalError(why, status_code=BAD_REQUEST)
    customer: str = customers.pop()
    return customer


def problem_with_service(service: AnyService, tool: Tool[Any, Any], kind: Kind | None) -> str | None:
    """Return why the service cannot serve the tool, if so."""
    if service.name != tool.service:
        return (
            f"the tool belongs to the service {tool.service!r}, but this is {service.name!r}. Register the handler on"
            f" {tool.service!r}, or change `service` of the tool"
        )
    if tool.handler in service.handlers:
        return f"the service {service.name!r} already has a handler {tool.handler!r}. Rename one of them"
    if tool.check is not None and tool.check_tool().handler not in service.handlers:
        return "the tool has a check, but the service has no handler for it. Bind one with @checks before this handler"
    if isinstance(service, restate.Service):
        if tool.keyed_by is not None:
            return (
                f"the tool is keyed by {tool.keyed_by}, but a plain service has no key. Declare the service with"
                " tool_object, or remove keyed_by from the tool"
            )
        return kind and f"handlers of a plain service have no kind. Remove kind={kind!r}"
    if tool.keyed_by is None and not tool.internal:
        return (
            f"{service.name!r} has a key, but the tool does not say which. Set"
            ' keyed_by="customer_id" in the tool, or internal=True if only other tools call it'
        )
    kinds = ("workflow", "shared") if isinstance(service, restate.Workflow) else ("exclusive", "shared")
    if kind is not None and kind not in kinds:
        return f"kind must be {' or '.join(kinds)} here, not {kind!r}"
    return None


def accepted_contexts(service: AnyService, kind: Kind | None) -> tuple[type[Any], ...]:
    """Return the context types that a handler may declare: the one it gets, and less capable ones."""
    if isinstance(service, restate.Service):
        return (restate.Context,)
    if isinstance(service, restate.Workflow):
        shared: tuple[type[Any], ...] = (restate.WorkflowSharedContext,)
        return (restate.WorkflowContext, *shared) if kind == "workflow" else shared
    shared = (restate.ObjectSharedContext,)
    return shared if kind == "shared" else (restate.ObjectContext, *shared)


def context_types(annotation: Any) -> tuple[type[restate.Context], ...]:
    """Return the context types that a parameter accepts: one, several for a union, none if it is no context."""
    found = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    contexts = tuple(one for one in found if isinstance(one, type) and issubclass(one, restate.Context))
    return contexts if len(contexts) == len(found) else ()


def problem_with_function(
    function: Callable[..., Any], tool: Tool[Any, Any], contexts: tuple[type[Any], ...]
) -> str | None:
    """Return why the function does not match the tool, if so."""
    if not inspect.iscoroutinefunction(function):
        return "the handler is not a coroutine. Write `async def`"
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError as error:
        return f"{error}. Import the type at the top of the module, outside of `if TYPE_CHECKING:`"
    parameters = list(signature.parameters.values())
    if [each.kind for each in parameters] != [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2:
        return f"the handler must take two parameters, without *: the context and the {tool.input.__name__}"
    declared = parameters[0].annotation
    if not any(issubclass(context, one) for one in context_types(declared) for context in contexts):
        found = annotation_name(declared)
        return f"the handler's context is {found}. Annotate the first argument with {contexts[0].__name__}"
    for verb, annotation, expected in (
        ("takes", parameters[1].annotation, tool.input),
        ("returns", signature.return_annotation, tool.output),
    ):
        if annotation is not expected:
            return (
                f"the tool {verb} {expected.__name__}, but the handler {verb} {annotation_name(annotation)}. Annotate"
                f" the handler with {expected.__name__}, or change the tool"
            )
    return None


def annotation_name(annotation: Any) -> str:
    if annotation is inspect.Signature.empty:
        return "an unannotated value"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)

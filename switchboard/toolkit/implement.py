"""Binds a handler to the tool that it serves: what a contract promises and what Restate runs cannot differ."""

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Literal, TypeVar, cast

import restate
from pydantic import BaseModel

from switchboard.contract import Tool
from switchboard.toolkit.verified_customers import require_verified_customer

Ctx = TypeVar("Ctx", bound=restate.Context)
Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)

AnyService = restate.Service | restate.VirtualObject | restate.Workflow
Handler = Callable[[Ctx, Input], Awaitable[Output]]
Kind = Literal["exclusive", "shared", "workflow"]

BAD_REQUEST = 400


def implements(
    service: AnyService, tool: Tool[Input, Output], kind: Kind | None = None
) -> Callable[[Handler[Ctx, Input, Output]], Handler[Ctx, Input, Output]]:
    """Serve `tool` with the decorated function, as the handler of that name.

    `kind` is Restate's: on a virtual object "exclusive" (the default) or "shared", on a workflow "workflow" for its
    main handler, and nothing on a plain service. A tool for verified customers verifies the customer before the
    function runs, as the first step in the journal. Raises ValueError at import when the function, the service and the
    tool do not fit together, and says what to write.
    """
    refuse(tool, problem_with_service(service, tool, kind))

    def bind(function: Handler[Ctx, Input, Output]) -> Handler[Ctx, Input, Output]:
        refuse(tool, problem_with_function(function, tool, contexts_of(service, kind)))
        return register(service, tool, kind, verifying(function, tool))

    return bind


def refuse(tool: Tool[Any, Any], problem: str | None) -> None:
    if problem:
        raise ValueError(f"{tool.service}.{tool.handler}: {problem}")


def register(
    service: AnyService, tool: Tool[Any, Any], kind: Kind | None, function: Handler[Ctx, Input, Output]
) -> Handler[Ctx, Input, Output]:
    if isinstance(service, restate.Workflow):
        bind: Any = service.main if kind == "workflow" else service.handler
        bound = bind(name=tool.handler)(function)
    elif isinstance(service, restate.VirtualObject):
        bound = service.handler(tool.handler, kind="shared" if kind == "shared" else "exclusive")(function)
    else:
        bound = service.handler(tool.handler)(function)
    return cast(Handler[Ctx, Input, Output], bound)


def verifying(function: Handler[Ctx, Input, Output], tool: Tool[Input, Output]) -> Handler[Ctx, Input, Output]:
    """The function itself, or the function after the customer was verified."""
    if not tool.requires_verified_customer:
        return function

    @wraps(function)
    async def verified(ctx: Any, request: Any) -> Output:
        await require_verified_customer(ctx, customer_of(ctx, tool, request), request)
        return await function(ctx, request)

    return verified


def customer_of(ctx: Any, tool: Tool[Any, Any], request: BaseModel) -> str:
    """Return the customer's id from the object's key and from every field that the session fills with it.

    Raises TerminalError 400 if they differ. Only another tool can send such a call, and only one id would be verified.
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
    """Why a service cannot serve the tool, in words that follow its name."""
    if service.name != tool.service:
        return (
            f"the tool belongs to the service {tool.service!r}, and this is {service.name!r}. Bind the handler to that"
            " service, or write its name into the contract"
        )
    if tool.handler in service.handlers:
        return f"the service {service.name!r} has a handler {tool.handler!r} already. Give one of them another name"
    if isinstance(service, restate.Service):
        if tool.keyed_by is not None:
            return (
                f"the tool is keyed by {tool.keyed_by}, and a plain service has no key. Declare the service with"
                " tool_object, or remove keyed_by from the tool"
            )
        return kind and f"a plain service has no handlers of a kind. Remove kind={kind!r}"
    if tool.keyed_by is None and not tool.internal:
        return (
            f"{service.name!r} has a key, and nothing tells which one an agent means. Write"
            ' keyed_by="customer_id" into the tool, or internal=True if only other tools call it'
        )
    kinds = ("workflow", "shared") if isinstance(service, restate.Workflow) else ("exclusive", "shared")
    if kind is not None and kind not in kinds:
        return f"kind is one of {' and '.join(kinds)} here, not {kind!r}"
    return None


def contexts_of(service: AnyService, kind: Kind | None) -> tuple[type[Any], ...]:
    """The contexts that a handler may ask for: the one it gets, and those that can do less."""
    if isinstance(service, restate.Service):
        return (restate.Context,)
    if isinstance(service, restate.Workflow):
        shared: tuple[type[Any], ...] = (restate.WorkflowSharedContext,)
        return (restate.WorkflowContext, *shared) if kind == "workflow" else shared
    shared = (restate.ObjectSharedContext,)
    return shared if kind == "shared" else (restate.ObjectContext, *shared)


def problem_with_function(
    function: Callable[..., Any], tool: Tool[Any, Any], contexts: tuple[type[Any], ...]
) -> str | None:
    """Why a function does not do what the tool promises, in words that follow its name."""
    if not inspect.iscoroutinefunction(function):
        return "the handler must be a coroutine. Write `async def`"
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError as error:
        return f"{error}. Import the type at the top of the module, outside of `if TYPE_CHECKING:`"
    parameters = list(signature.parameters.values())
    if [each.kind for each in parameters] != [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2:
        return f"the handler takes two arguments, without *: the context and the {tool.input.__name__}"
    asked = parameters[0].annotation
    if not (isinstance(asked, type) and any(issubclass(context, asked) for context in contexts)):
        return f"the handler's context is {written(asked)}. Annotate the first argument with {contexts[0].__name__}"
    for what, found, promised in (
        ("takes", parameters[1].annotation, tool.input),
        ("returns", signature.return_annotation, tool.output),
    ):
        if found is not promised:
            return (
                f"the tool {what} {promised.__name__}, and the handler {what} {written(found)}. Annotate the handler"
                f" with {promised.__name__}, or correct the contract"
            )
    return None


def written(annotation: Any) -> str:
    """An annotation as an error names it."""
    if annotation is inspect.Signature.empty:
        return "what is not annotated"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)

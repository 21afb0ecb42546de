"""Toolsets: the short way to write tools. One function is both the tool's contract and its handler."""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, get_args

import restate
from pydantic import BaseModel, create_model
from pydantic.errors import PydanticUserError

from switchboard.contract import FromIdentity, IdentityKey, PersonalInput, Text, Tool, ToolInput
from switchboard.runtime.serve import Models, Served
from switchboard.toolkit.declare import tool_object, tool_service
from switchboard.toolkit.implement import annotation_name, checks, context_types, implements

# Characters that need no escaping: Restate puts the service's name into URL paths.
SERVICE_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,63}")

Function = Callable[..., Awaitable[Any]]


class Toolset:
    """Tools that share one Restate service, each written as one function.

    ```python
    policies = Toolset("Policies", keyed_by="customer_id")


    @policies.tool(read_only=True)
    async def get_policy(ctx: ObjectSharedContext, number: str) -> Policy:
        \"\"\"Get what a policy covers, and until when.\"\"\"
    ```

    The attribute `service` is Restate's own object. Other handlers, which are not tools, can be added to it.

    Args:
        name: Name of the Restate service: a letter and up to 63 letters, digits or `_`.
        keyed_by: Makes the service a virtual object per customer or per session; `ctx.key()` is that id. None for a
            stateless service.
        description: Shown in the Restate UI.

    Raises:
        ValueError: At import, for an invalid name or key.
    """

    def __init__(self, name: str, keyed_by: IdentityKey | None = None, description: str = "") -> None:
        if not SERVICE_NAME.fullmatch(name):
            raise ValueError(f"toolset {name!r}: a name must be a letter and up to 63 letters, digits or '_'")
        if keyed_by not in (None, *get_args(IdentityKey)):
            raise ValueError(f'toolset {name}: keyed_by must be "customer_id" or "session_id", not {keyed_by!r}')
        self.name = name
        self.keyed_by = keyed_by
        self.service = (tool_object if keyed_by else tool_service)(name, description or f"Tools: {name}.")

    def tool(
        self,
        *,
        read_only: bool = False,
        label: str = "",
        consent: Callable[..., str] | None = None,
        check: Function | None = None,
        verified: bool | None = None,
    ) -> Callable[[Function], Tool[Any, Any]]:
        """Turn the decorated function into a Tool and register it on the service.

        - The function is a coroutine. Its name is the tool's name.
        - Its first parameter is Restate's context: `ObjectContext` with `keyed_by`, `ObjectSharedContext` with
          `keyed_by` and `read_only`, `Context` without `keyed_by`.
        - The model fills in the other parameters, except those marked with FromIdentity. They need type annotations.
        - It returns a pydantic model or a str.
        - The first paragraph of its docstring is the description for the model.

        Args:
            read_only: The tool changes nothing. A virtual object runs it in parallel with its other calls, so it cannot
                write state. Replies that list a turn's actions for the customer leave out its calls.
            label: The action in words for customers, such as "cancel the order". Reports to customers use it. By
                default the function's name with spaces.
            consent: Words the call as a question. The call is made only after the customer has said yes. Takes the
                call, and with `check` also the facts. Put text of other people last, in `quoted(...)`.
            check: A coroutine that runs before the customer is asked, and again after their yes. It takes a context
                that only reads (`ObjectSharedContext`, or `Context` without `keyed_by`) and any of the tool's
                parameters. It returns the facts for the question as a pydantic model, or raises TerminalError if the
                call cannot be done. The model then gets the message, and the customer is not asked.
            verified: Whether the customer must be signed in or verified. By default True for tools that know the
                customer: with `keyed_by="customer_id"`, or with a parameter that is filled with the customer's id.

        Raises:
            ValueError: At import, if the function cannot be a tool. The message says how to fix it.
        """

        def decorate(function: Function) -> Tool[Any, Any]:
            try:
                return self._declare(function, read_only, label, consent, check, verified)
            except PydanticUserError as error:
                raise self._error(function, f"pydantic does not support its types. {error.message}") from error

        return decorate

    def _declare(
        self,
        function: Function,
        read_only: bool,
        label: str,
        consent: Callable[..., str] | None,
        check: Function | None,
        verified: bool | None,
    ) -> Tool[Any, Any]:
        signature = self._signature_of(function)
        context = self._context_type(read_only)
        if problem := next(function_problems(function, signature, context), None):
            raise self._error(function, problem)
        if read_only and consent:
            raise self._error(function, "read-only tools need no consent. Remove read_only=True or consent=")
        parameters = list(signature.parameters.values())[1:]
        output = Text if signature.return_annotation is str else signature.return_annotation
        tool = Tool(
            service=self.name,
            handler=function.__name__,
            purpose=purpose(function),
            input=input_type(function, parameters, self._requires_verified(parameters, verified)),
            output=output,
            keyed_by=self.keyed_by,
            consent=consent,
            verified=verified,
            read_only=read_only,
            label=label,
            check=self._facts_type(check, parameters) if check else None,
        )
        if check is not None:
            self._bind_check(check, tool)
        handler = make_handler(function, [parameter.name for parameter in parameters], context, tool)
        implements(self.service, tool, kind="shared" if read_only and self.keyed_by else None)(handler)
        return tool

    def _facts_type(self, check: Function, parameters: list[inspect.Parameter]) -> Any:
        """Return the type of the facts that a check returns. Raises ValueError if it cannot be a check."""
        signature = self._signature_of(check)
        if problem := next(check_problems(check, signature, self._context_type(True), parameters), None):
            raise self._error(check, problem)
        return signature.return_annotation

    def _bind_check(self, check: Function, tool: Tool[Any, Any]) -> None:
        names = list(self._signature_of(check).parameters)[1:]
        checks(self.service, tool)(make_handler(check, names, self._context_type(True), tool.check_tool()))

    def served(self, models: Models) -> Served:
        """Return the service for `serve`. Raises ValueError if it has no tools."""
        if not self.service.handlers:
            raise ValueError(
                f"toolset {self.name} has no tools. Decorate a function with its `tool`, in a module that is imported"
                " before serve()"
            )
        return Served((self.service,))

    def _context_type(self, read_only: bool) -> type[restate.Context]:
        if self.keyed_by is None:
            return restate.Context
        return restate.ObjectSharedContext if read_only else restate.ObjectContext

    def _requires_verified(self, parameters: list[inspect.Parameter], verified: bool | None) -> bool:
        """Return what `Tool.requires_verified_customer` will be, before the input type exists."""
        if verified is not None:
            return verified
        return self.keyed_by == "customer_id" or any(mark.part == "customer_id" for mark in identity_marks(parameters))

    def _signature_of(self, function: Function) -> inspect.Signature:
        try:
            return inspect.signature(function, eval_str=True)
        except NameError as error:
            raise self._error(function, f"{error}. Import the type at the top of the module") from error

    def _error(self, function: Function, problem: str) -> ValueError:
        return ValueError(f"{self.name}.{getattr(function, '__name__', function)}: {problem}")


def function_problems(
    function: Function, signature: inspect.Signature, context: type[restate.Context]
) -> Iterator[str]:
    """Yield why a function cannot be a tool, if so."""
    if not inspect.iscoroutinefunction(function):
        yield "a tool must be a coroutine. Write `async def`"
    if not purpose(function):
        yield "the docstring is missing. Write one: its first paragraph describes the tool to the model"
    first, *others = [*signature.parameters.values(), None]
    yield from context_problems(first, context)
    for parameter in others:
        if parameter is not None:
            yield from parameter_problems(parameter)
    yield from output_problems(signature.return_annotation)


def check_problems(
    check: Function, signature: inspect.Signature, context: type[restate.Context], parameters: list[inspect.Parameter]
) -> Iterator[str]:
    """Yield why a function cannot be the check of a tool with these parameters, if so."""
    if not inspect.iscoroutinefunction(check):
        yield "a check must be a coroutine. Write `async def`"
    first, *others = [*signature.parameters.values(), None]
    yield from context_problems(first, context)
    names = {parameter.name for parameter in parameters}
    for parameter in others:
        if parameter is not None and parameter.name not in names:
            yield f"the tool has no parameter {parameter.name!r}. A check takes the tool's own parameters"
    found = signature.return_annotation
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        yield f"a check returns its facts as a pydantic model, not {annotation_name(found)}"


def context_problems(first: inspect.Parameter | None, context: type[restate.Context]) -> Iterator[str]:
    found = first.annotation if first else None
    accepted = context_types(found)
    if not accepted:
        yield f"the first parameter must be Restate's context. Write `ctx: {context.__name__}`"
    elif not issubclass(context, accepted):
        reading = "; with read_only=True the tool cannot write state" if context is restate.ObjectSharedContext else ""
        yield f"the context of this tool is not {annotation_name(found)}. Write `ctx: {context.__name__}`{reading}"


def parameter_problems(parameter: inspect.Parameter) -> Iterator[str]:
    name = parameter.name
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        yield f"models pass arguments by name, so `{parameter}` is not supported. Name each parameter, without / and *"
    elif parameter.annotation is parameter.empty:
        yield f"parameter {name!r} has no type. Write one, such as `{name}: str`"
    elif name.startswith("_") or hasattr(PersonalInput, name):
        yield f"parameter {name!r} has a name that pydantic reserves. Rename it"


def output_problems(found: Any) -> Iterator[str]:
    if found is str or (isinstance(found, type) and issubclass(found, BaseModel)):
        return
    yield (
        f"it returns {annotation_name(found)}. Annotate the function with `-> str` or with a pydantic model, such as a"
        " subclass of WireModel"
    )


def purpose(function: Function) -> str:
    """Return the first paragraph of the docstring on one line."""
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def identity_marks(parameters: list[inspect.Parameter]) -> list[FromIdentity]:
    """Return the FromIdentity marks directly on parameters."""
    return [
        mark for parameter in parameters for mark in get_args(parameter.annotation) if isinstance(mark, FromIdentity)
    ]


def input_type(function: Function, parameters: list[inspect.Parameter], requires_verified: bool) -> type[ToolInput]:
    """Return the tool's input type: a field per parameter, plus those of PersonalInput if it requires verification."""
    base = PersonalInput if requires_verified else ToolInput
    fields: dict[str, Any] = {}
    for parameter in parameters:
        default = ... if parameter.default is parameter.empty else parameter.default
        inherited = base.model_fields.get(parameter.name)
        # The function may declare session_id and signed_in. They stay optional for callers other than agents.
        fields[parameter.name] = (parameter.annotation, inherited.default if inherited and default is ... else default)
    name = "".join(word.capitalize() for word in function.__name__.split("_")) + "Input"
    return create_model(name, __base__=base, __module__=function.__module__, **fields)


def make_handler(
    function: Function, names: list[str], context: type[restate.Context], tool: Tool[Any, Any]
) -> Callable[[Any, Any], Awaitable[Any]]:
    """Return the handler, which passes the input's fields to the function. It adds no journal entries."""

    async def handler(ctx: Any, request: Any) -> Any:
        answer = await function(ctx, **{name: getattr(request, name) for name in names})
        return Text(answer) if isinstance(answer, str) else answer

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    handler.__name__, handler.__qualname__ = function.__name__, function.__qualname__
    handler.__doc__, handler.__module__ = function.__doc__, function.__module__
    handler.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # inspect also reads it from functions
        [inspect.Parameter("ctx", kind, annotation=context), inspect.Parameter("request", kind, annotation=tool.input)],
        return_annotation=tool.output,
    )
    return handler

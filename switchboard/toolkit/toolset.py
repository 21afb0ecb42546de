"""The short way to write tools: one function is the tool's contract and its handler."""

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
from switchboard.toolkit.implement import implements, written

# Letters that need no escape in the path of a URL, where Restate puts a service's name.
SERVICE_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,63}")

Function = Callable[..., Awaitable[Any]]


class Toolset:
    """Tools that share a Restate service, each written as one function.

    ```python
    policies = Toolset("Policies", keyed_by="customer_id")


    @policies.tool(read_only=True)
    async def get_policy(ctx: ObjectSharedContext, number: str) -> Policy:
        \"\"\"What the policy covers and until when.\"\"\"
    ```

    With `keyed_by` the service is a virtual object, one for each customer or each session, and `ctx.key()` is the id.
    Without it the service is stateless. `service` is Restate's own object, for handlers that are no tools.
    Raises ValueError at import for what could not be served.
    """

    def __init__(self, name: str, keyed_by: IdentityKey | None = None, description: str = "") -> None:
        if not SERVICE_NAME.fullmatch(name):
            raise ValueError(f"toolset {name!r}: a name is a letter and up to 63 letters, digits or '_'")
        if keyed_by not in (None, *get_args(IdentityKey)):
            raise ValueError(f'toolset {name}: keyed_by is "customer_id" or "session_id", not {keyed_by!r}')
        self.name = name
        self.keyed_by = keyed_by
        self.service = (tool_object if keyed_by else tool_service)(name, description or f"Tools: {name}.")

    def tool(
        self,
        *,
        read_only: bool = False,
        consent: Callable[[Any], str] | None = None,
        verified: bool | None = None,
    ) -> Callable[[Function], Tool[Any, Any]]:
        """Make a tool of a function: its name, its parameters, its return type and its docstring are the contract.

        The first parameter is Restate's context, and the model fills the others, except those that are marked
        FromIdentity. The function returns a pydantic model or a str. The docstring's first paragraph tells the model
        what the tool is for. `read_only` lets a virtual object run the tool beside others. `consent` words the call as
        a question, and only the customer's yes makes the call. `verified` is as for Tool: by default a tool that knows
        the customer is for verified customers only.
        """

        def declare(function: Function) -> Tool[Any, Any]:
            try:
                return self.declared(function, read_only, consent, verified)
            except PydanticUserError as error:
                raise self.refused(function, f"pydantic cannot read its types. {error.message}") from error

        return declare

    def declared(
        self, function: Function, read_only: bool, consent: Callable[[Any], str] | None, verified: bool | None
    ) -> Tool[Any, Any]:
        signature = self.signature_of(function)
        context = self.context_type(read_only)
        if problem := next(problems(function, signature, context), None):
            raise self.refused(function, problem)
        if read_only and consent:
            raise self.refused(function, "a tool that only reads needs no consent. Remove read_only=True or consent=")
        parameters = list(signature.parameters.values())[1:]
        output = Text if signature.return_annotation is str else signature.return_annotation
        tool = Tool(
            service=self.name,
            handler=function.__name__,
            purpose=purpose(function),
            input=input_type(function, parameters, self.is_for_verified(parameters, verified)),
            output=output,
            keyed_by=self.keyed_by,
            consent=consent,
            verified=verified,
        )
        handler = calling(function, [parameter.name for parameter in parameters], context, tool)
        implements(self.service, tool, kind="shared" if read_only and self.keyed_by else None)(handler)
        return tool

    def served(self, models: Models) -> Served:
        """Return the service, for `serve`. Raises ValueError while it has no tool."""
        if not self.service.handlers:
            raise ValueError(
                f"toolset {self.name}: it has no tools. Decorate a function with its `tool`, in a module that is"
                " imported before serve()"
            )
        return Served((self.service,))

    def context_type(self, read_only: bool) -> type[restate.Context]:
        if self.keyed_by is None:
            return restate.Context
        return restate.ObjectSharedContext if read_only else restate.ObjectContext

    def is_for_verified(self, parameters: list[inspect.Parameter], verified: bool | None) -> bool:
        """As Tool decides it, before there is an input to decide it by."""
        if verified is not None:
            return verified
        return self.keyed_by == "customer_id" or any(mark.part == "customer_id" for mark in marks(parameters))

    def signature_of(self, function: Function) -> inspect.Signature:
        try:
            return inspect.signature(function, eval_str=True)
        except NameError as error:
            raise self.refused(function, f"{error}. Import the type at the top of the module") from error

    def refused(self, function: Function, problem: str) -> ValueError:
        return ValueError(f"{self.name}.{getattr(function, '__name__', function)}: {problem}")


def problems(function: Function, signature: inspect.Signature, context: type[restate.Context]) -> Iterator[str]:
    """Say why a function cannot be a tool, in words that follow its name."""
    if not inspect.iscoroutinefunction(function):
        yield "a tool is a coroutine. Write `async def`"
    if not purpose(function):
        yield "the docstring is missing. Write one: its first paragraph tells the model what the tool is for"
    first, *others = [*signature.parameters.values(), None]
    yield from context_problems(first, context)
    for parameter in others:
        if parameter is not None:
            yield from parameter_problems(parameter)
    yield from output_problems(signature.return_annotation)


def context_problems(first: inspect.Parameter | None, context: type[restate.Context]) -> Iterator[str]:
    found = first.annotation if first else None
    if not (isinstance(found, type) and issubclass(found, restate.Context)):
        yield f"the first parameter must be Restate's context. Write `ctx: {context.__name__}`"
    elif not issubclass(context, found):
        reading = "; with read_only=True it cannot write" if context is restate.ObjectSharedContext else ""
        yield f"the context of this tool is no {found.__name__}. Write `ctx: {context.__name__}`{reading}"


def parameter_problems(parameter: inspect.Parameter) -> Iterator[str]:
    name = parameter.name
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        yield f"the model fills parameters by name, so `{parameter}` is not possible. Name each one, without / and *"
    elif parameter.annotation is parameter.empty:
        yield f"the parameter {name!r} has no type. Write one, such as `{name}: str`"
    elif name.startswith("_") or hasattr(PersonalInput, name):
        yield f"the parameter {name!r} has a name that pydantic uses itself. Rename it"


def output_problems(found: Any) -> Iterator[str]:
    if found is str or (isinstance(found, type) and issubclass(found, BaseModel)):
        return
    yield (
        f"it returns {written(found)}. Annotate the function with `-> str`, or with a pydantic model, such as a"
        " subclass of WireModel"
    )


def purpose(function: Function) -> str:
    """The first paragraph of the docstring, on one line."""
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def marks(parameters: list[inspect.Parameter]) -> list[FromIdentity]:
    """The marks that stand directly on parameters."""
    return [
        mark for parameter in parameters for mark in get_args(parameter.annotation) if isinstance(mark, FromIdentity)
    ]


def input_type(function: Function, parameters: list[inspect.Parameter], is_for_verified: bool) -> type[ToolInput]:
    """The tool's input: a field for each parameter, and for a verified customer's tool those of PersonalInput."""
    base = PersonalInput if is_for_verified else ToolInput
    fields: dict[str, Any] = {}
    for parameter in parameters:
        default = ... if parameter.default is parameter.empty else parameter.default
        inherited = base.model_fields.get(parameter.name)
        # session_id and signed_in may be asked for; they stay optional for callers that are no agents.
        fields[parameter.name] = (parameter.annotation, inherited.default if inherited and default is ... else default)
    name = "".join(word.capitalize() for word in function.__name__.split("_")) + "Input"
    return create_model(name, __base__=base, __module__=function.__module__, **fields)


def calling(
    function: Function, names: list[str], context: type[restate.Context], tool: Tool[Any, Any]
) -> Callable[[Any, Any], Awaitable[Any]]:
    """The handler: it hands the input's fields to the function. It adds nothing that a replay could see changed."""

    async def handler(ctx: Any, request: Any) -> Any:
        answer = await function(ctx, **{name: getattr(request, name) for name in names})
        return Text(answer) if isinstance(answer, str) else answer

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    handler.__name__, handler.__qualname__ = function.__name__, function.__qualname__
    handler.__doc__, handler.__module__ = function.__doc__, function.__module__
    handler.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # inspect reads it from functions too
        [inspect.Parameter("ctx", kind, annotation=context), inspect.Parameter("request", kind, annotation=tool.input)],
        return_annotation=tool.output,
    )
    return handler

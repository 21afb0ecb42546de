"""What becomes of an input that cannot be read: it is refused for good only if the input itself is wrong."""

import errno
from typing import Annotated

import pytest
import restate
from pydantic import AfterValidator, BaseModel
from restate.handler import invoke_handler

from switchboard.runtime.invocations import refuse_bad_input

OUT_OF_FILES = OSError(errno.EMFILE, "Too many open files", "/srv/checksum.py")


def look_up(text: str) -> str:
    """A validator that needs a file or a module."""
    errors: dict[str, Exception] = {
        "files": OUT_OF_FILES,
        "module": ImportError("cannot open shared object file"),
        "memory": MemoryError(),
        "huge": OverflowError("out of range"),
        "wrong": ValueError("no such country"),
    }
    if text in errors:
        raise errors[text]
    return text


class Payment(BaseModel):
    recipient: Annotated[str, AfterValidator(look_up)]


service = restate.Service("Payments")


@service.handler()
async def pay(ctx: restate.Context, payment: Payment) -> str:
    return payment.recipient


async def invoke(body: str) -> bytes:
    """Invoke the handler as the SDK does."""
    async with refuse_bad_input():
        return await invoke_handler(service.handlers["pay"], None, body.encode())
    raise AssertionError("unreachable")


def paying(recipient: str) -> str:
    return Payment.model_construct(recipient=recipient).model_dump_json()


@pytest.mark.parametrize(
    ("recipient", "failure"), [("files", OSError), ("module", ImportError), ("memory", MemoryError)]
)
async def test_invocation_is_tried_again_if_files_or_memory_are_short_while_its_input_is_read(
    recipient: str, failure: type[Exception]
) -> None:
    with pytest.raises(failure) as raised:
        await invoke(paying(recipient))
    # The SDK ends an invocation for good if it finds a TerminalError here.
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("body", [paying("wrong"), "{}", '{"recipient": 1}', "{"])
async def test_wrong_input_is_refused_with_the_field(body: str) -> None:
    with pytest.raises(restate.TerminalError) as refused:
        await invoke(body)
    assert refused.value.status_code == 400
    assert "Errno" not in refused.value.message


async def test_input_that_breaks_a_validator_is_refused_for_good() -> None:
    with pytest.raises(restate.TerminalError):
        await invoke(paying("huge"))


async def test_failure_of_the_handler_itself_stays_as_it_is() -> None:
    with pytest.raises(restate.TerminalError, match="the backend is away"):
        async with refuse_bad_input():
            raise restate.TerminalError("the backend is away", status_code=503) from OUT_OF_FILES

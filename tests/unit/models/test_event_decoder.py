"""The decoder of models' streams gives what the clients' own decoders give, however the bytes arrive."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise
from types import ModuleType, SimpleNamespace
from typing import Any

import anthropic._streaming
import openai._streaming
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from switchboard.models.endpoint import Client, connect_anthropic, connect_openai, decode_quickly
from switchboard.models.event_decoder import QuickDecoder

LINES = st.sampled_from(
    [
        *(
            "event: delta",
            "event:delta",
            "event: ",
            "event",
            "data: {}",
            "data:  two blanks",
            "data:x",
            "data",
            "data: ä〕",
        ),
        *(": comment", "id: 7", "retry: 5", "unknown: x", "", "\ufeffdata: mark", "data: [DONE]"),
    ]
)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """The bytes of a stream, in parts that can end within a character or between \\r and \\n."""
    content = "".join(line + draw(ENDS) for line in draw(st.lists(LINES, max_size=12))).encode()
    cuts = sorted(draw(st.sets(st.integers(0, len(content)), max_size=6)) | {0, len(content)})
    return [content[begin:end] for begin, end in pairwise(cuts)]


def read(decoder: Any, parts: Sequence[bytes]) -> list[tuple[Any, ...]]:
    async def arriving() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    async def events() -> list[tuple[Any, ...]]:
        return [(each.event, each.data, each.id, each.retry) async for each in decoder.aiter_bytes(arriving())]

    return asyncio.run(events())


@pytest.mark.parametrize("client", [openai._streaming, anthropic._streaming], ids=["openai", "anthropic"])
@given(parts=streams())
@example(parts=[b"event: delta\ndata: {}\n\ndata: [DONE]\n\n"])
@example(parts=[b"data: a\n", b"\ndata: b\r", b"\n\r\n"])
@example(parts=[b"data: a\n\n\nid: 7\n\ndata: b\n\n\n\n"])
@example(parts=[b"data: not ended"])
def test_events_are_those_of_the_clients_decoder(client: ModuleType, parts: list[bytes]) -> None:
    quick = QuickDecoder(client.SSEDecoder(), client.ServerSentEvent)
    assert read(quick, parts) == read(client.SSEDecoder(), parts)


@pytest.mark.parametrize("connect", [connect_openai, connect_anthropic])
def test_clients_decode_quickly(connect: Callable[[str, str | None], Client]) -> None:
    client = connect("key", "http://127.0.0.1:1/v1")
    assert isinstance(client.http._make_sse_decoder(), QuickDecoder)


def test_client_of_another_version_keeps_its_own_decoder() -> None:
    sdk, http = SimpleNamespace(), SimpleNamespace()
    decode_quickly(sdk, http)
    assert vars(http) == {}

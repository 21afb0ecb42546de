"""Requests that a proxy and the gateway could read differently: none of them hides a second request.

Each row is sent as it is, through a raw socket. It contains a second request, with the attacker's own token, whose
session must not exist afterwards.
"""

import asyncio
import re

import pytest

from tests.attacks.mesh import ATTACKER, Attacked

BODY = '{"text": "hi"}'
OPEN_S = 0.5
"""How long to wait for more from a connection that the gateway keeps open."""

ENDS_S = 120
"""How long to wait for an answer, or for the end of a connection that the gateway has to close."""

HIDDEN = "hidden-session"
POST = "POST /v1/sessions/{session}/messages HTTP/1.1\r\n"
ALWAYS = "Host: gateway\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
LENGTH = f"Content-Length: {len(BODY)}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
CHUNKS = f"{len(BODY):x}\r\n{BODY}\r\n0\r\n\r\n"
SECOND = POST.replace("{session}", HIDDEN) + ALWAYS + LENGTH + "\r\n" + BODY
FIRST = POST + ALWAYS


REFUSED: dict[str, str] = {
    "both lengths, chunks first": FIRST + CHUNKED + "Content-Length: 4\r\n\r\n" + SECOND,
    "two transfer encodings": FIRST + CHUNKED + "Transfer-Encoding: identity\r\n\r\n" + CHUNKS + SECOND,
    "unknown transfer encoding": FIRST + "Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS + SECOND,
    "chunked is not last": FIRST + "Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS + SECOND,
    "space before the colon": FIRST + "Transfer-Encoding : chunked\r\n" + LENGTH + "\r\n" + BODY + SECOND,
    "two lengths": FIRST + LENGTH + "Content-Length: 500\r\n\r\n" + BODY + SECOND,
    "list of lengths": FIRST + f"Content-Length: {len(BODY)}, {len(BODY)}\r\n\r\n" + BODY + SECOND,
    "length with a sign": FIRST + f"Content-Length: +{len(BODY)}\r\n\r\n" + BODY + SECOND,
    "negative length": FIRST + "Content-Length: -1\r\n\r\n" + BODY + SECOND,
    "hexadecimal length": FIRST + "Content-Length: 0xe\r\n\r\n" + BODY + SECOND,
    "endless length": FIRST + "Content-Length: 99999999999999999999999\r\n\r\n" + BODY + SECOND,
    "chunk without a number": FIRST + CHUNKED + f"\r\nzz\r\n{BODY}\r\n0\r\n\r\n" + SECOND,
    "chunk that overflows": FIRST + CHUNKED + f"\r\nfffffffffffffffff\r\n{BODY}\r\n0\r\n\r\n" + SECOND,
    "negative chunk": FIRST + CHUNKED + f"\r\n-e\r\n{BODY}\r\n0\r\n\r\n" + SECOND,
    "chunk without an end": FIRST + CHUNKED + f"\r\n{len(BODY):x}\r\n{BODY}XX0\r\n\r\n" + SECOND,
    "chunk with bare newlines": FIRST + CHUNKED + f"\r\n{len(BODY):x}\n{BODY}\n0\n\n" + SECOND,
    "long chunk extension": FIRST + CHUNKED + f"\r\n{len(BODY):x};{'a' * 70_000}\r\n{BODY}\r\n0\r\n\r\n" + SECOND,
    "folded header": FIRST + "X-A: b\r\n Transfer-Encoding: chunked\r\n" + LENGTH + "\r\n" + BODY + SECOND,
    "null byte": FIRST + "X-A: a\0b\r\n" + LENGTH + "\r\n" + BODY + SECOND,
    "bare carriage return": FIRST + "X-A: a\rTransfer-Encoding: chunked\r\n" + LENGTH + "\r\n" + BODY + SECOND,
    "space in a name": FIRST + "X A: a\r\n" + LENGTH + "\r\n" + BODY + SECOND,
    "HTTP/0.9": "GET /v1/sessions/{session}/status\r\n\r\n" + SECOND,
    "HTTP/2.0": POST.replace("1.1", "2.0") + ALWAYS + LENGTH + "\r\n" + BODY + SECOND,
    "HTTP/1.0 with chunks": POST.replace("1.1", "1.0") + ALWAYS + CHUNKED + "\r\n" + CHUNKS + SECOND,
    "method with a space": "PO ST /v1/sessions/{session}/messages HTTP/1.1\r\n" + ALWAYS + "\r\n" + SECOND,
    "newline in the path": "POST /v1/sessions/{session}\r\n/messages HTTP/1.1\r\n" + ALWAYS + "\r\n" + SECOND,
    "many headers": FIRST + "".join(f"X-{number}: a\r\n" for number in range(300)) + LENGTH + "\r\n" + BODY,
    "large header": FIRST + f"X-A: {'a' * 600_000}\r\n" + LENGTH + "\r\n" + BODY,
}
"""The gateway answers once, with 400 or 431, and closes the connection."""

TWICE: dict[str, str] = {
    "two hosts": FIRST + "Host: evil.example\r\n" + LENGTH + "\r\n" + BODY,
    "two tokens": FIRST + "Authorization: Bearer x.y.z\r\n" + LENGTH + "\r\n" + BODY,
    "two tokens, the other way round": POST + "Authorization: Bearer x.y.z\r\n" + ALWAYS + LENGTH + "\r\n" + BODY,
    "two keys": FIRST + "Idempotency-Key: a\r\nIdempotency-Key: b\r\n" + LENGTH + "\r\n" + BODY,
    "two types": FIRST + "Content-Type: text/plain\r\n" + LENGTH + "\r\n" + BODY,
}
"""Headers that a proxy and the gateway could choose differently: 400."""

ONE_REQUEST: dict[str, str] = {
    # RFC 9112, 6.1: the chunks count, and the connection ends after the response.
    "both lengths, length first": FIRST + "Content-Length: 500\r\n" + CHUNKED + "\r\n" + CHUNKS + SECOND,
    "GET with a body": "GET /v1/sessions/{session}/status HTTP/1.1\r\n"
    + ALWAYS
    + "Content-Length: {length}\r\n\r\n"
    + SECOND,
    "upgrade to HTTP/2": FIRST
    + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
    + LENGTH
    + "\r\n"
    + BODY,
    "token in a trailer": POST
    + "Host: gateway\r\nContent-Type: application/json\r\n"
    + CHUNKED
    + f"\r\n{len(BODY):x}\r\n{BODY}\r\n0\r\nAuthorization: Bearer {{token}}\r\n\r\n",
    # The server fills in a host; nothing in the gateway reads it.
    "no host": POST + ALWAYS.replace("Host: gateway\r\n", "") + LENGTH + "\r\n" + BODY,
    "tunnel": "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    "path with a host": FIRST.replace("/v1", "//evil.example/v1") + LENGTH + "\r\n" + BODY,
}
"""One response, and no second request."""


async def exchange(attacked: Attacked, raw: str, session: str, open_s: float = OPEN_S) -> tuple[list[int], bool]:
    """Send bytes and return the statuses of all responses, and whether the gateway has closed the connection.

    After a response, `open_s` is the time to wait for more.
    """
    token = attacked.attacker().token
    length = str(len(SECOND.replace("{token}", token)))
    written = raw.replace("{token}", token).replace("{session}", session).replace("{length}", length).encode("latin-1")
    reader, writer = await asyncio.open_connection("127.0.0.1", attacked.gateway.ports.http)
    received, closed = b"", False
    writer.write(written)
    try:
        while True:
            # A response may take long; once there is one, nothing more is expected.
            async with asyncio.timeout(open_s if received else ENDS_S):
                chunk = await reader.read(65_536)
            if not chunk:
                closed = True
                break
            received += chunk
    except TimeoutError:
        pass
    except ConnectionError:
        closed = True
    finally:
        writer.close()
    return [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3})", received, re.M)], closed


@pytest.mark.parametrize("name", REFUSED)
async def test_ambiguous_request_is_refused_and_the_connection_closed(attacked: Attacked, name: str) -> None:
    async with attacked.nothing_changes():
        statuses, closed = await exchange(attacked, REFUSED[name], "smuggler", ENDS_S)
    assert len(statuses) <= 1
    assert set(statuses) <= {400, 431}
    assert closed


@pytest.mark.parametrize("name", TWICE)
async def test_request_with_a_header_twice_is_refused(attacked: Attacked, name: str) -> None:
    async with attacked.nothing_changes():
        statuses, _ = await exchange(attacked, TWICE[name], "smuggler")
    assert statuses == [400]


@pytest.mark.parametrize("name", ONE_REQUEST)
async def test_unusual_request_is_one_request(attacked: Attacked, name: str) -> None:
    session = f"smuggler-{list(ONE_REQUEST).index(name)}"
    async with attacked.only_changes(session):
        statuses, _ = await exchange(attacked, ONE_REQUEST[name], session)
    assert len(statuses) == 1
    stored = {key for _, key, _ in await attacked.stored()}
    assert HIDDEN not in stored
    assert statuses[0] in (200, 401, 404), ATTACKER


async def test_second_request_of_the_rows_above_is_valid(attacked: Attacked) -> None:
    """The control: on a connection of its own it does what a smuggler wants."""
    async with attacked.only_changes("control"):
        statuses, _ = await exchange(attacked, SECOND.replace(HIDDEN, "control"), "")
    assert statuses == [200]

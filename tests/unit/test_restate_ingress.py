"""Calls to Restate's ingress, against a small HTTP server in place of Restate: which of them are retried."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from switchboard.ingress import IngressTimeout, IngressUnavailable, NotAMesh, RestateIngress
from switchboard.retry import RetryPolicy
from switchboard.session.contract import ClaimedKey
from switchboard.speaker import SpeakerKeys

POLICY = RetryPolicy(pause=timedelta(milliseconds=1), attempts_max=3)
WITHIN = timedelta(seconds=5)


@asynccontextmanager
async def overloaded() -> AsyncIterator[tuple[RestateIngress, list[str]]]:
    """An ingress that is overloaded, and the keys of the requests it has received."""
    keys: list[str] = []

    async def refuse(request: web.BaseRequest) -> web.Response:
        keys.append(request.headers.get("idempotency-key", ""))
        return web.json_response({"message": "busy"}, status=429)

    async with RawTestServer(refuse) as server, aiohttp.ClientSession() as http:
        yield RestateIngress(str(server.make_url("")), http, POLICY), keys


async def test_call_without_a_key_is_sent_once() -> None:
    async with overloaded() as (ingress, keys):
        with pytest.raises(IngressUnavailable):
            await ingress.call("/Accounts/pay", {}, WITHIN)
    assert keys == [""]


async def test_call_with_a_key_is_retried_with_the_same_key() -> None:
    async with overloaded() as (ingress, keys):
        with pytest.raises(IngressUnavailable):
            await ingress.call("/Accounts/pay", {}, WITHIN, "key-1")
    assert keys == ["key-1"] * 3


async def test_read_is_retried_without_a_key() -> None:
    async with overloaded() as (ingress, keys):
        with pytest.raises(IngressUnavailable):
            await ingress.read("/Session/s/status", {}, WITHIN)
    assert keys == [""] * 3


async def test_call_without_a_key_times_out() -> None:
    async with overloaded() as (ingress, _):
        with pytest.raises(IngressTimeout):
            await ingress.call("/Accounts/pay", {}, timedelta(0))


CLAIM = "/Session/s-1/claim"
OLD, NEW = "the old key of this mesh, 32 bytes", "the new key of this mesh, 32 bytes"
ONE, OTHER = (ClaimedKey(digest=digit * 64) for digit in "12")


async def test_claim_is_kept_while_the_keys_of_the_mesh_are_replaced() -> None:
    """Each step of a rotation is mixed with the one before: a gateway's claim is known to the next one."""
    claims: dict[str, bytes] = {}

    async def first_answer(request: web.BaseRequest) -> web.Response:
        body = claims.setdefault(request.headers["idempotency-key"], await request.read())
        return web.Response(body=body, content_type="application/json")

    async with RawTestServer(first_answer) as server, aiohttp.ClientSession() as http:
        url = str(server.make_url(""))
        steps = [
            RestateIngress(url, http, POLICY, speaker=SpeakerKeys(keys))
            for keys in ([OLD], [OLD, NEW], [NEW, OLD], [NEW])
        ]
        for number, (before, after) in enumerate(itertools.pairwise(steps)):
            for first, second in ((before, after), (after, before)):
                key = f"m-{number}-{first is before}"
                assert await first.claim(CLAIM, ONE, WITHIN, key)
                assert await second.claim(CLAIM, ONE, WITHIN, key)
                assert not await second.claim(CLAIM, OTHER, WITHIN, key)
                assert not await first.claim(CLAIM, OTHER, WITHIN, key)
    assert not any(name.startswith("m-") and " " not in name for name in claims), "a key that others can guess"


async def test_claim_of_a_server_that_is_no_mesh_is_refused() -> None:
    async def something_else(_: web.BaseRequest) -> web.Response:
        return web.json_response({"hello": "world"})

    async with RawTestServer(something_else) as server, aiohttp.ClientSession() as http:
        with pytest.raises(NotAMesh):
            await RestateIngress(str(server.make_url("")), http, POLICY).claim(CLAIM, ONE, WITHIN, "m-1")

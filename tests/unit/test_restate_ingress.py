"""Calls to Restate's ingress, against a small HTTP server in place of Restate: which of them are retried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from switchboard.ingress import IngressTimeout, IngressUnavailable, RestateIngress
from switchboard.retry import RetryPolicy

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

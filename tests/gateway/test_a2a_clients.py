"""A2A with official clients: a confirmation and the signed card with that of npm, and the example in Python."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from switchboard.testing import JSON, calls, says, scene
from tests.gateway.a2a_client import held_id, last_state, message, question, reply, state
from tests.gateway.front import Gateway, Visitor, open_gateway
from tests.gateway.test_a2a import TO_PROBE, paid, pays, unique
from tests.laboratory import LONG_MS, Laboratory
from tests.parts import PROJECT

CLIENT = Path(__file__).with_name("a2a.mjs")
ONE_CALL_MAX_S = 180
KEY = ec.generate_private_key(ec.SECP256R1())
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
async def signed(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway whose card names its real address, and is signed."""
    folder = tmp_path_factory.mktemp("signed")
    given = {"GATEWAY_A2A_URL": "http://127.0.0.1:{http}", "GATEWAY_A2A_SIGNING_KEY": PRIVATE}
    async with open_gateway(laboratory, folder, given) as opened:
        yield opened


class JsClient:
    """The client in a process of its own, for one customer."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def open(cls, visitor: Visitor, transport: str) -> "JsClient":
        pipe = asyncio.subprocess.PIPE
        arguments = (str(CLIENT), visitor.url, visitor.token, transport)
        return cls(await asyncio.create_subprocess_exec("node", *arguments, cwd=PROJECT, stdin=pipe, stdout=pipe))

    async def calls(self, call: str, **params: object) -> JSON:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": call, **params}).encode() + b"\n")
        async with asyncio.timeout(ONE_CALL_MAX_S):
            answer: JSON = json.loads(await self._process.stdout.readline())
        return answer

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


def answered(task: JSON, confirmed: bool) -> JSON:
    sent = message("", taskId=task["id"])
    sent["message"]["parts"] = [{"data": {"confirmation": {"heldId": held_id(task), "confirmed": confirmed}}}]
    return sent


@pytest.mark.parametrize("transport", ["JSONRPC", "HTTP+JSON"])
async def test_the_client_of_npm_confirms_a_payment(signed: Gateway, transport: str) -> None:
    laboratory, first, second = signed.laboratory, unique(), unique()
    slowly = calls(("wait", {"name": unique(), "milliseconds": LONG_MS}))
    await laboratory.model.plays(
        pays(first),
        pays(second),
        scene("Yes.", says("never said"), says("it is done")),
        scene("hello", says("hello yourself")),
        scene("slow", TO_PROBE, slowly),
    )
    client = await JsClient.open(signed.visitor(), transport)
    try:
        hello = (await client.calls("send", **message("hello")))["task"]
        assert (state(hello), reply(hello)) == ("COMPLETED", "hello yourself")
        assert (await client.calls("get", id=hello["id"]))["task"]["id"] == hello["id"]

        asked = (await client.calls("send", **message(f"pay {first}", contextId=hello["contextId"])))["task"]
        assert (state(asked), question(asked)["calls"][0]["arguments"]["to"]) == ("INPUT_REQUIRED", first)
        done = (await client.calls("send", **answered(asked, True)))["task"]
        assert (state(done), reply(done), done["id"]) == ("COMPLETED", "it is done", asked["id"])

        events = (await client.calls("stream", **message(f"pay {second}")))["events"]
        assert last_state(events) == "INPUT_REQUIRED"
        again = (await client.calls("get", id=events[0]["task"]["id"]))["task"]
        declined = (await client.calls("send", **answered(again, False)))["task"]
        assert state(declined) == "CANCELED"
        assert [paid(laboratory, name) for name in (first, second)] == [1, 0]

        slow = message("slow", configuration={"returnImmediately": True})
        running = (await client.calls("send", **slow))["task"]
        assert state(running) in ("SUBMITTED", "WORKING")

        async def works() -> bool:
            return state((await client.calls("get", id=running["id"]))["task"]) == "WORKING"

        await laboratory.until(works)
        assert state((await client.calls("cancel", id=running["id"]))["task"]) == "CANCELED"
        refused = await client.calls("subscribe", id=running["id"])
        assert "failed" in refused, refused
    finally:
        await client.close()


async def test_the_card_has_the_agents_and_a_valid_signature(signed: Gateway) -> None:
    client = await JsClient.open(signed.visitor(), "JSONRPC")
    try:
        shown = await client.calls("card", key=PUBLIC)
        assert shown["signed"] is True
        skills = {skill["name"]: skill["description"] for skill in shown["card"]["skills"]}
        assert skills["Probe"] == "Experiments of the laboratory."
        other = ec.generate_private_key(ec.SECP256R1()).public_key()
        foreign = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        assert (await client.calls("card", key=foreign))["signed"] is not True
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("typed", "times", "said"),
    [("y", 1, "TASK_STATE_COMPLETED: it is done"), ("n", 0, "TASK_STATE_CANCELED: Okay, I won't do that.")],
)
async def test_the_example_puts_the_question_to_the_person(signed: Gateway, typed: str, times: int, said: str) -> None:
    name = unique()
    await signed.laboratory.model.plays(pays(name), scene("Yes.", says("never said"), says("it is done")))
    visitor, pipe = signed.visitor(), asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROJECT / "examples/a2a/customer.py"), f"pay {name}"),
        env={**os.environ, "A2A_URL": visitor.url, "TOKEN": visitor.token},
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(ONE_CALL_MAX_S):
        printed, _ = await process.communicate(f"{typed}\n".encode())
    lines = printed.decode()
    assert process.returncode == 0, lines
    assert lines.splitlines()[-1].endswith(said), lines
    assert f"Pay 1.00 EUR to {name}? (pay" in lines
    assert paid(signed.laboratory, name) == times

"""Hold a short conversation with a mesh and check each reply: `python scripts/smoke.py`.

It needs only Python's standard library and not `switchboard.client`, so it runs where our packages are not installed.

It goes through the gateway with a customer's token. It only reads, so it can run any number of times.
"""

import argparse
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

GATEWAY = "http://localhost:8000"

CONVERSATION_TIMEOUT = timedelta(minutes=3)
"""Timeout of the whole conversation: new pods may still be starting, and models are slow."""

RETRY_PAUSE = timedelta(seconds=1)

KEY = "Idempotency-Key"

PROBLEM_MAX_CHARS = 500
"""Maximum number of characters of an error response that are shown."""


@dataclass(frozen=True)
class Expected:
    """A message, the agent that must answer it, and a pattern that the answer must match with any model."""

    text: str
    agent: str
    pattern: str


CONVERSATION = (
    Expected("how much is my balance?", "Bank", r"\d[\d.,]*\d"),
    Expected("what is the status of flight SB245 today?", "Airline", r"\w"),
    Expected("and what is my balance?", "Bank", r"\d[\d.,]*\d"),
)


class Failed(Exception):
    """The mesh did not behave as expected; the message says what happened."""


class TokenRejected(Failed):
    """The token is invalid, expired, or of another gateway. Retrying with the same token is useless."""


@dataclass
class Mesh:
    """The address of a mesh, with a new session of one customer."""

    url: str
    token: str = ""
    session: str = field(default_factory=lambda: f"smoke-{uuid.uuid4().hex[:12]}")

    def request(self, text: str) -> urllib.request.Request:
        """Return a request for a message. It has an idempotency key, so it can be resent."""
        headers = {"Content-Type": "application/json", KEY: new_key(), "Authorization": f"Bearer {self.token}"}
        url = f"{self.url.rstrip('/')}/v1/sessions/{self.session}/messages"
        return urllib.request.Request(url, json.dumps({"text": text}).encode(), headers)


def hold_conversation(mesh: Mesh, deadline: float, log: Callable[[str], None] = print) -> None:
    """Send all messages and check the replies. Raises Failed."""
    for turn, expected in enumerate(CONVERSATION, 1):
        started = time.monotonic()
        reply = post_until_answered(mesh.request(expected.text), deadline)
        check_reply(expected, reply, turn)
        log(f"{expected.text}\n  {reply['agent']}, {time.monotonic() - started:.1f} s: {reply['text']}")


def check_reply(expected: Expected, reply: dict[str, Any], turn: int) -> None:
    shown = json.dumps(reply, ensure_ascii=False)
    if reply.get("failed"):
        raise Failed(f"The reply to “{expected.text}” is an apology: {shown}")
    if reply.get("agent") != expected.agent:
        raise Failed(f"The reply to “{expected.text}” should come from {expected.agent}: {shown}")
    if not re.search(expected.pattern, str(reply.get("text", ""))):
        raise Failed(f"The reply to “{expected.text}” should match /{expected.pattern}/: {shown}")
    if reply.get("turn") != turn:
        raise Failed(
            f"The reply to message {turn} of the conversation has the turn number {reply.get('turn')}: {shown}"
        )


def post_until_answered(request: urllib.request.Request, deadline: float) -> dict[str, Any]:
    """Return the reply's JSON. Retry until the mesh is up. Raises Failed at the deadline, or immediately on a 4xx."""
    last = "no response"
    while (left := deadline - time.monotonic()) > 0:
        try:
            status, body = exchange(request, left)
            if status < 300:
                reply: dict[str, Any] = json.loads(body)
                return reply
        # A response that breaks off raises HTTPException, which is not an OSError.
        except (OSError, http.client.HTTPException, ValueError) as error:
            last = str(error)
        else:
            last = f"HTTP {status}: {body[:PROBLEM_MAX_CHARS]}"
            if status == 401:
                raise TokenRejected(f"The gateway rejected the token. Pass a new one with --token. {last}")
            # Restate answers 404 until a service is registered.
            if status < 500 and status != 404:
                break
            if status == 503 and is_stored_refusal(body):
                request.add_header(KEY, new_key())
        time.sleep(RETRY_PAUSE.total_seconds())
    raise Failed(f"No reply from {request.full_url}. Last response: {last}")


def exchange(request: urllib.request.Request, seconds: float) -> tuple[int, str]:
    """Return status and body for any status."""
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


def is_stored_refusal(problem: str) -> bool:
    """Return whether Restate stored this refusal under the message's key and would repeat it at each retry.

    The gateway's refusal has a code for that. Restate's own has the source `invocation`: the handler has ended without
    doing anything.
    """
    try:
        body = json.loads(problem)
    except ValueError:
        return False
    return isinstance(body, dict) and (body.get("code") == "no_agents" or body.get("source") == "invocation")


def new_key() -> str:
    return uuid.uuid4().hex


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Hold a short conversation with a mesh and check each reply.")
    parser.add_argument("--gateway", default=GATEWAY, help=f"URL of the gateway; default {GATEWAY}")
    parser.add_argument(
        "--token",
        default=os.environ.get("TOKEN", ""),
        help="a customer's token for the gateway; default: the variable TOKEN",
    )
    parser.add_argument(
        "--seconds", type=float, default=CONVERSATION_TIMEOUT.total_seconds(), help="timeout of the whole conversation"
    )
    options = parser.parse_args(arguments)
    if not options.token:
        parser.error("the gateway needs a customer's token: set --token or the variable TOKEN")
    mesh = Mesh(options.gateway, options.token)
    try:
        hold_conversation(mesh, time.monotonic() + options.seconds)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"Passed: all replies to {len(CONVERSATION)} messages are correct (session {mesh.session}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())

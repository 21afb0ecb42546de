"""Holds a short conversation with a mesh and checks each reply: `python scripts/smoke.py`. It needs nothing but Python.

It runs where our packages are not installed, so it does not use `switchboard.client`.

It goes through the gateway with --gateway and a customer's token, or straight to Restate's ingress. It only reads, so
it can be held as often as one likes.
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

INGRESS = "http://localhost:8080"

WITHIN = timedelta(minutes=3)
"""For the whole conversation: pods that have just registered may still be starting, and models are slow."""

PAUSE = timedelta(seconds=1)

KEY = "Idempotency-Key"

PROBLEM_MAX_CHARS = 500
"""Of an answer that is none; the rest is not shown."""


@dataclass(frozen=True)
class Says:
    """A message, who has to answer it, and what the answer has to hold whatever model words it."""

    text: str
    agent: str
    holds: str


CONVERSATION = (
    Says("how much is my balance?", "Bank", r"\d[\d.,]*\d"),
    Says("what is the status of flight SB245 today?", "Airline", r"\w"),
    Says("and what is my balance?", "Bank", r"\d[\d.,]*\d"),
)


class Failed(Exception):
    """The mesh did not do what it should; the message says what."""


class NotLetIn(Failed):
    """The token is none, has expired, or is another gateway's: asking again with it gets the same answer."""


@dataclass
class Mesh:
    """Where messages go: a new session of one customer."""

    url: str
    token: str = ""
    customer: str = "alice"
    session: str = field(default_factory=lambda: f"smoke-{uuid.uuid4().hex[:12]}")

    def request(self, text: str) -> urllib.request.Request:
        """The same message however often it is sent: it has a key."""
        body: dict[str, Any] = {"text": text}
        headers = {"Content-Type": "application/json", KEY: new_key()}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
            path = f"/v1/sessions/{self.session}/messages"
        else:
            body["customer_id"] = self.customer
            path = f"/Session/{self.session}/send"
        return urllib.request.Request(self.url.rstrip("/") + path, json.dumps(body).encode(), headers)


def hold(mesh: Mesh, until: float, say: Callable[[str], None] = print) -> None:
    """Raises Failed."""
    for turn, says in enumerate(CONVERSATION, 1):
        began = time.monotonic()
        reply = answer(mesh.request(says.text), until)
        check(says, reply, turn)
        say(f"{says.text}\n  {reply['agent']}, {time.monotonic() - began:.1f} s: {reply['text']}")


def check(says: Says, reply: dict[str, Any], turn: int) -> None:
    said = json.dumps(reply, ensure_ascii=False)
    if reply.get("failed"):
        raise Failed(f"“{says.text}” was answered with an apology: {said}")
    if reply.get("agent") != says.agent:
        raise Failed(f"“{says.text}” should have been answered by {says.agent}: {said}")
    if not re.search(says.holds, str(reply.get("text", ""))):
        raise Failed(f"The answer to “{says.text}” should hold /{says.holds}/: {said}")
    if reply.get("turn") != turn:
        raise Failed(f"This was message {turn} of the conversation, and the reply says {reply.get('turn')}: {said}")


def answer(request: urllib.request.Request, until: float) -> dict[str, Any]:
    """The reply's JSON. Sent again while nobody is there yet. Raises Failed when the time is up, at once on a 4xx."""
    last = "nobody answers"
    while (left := until - time.monotonic()) > 0:
        try:
            status, body = exchange(request, left)
            if status < 300:
                reply: dict[str, Any] = json.loads(body)
                return reply
        # An answer that breaks off is no OSError.
        except (OSError, http.client.HTTPException, ValueError) as error:
            last = str(error)
        else:
            last = f"HTTP {status}: {body[:PROBLEM_MAX_CHARS]}"
            if status == 401:
                raise NotLetIn(f"The token is not taken, or no longer; --token has to be a new one. {last}")
            # Restate answers 404 while nobody has registered a service.
            if status < 500 and status != 404:
                break
            if status == 503 and is_kept(body):
                request.add_header(KEY, new_key())
        time.sleep(PAUSE.total_seconds())
    raise Failed(f"No answer from {request.full_url}: {last}")


def exchange(request: urllib.request.Request, seconds: float) -> tuple[int, str]:
    """Status and body, whatever the status."""
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


def is_kept(problem: str) -> bool:
    """Whether Restate keeps this refusal under the message's key, and gives it again however many agents have come.

    The gateway says so by its code; Restate itself by its source, a handler that has ended. Nothing was done then.
    """
    try:
        said = json.loads(problem)
    except ValueError:
        return False
    return isinstance(said, dict) and (said.get("code") == "no_agents" or said.get("source") == "invocation")


def new_key() -> str:
    return uuid.uuid4().hex


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Hold a short conversation with a mesh and check each reply.")
    parser.add_argument("--ingress", default=INGRESS, help=f"Restate's ingress; {INGRESS}")
    parser.add_argument("--gateway", default="", help="go through the gateway at this address instead")
    parser.add_argument("--token", default=os.environ.get("TOKEN", ""), help="a customer's token; the variable TOKEN")
    parser.add_argument("--seconds", type=float, default=WITHIN.total_seconds(), help="for the whole conversation")
    asked = parser.parse_args(arguments)
    if asked.gateway and not asked.token:
        parser.error("the gateway wants to know who asks: --token, or the variable TOKEN")
    mesh = Mesh(asked.gateway, asked.token) if asked.gateway else Mesh(asked.ingress)
    try:
        hold(mesh, time.monotonic() + asked.seconds)
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"{len(CONVERSATION)} messages, every reply as it should be (session {mesh.session}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Hold a conversation through the gateway; exit with an error message if it fails. `helm test` runs it in a pod."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

QUESTION = os.environ.get("QUESTION", "how much is my balance?")
"""A question that needs every part of a mesh: triage hands it to an agent, which calls a tool for the amount."""

REPLY_PATTERN = os.environ.get("REPLY_PATTERN", "[0-9]")
"""Found in a reply only if a tool was called."""

TRIAGE = "Triage"

RETRY_PAUSE_SECONDS = 2

KEY = "Idempotency-Key"


class TestFailed(Exception):
    """The message says what failed."""


def main() -> int:
    gateway, customer = os.environ["GATEWAY_URL"], os.environ["CUSTOMER"]
    deadline = time.monotonic() + int(os.environ["TIMEOUT_SECONDS"])
    session = f"{gateway}/v1/sessions/helm-test-{uuid.uuid4().hex}"
    try:
        check_unauthenticated_request(session, deadline)
        token = os.environ.get("TOKEN") or create_token(customer)
        for turn in (1, 2):
            check_reply(send_message(session, token, deadline), turn)
    except TestFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("Passed: an agent answered two messages in one conversation.\n")
    return 0


def create_token(customer: str) -> str:
    """Return a token signed with the gateway's own secret."""
    command = [sys.executable, "-m", "switchboard.gateway.token", "--customer", customer, "--minutes", "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TestFailed(f"Cannot create a token for customer {customer}: {done.stderr.strip()}")
    return done.stdout.strip()


def check_unauthenticated_request(session: str, deadline: float) -> None:
    status, body = post_until_answered(session + "/messages", {}, deadline)
    if status != 401:
        raise TestFailed(f"A request without a token should get a 401, but got a {status}: {body}")


def send_message(session: str, token: str, deadline: float) -> dict:
    headers = {"Authorization": f"Bearer {token}", KEY: uuid.uuid4().hex}
    status, body = post_until_answered(session + "/messages", headers, deadline)
    if status != 200:
        raise TestFailed(f"A message should get a 200, but got a {status}: {body}")
    return json.loads(body)


def check_reply(reply: dict, turn: int) -> None:
    if reply.get("failed") or not reply.get("agent") or not str(reply.get("text", "")).strip():
        raise TestFailed(f"The reply is an apology instead of an agent's answer: {json.dumps(reply)}")
    if reply["agent"] == TRIAGE or not re.search(REPLY_PATTERN, reply["text"]):
        expected = f"an answer of another agent than {TRIAGE} that fits {REPLY_PATTERN!r}"
        raise TestFailed(f"The reply to {QUESTION!r} is not {expected}: {json.dumps(reply)}")
    if reply.get("turn") != turn:
        raise TestFailed(f"The reply to message {turn} of the conversation has the turn number {reply.get('turn')}.")


def post_until_answered(url: str, headers: dict, deadline: float) -> tuple[int, str]:
    """Return status and body. Retry on 5xx and broken connections: agents register only after an installation ends."""
    body = json.dumps({"text": QUESTION}).encode()
    last = ""
    while (left := deadline - time.monotonic()) > 0:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
        try:
            status, answer = exchange(request, left)
        # A response that breaks off raises HTTPException, which is not an OSError.
        except (OSError, http.client.HTTPException) as error:
            last = str(error)
        else:
            last = f"{status} {answer}"
            if status < 500:
                return status, answer
            # Restate stores this refusal under the key and would repeat it, so retry with a new key.
            if KEY in headers and error_code(answer) == "no_agents":
                headers = {**headers, KEY: uuid.uuid4().hex}
        time.sleep(RETRY_PAUSE_SECONDS)
    raise TestFailed(f"No answer from {url} in time. Last response: {last}")


def exchange(request: urllib.request.Request, seconds: float) -> tuple[int, str]:
    """Return status and body for any status."""
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


def error_code(problem: str) -> str:
    """Return the gateway's error code, or "" if the body is not from the gateway."""
    try:
        body = json.loads(problem)
    except ValueError:
        return ""
    return str(body.get("code", "")) if isinstance(body, dict) else ""


if __name__ == "__main__":
    sys.exit(main())

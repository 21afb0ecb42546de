"""Holds a conversation through the gateway and ends with a sentence if it fails: `helm test` runs it in the cluster."""

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

QUESTION = "how much is my balance?"
"""Any model's answer needs all of a mesh: the triage hands it to an agent, and the agent asks a tool for the amount."""

TRIAGE = "Triage"

PAUSE_SECONDS = 2

KEY = "Idempotency-Key"


class TestFailed(Exception):
    """The message says what did not work."""


def main() -> int:
    gateway, customer = os.environ["GATEWAY_URL"], os.environ["CUSTOMER"]
    until = time.monotonic() + int(os.environ["TIMEOUT_SECONDS"])
    session = f"{gateway}/v1/sessions/helm-test-{uuid.uuid4().hex}"
    try:
        refuse_strangers(session, until)
        token = os.environ.get("TOKEN") or minted(customer)
        for turn in (1, 2):
            check(ask(session, token, until), turn)
    except TestFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("An agent answered twice, in one conversation.\n")
    return 0


def minted(customer: str) -> str:
    """A token by the gateway's own secret."""
    command = [sys.executable, "-m", "switchboard.gateway.token", "--customer", customer, "--minutes", "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TestFailed(f"No token could be made: {done.stderr.strip()}")
    return done.stdout.strip()


def refuse_strangers(session: str, until: float) -> None:
    status, body = insist(session + "/messages", {}, until)
    if status != 401:
        raise TestFailed(f"Whoever has no token should get a 401, and got a {status}: {body}")


def ask(session: str, token: str, until: float) -> dict:
    headers = {"Authorization": f"Bearer {token}", KEY: uuid.uuid4().hex}
    status, body = insist(session + "/messages", headers, until)
    if status != 200:
        raise TestFailed(f"A message got a {status}: {body}")
    return json.loads(body)


def check(reply: dict, turn: int) -> None:
    if reply.get("failed") or not reply.get("agent") or not str(reply.get("text", "")).strip():
        raise TestFailed(f"No agent has answered, but an apology came: {json.dumps(reply)}")
    if reply["agent"] == TRIAGE or not any(letter.isdigit() for letter in reply["text"]):
        raise TestFailed(f"No agent has answered {QUESTION!r} with an amount that a tool gave it: {json.dumps(reply)}")
    if reply.get("turn") != turn:
        raise TestFailed(f"This was message {turn} of the conversation, and the reply says {reply.get('turn')}")


def insist(url: str, headers: dict, until: float) -> tuple[int, str]:
    """Status and body; again while nobody is there yet: right after an installation, agents are still registering."""
    body = json.dumps({"text": QUESTION}).encode()
    said = ""
    while (left := until - time.monotonic()) > 0:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
        try:
            status, answer = exchange(request, left)
        # An answer that breaks off is no OSError.
        except (OSError, http.client.HTTPException) as error:
            said = str(error)
        else:
            said = f"{status} {answer}"
            if status < 500:
                return status, answer
            # Restate keeps this refusal under its key, and gives it again however many agents have come.
            if KEY in headers and code_of(answer) == "no_agents":
                headers = {**headers, KEY: uuid.uuid4().hex}
        time.sleep(PAUSE_SECONDS)
    raise TestFailed(f"No answer in time from {url}: {said}")


def exchange(request: urllib.request.Request, seconds: float) -> tuple[int, str]:
    """Status and body, whatever the status."""
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return response.status, response.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


def code_of(problem: str) -> str:
    """What a refusal of the gateway is called; a proxy's has no name."""
    try:
        said = json.loads(problem)
    except ValueError:
        return ""
    return str(said.get("code", "")) if isinstance(said, dict) else ""


if __name__ == "__main__":
    sys.exit(main())

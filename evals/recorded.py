"""Replay recorded conversations through the whole mesh, and report refused writes and different results.

uv run python -m evals.recorded --data DIR --recordings FILE
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from evals.mesh import EvalMesh, HandlerFailed, airline_environment, open_mesh
from evals.recordings import Grades, PlayedCall, Recording, calls_in, customer_of, grade_recording, read_recordings
from evals.tasks import BadFile, World, read_world
from switchboard.local.process import StartFailed
from switchboard.messages import Message
from switchboard.session.contract import SendReply, Transcript
from switchboard.testing import Answer, Customer

SERVICES = ("triage", "airline", "tools")
AGENT = "Airline"
"""The agent of the recorded conversations."""

CONFIRMATIONS_MAX = 24
"""Per message; a recorded agent may write several times in a row."""

MISSES_SHOWN_MAX = 50


async def replay(data: Path, recordings: Sequence[Recording]) -> dict[str, Grades]:
    """Replay each recording from the initial state. Raises BadFile, StartFailed, HandlerFailed."""
    base = read_world(data)
    environment = {**airline_environment(data), "SWITCHBOARD_FALLBACK_MODELS": ""}
    grades: dict[str, Grades] = {}
    async with open_mesh(environment, services=SERVICES) as mesh:
        for number, recording in enumerate(recordings):
            if number:
                await mesh.reset()
            grades[recording.name] = await play(mesh, recording, base)
            print_grade(recording, grades[recording.name])
    return grades


async def play(mesh: EvalMesh, recording: Recording, base: World) -> Grades:
    """Send one recording's customer messages, confirm every question, and grade the calls."""
    customer_id = customer_of(recording, base)
    played = recording.model_dump(mode="json") | {
        "agent": AGENT,
        "customer_id": customer_id,
        "session": recording.session,
    }
    await mesh.control("PUT", "recordings", [played])
    customer = mesh.customer(customer_id, recording.session)
    failed: list[str] = []
    for number, text in enumerate(recording.customers_messages(), 1):
        if wrong := await take_turn(customer, text):
            failed.append(f"{recording.name}: message {number} failed: {wrong}")
    grades = grade_recording(recording, await played_calls(customer), customer_id, base)
    grades.misses += failed
    return grades


async def take_turn(customer: Customer, text: str) -> str:
    """Send a message and confirm held calls, to which the recorded customer agreed. Return what went wrong or ""."""
    answer = await customer.says(text)
    for _ in range(CONFIRMATIONS_MAX):
        if answer.status != 200:
            return f"HTTP {answer.status}: {answer.text}"
        reply = SendReply.model_validate(answer.body)
        if reply.failed or reply.interrupted:
            return reply.text
        if reply.confirmation is None:
            return ""
        answer = await customer.asks("confirm", held_id=reply.confirmation.held_id)
    return f"there are still questions after {CONFIRMATIONS_MAX} confirmations"


async def played_calls(customer: Customer) -> list[PlayedCall]:
    """Return every call of the session with its result."""
    messages: list[Message] = []
    after = total = 0
    while not messages or after < total:
        answer: Answer = await customer.asks("transcript", after=after, limit=50)
        if answer.status != 200:
            raise HandlerFailed(f"transcript: HTTP {answer.status}: {answer.text}")
        page = Transcript.model_validate(answer.body)
        messages += [message for turn in page.turns for message in turn.messages]
        after, total = page.turns[-1].turn, page.turns_total
    return calls_in(messages)


def print_grade(recording: Recording, grades: Grades) -> None:
    """Print one line per recording and one per miss or remark to stderr, because stdout is for the JSON summary."""
    writes = ", ".join(f"{count} {what}" for what, count in sorted(grades.writes.items())) or "no write"
    sys.stderr.write(f"{recording.name:>6}  {writes}\n")
    for line in grades.remarks:
        sys.stderr.write(f"        {line}\n")
    for line in grades.misses:
        sys.stderr.write(f"        MISS {line}\n")
    sys.stderr.flush()


def totals(grades: Sequence[Grades], seconds: float) -> dict[str, object]:
    """Return the summary of all recordings."""
    writes = added(one.writes for one in grades)
    misses = [miss for one in grades for miss in one.misses]
    return {
        "recordings": len(grades),
        "writes_attempted": sum(writes.values()),
        "writes_refused": sum(count for what, count in writes.items() if what.endswith("refused")),
        "writes_let_through": sum(count for what, count in writes.items() if what.endswith("made")),
        "writes": writes,
        "refused_by_rule": added(one.rules for one in grades),
        "reads": added(one.reads for one in grades),
        "misses_total": len(misses),
        "misses": misses[:MISSES_SHOWN_MAX],
        "seconds": round(seconds, 1),
    }


def added(counters: Iterable[Counter[str]]) -> dict[str, int]:
    return dict(sorted(sum(counters, Counter[str]()).items()))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals.recorded", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with flights, reservations and users.json")
    parser.add_argument("--recordings", type=Path, required=True, help="the recorded conversations")
    parser.add_argument("only", nargs="*", help="replay only these recordings, named by task and trial such as 3/0")
    given = parser.parse_args(argv)
    began = time.monotonic()
    try:
        recordings = [one for one in read_recordings(given.recordings) if not given.only or one.name in given.only]
        grades = asyncio.run(replay(given.data, recordings))
    except (BadFile, StartFailed, HandlerFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    summary = totals(list(grades.values()), time.monotonic() - began)
    sys.stdout.write(json.dumps(summary) + "\n")
    return 1 if summary["misses_total"] else 0


if __name__ == "__main__":
    sys.exit(main())

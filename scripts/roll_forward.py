"""Roll a new version of the bank agent out and back: `python -m scripts.roll_forward here | cluster --tag 0.1.1`.

`here` starts its own mesh and needs nothing else. `cluster` changes the release in the cluster of kubectl's context;
`--dry-run` only prints the commands. docs/operate/upgrade.md explains the steps.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from scripts import smoke
from scripts.rolling.cluster import Cluster, StepFailed, hold_conversations, print_command, roll, run
from scripts.rolling.deployments import StillNeeded
from scripts.rolling.play import MessageFailed, Report, play
from switchboard.local.process import StartFailed
from switchboard.local.restate_server import AdminError

SESSIONS = 8


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    return roll_here(options.sessions) if options.where == "here" else roll_on_cluster(options)


def parser() -> argparse.ArgumentParser:
    both = argparse.ArgumentParser(description="Roll a new version of the bank agent out and back, under load.")
    where = both.add_subparsers(dest="where", required=True)
    local = where.add_parser("here", help="start a mesh on this machine and roll there")
    cluster = where.add_parser("cluster", help="roll in the cluster of kubectl's context")
    cluster.add_argument("--tag", required=True, help="tag of the new image, which must be in the registry")
    cluster.add_argument("--release", default="mesh")
    cluster.add_argument("--namespace", default="mesh")
    cluster.add_argument("--service", default="bank")
    cluster.add_argument("--gateway", default=smoke.GATEWAY, help="URL of the gateway, for the conversations")
    cluster.add_argument(
        "--token", default=os.environ.get("TOKEN", ""), help="a customer's token for the gateway; default: TOKEN"
    )
    cluster.add_argument("--dry-run", action="store_true", help="only print the commands")
    for each in (local, cluster):
        each.add_argument(
            "--sessions", type=int, default=SESSIONS, help=f"number of concurrent sessions; default {SESSIONS}"
        )
    return both


def roll_here(sessions: int) -> int:
    """Return 0 if no message failed, else 1."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="switchboard-roll-") as folder:
        try:
            report = asyncio.run(play(Path(folder), sessions, print))
        except* (StartFailed, AdminError, StillNeeded, MessageFailed) as failures:
            report.failures = [str(failure) for failure in failures.exceptions]
    for version, turns in report.served.items():
        print(f"  {version:9} {turns:5} turns of the bank")
    return end(report.failures)


def roll_on_cluster(options: argparse.Namespace) -> int:
    cluster = Cluster(print_command if options.dry_run else run, options.release, options.namespace, options.service)
    address = smoke.Mesh(options.gateway, options.token)
    try:
        with hold_conversations(address, 0 if options.dry_run else options.sessions) as held:
            roll(cluster, options.tag, print)
    except StepFailed as failure:
        return end([str(failure), *held.failures])
    if not options.dry_run:
        print(f"{held.completed} conversations completed, {held.failed} failed")
    return end(held.failures)


def end(failures: list[str]) -> int:
    for failure in failures:
        print(failure, file=sys.stderr)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())

"""Rolls a new version of the bank agent out and back: `python -m scripts.roll_forward here | cluster --tag 0.1.1`.

`here` starts a mesh of its own and needs nothing else. `cluster` changes the release that kubectl's context shows;
`--dry-run` prints what it would do. docs/operate/upgrade.md says what happens.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from scripts import smoke
from scripts.rolling.cluster import Cluster, StepFailed, conversations, printed, roll, run
from scripts.rolling.deployments import StillNeeded
from scripts.rolling.play import Lost, Report, play
from switchboard.local.process import StartFailed
from switchboard.local.restate_server import AdminError

SESSIONS = 8


def main(arguments: list[str] | None = None) -> int:
    asked = parser().parse_args(arguments)
    return here(asked.sessions) if asked.where == "here" else on_a_cluster(asked)


def parser() -> argparse.ArgumentParser:
    both = argparse.ArgumentParser(description="Roll a new version of the bank agent out and back, under load.")
    where = both.add_subparsers(dest="where", required=True)
    local = where.add_parser("here", help="on a mesh of this machine, which is started for it")
    cluster = where.add_parser("cluster", help="on the cluster of kubectl's context")
    cluster.add_argument("--tag", required=True, help="the new image's tag; it is in the registry already")
    cluster.add_argument("--release", default="mesh")
    cluster.add_argument("--namespace", default="mesh")
    cluster.add_argument("--service", default="bank")
    cluster.add_argument("--ingress", default=smoke.INGRESS, help="Restate's ingress, for the conversations meanwhile")
    cluster.add_argument("--gateway", default="", help="hold them through the gateway at this address instead")
    cluster.add_argument("--token", default=os.environ.get("TOKEN", ""), help="a customer's, for the gateway")
    cluster.add_argument("--dry-run", action="store_true", help="print the commands; nothing is done")
    for each in (local, cluster):
        each.add_argument("--sessions", type=int, default=SESSIONS, help=f"that write at the same time; {SESSIONS}")
    return both


def here(sessions: int) -> int:
    """0 when no message failed."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="switchboard-roll-") as folder:
        try:
            report = asyncio.run(play(Path(folder), sessions, print))
        except* (StartFailed, AdminError, StillNeeded, Lost) as failures:
            report.failures = [str(failure) for failure in failures.exceptions]
    for version, turns in report.served.items():
        print(f"  {version:9} {turns:5} turns of the bank")
    return end(report.failures)


def on_a_cluster(asked: argparse.Namespace) -> int:
    cluster = Cluster(printed if asked.dry_run else run, asked.release, asked.namespace, asked.service)
    address = smoke.Mesh(asked.gateway or asked.ingress, asked.token if asked.gateway else "")
    try:
        with conversations(address, 0 if asked.dry_run else asked.sessions) as meanwhile:
            roll(cluster, asked.tag, print)
    except StepFailed as failure:
        return end([str(failure), *meanwhile.failures])
    if not asked.dry_run:
        print(f"{meanwhile.held} conversations held meanwhile, {meanwhile.failed} failed")
    return end(meanwhile.failures)


def end(failures: list[str]) -> int:
    for failure in failures:
        print(failure, file=sys.stderr)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())

"""An object store for Restate's snapshots: moto, which speaks S3, with its objects in memory."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from switchboard.local.process import Process, free_ports

BUCKET = "snapshots"
KEYS = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
REGION = "us-east-1"


@dataclass(frozen=True)
class ObjectStore:
    """A running object store with one bucket. Each cluster has a prefix of its own in it."""

    url: str
    s3: Any

    def settings(self, prefix: str) -> dict[str, str]:
        """Return Restate's settings for snapshots below a prefix."""
        settings = {
            "DESTINATION": f"s3://{BUCKET}/{prefix}",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            **{name.upper(): value for name, value in KEYS.items()},
        }
        return {f"RESTATE_WORKER__SNAPSHOTS__{name}": value for name, value in settings.items()}

    async def copy_for(self, fingerprint: int, prefix: str, target: str) -> dict[int, int]:
        """Copy the snapshots of one cluster for another, which has this fingerprint.

        Restate refuses snapshots with another cluster's fingerprint. Returns the last log position that the snapshot of
        each partition contains.
        """
        return await asyncio.to_thread(self._copy_for, fingerprint, prefix, target)

    def _copy_for(self, fingerprint: int, prefix: str, target: str) -> dict[int, int]:
        applied: dict[int, int] = {}
        for listed in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/")["Contents"]:
            key = listed["Key"]
            content = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            if key.endswith(".json"):
                content = json.dumps({**json.loads(content), "cluster_fingerprint": fingerprint}).encode()
            if latest := re.fullmatch(rf"{prefix}/(\d+)/latest\.json", key):
                applied[int(latest[1])] = json.loads(content)["min_applied_lsn"]
            self.s3.put_object(Bucket=BUCKET, Key=key.replace(prefix, target, 1), Body=content)
        return applied


@asynccontextmanager
async def open_object_store(folder: Path) -> AsyncIterator[ObjectStore]:
    """Run an object store until the end of the block. Its log is in the folder."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    process = Process(
        name="object-store",
        command=[sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        environment={},
        port=port,
        health=f"{url}/moto-api/",
        log=folder / "object-store.log",
    )
    await process.start()
    try:
        s3 = boto3.client("s3", endpoint_url=url, region_name=REGION, **KEYS)
        await asyncio.to_thread(s3.create_bucket, Bucket=BUCKET)
        yield ObjectStore(url, s3)
    finally:
        await process.stop()

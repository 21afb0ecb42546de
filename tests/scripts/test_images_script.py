"""`scripts/ci/images.sh` pushes all images on one base image by digest.

A program that writes down its arguments stands in for docker.
"""

import os
import subprocess
from pathlib import Path

import pytest

from scripts.image_tree import services
from tests.parts import PROJECT

BASE_DIGEST, IMAGE_DIGEST = "sha256:" + "b" * 64, "sha256:" + "c" * 64
REGISTRY = "registry.example.org/switchboard"

DOCKER = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
  *"imagetools inspect docker.io/library/python:"*) echo "$MANIFEST" ;;
  *"imagetools inspect"*) exit 1 ;;  # The image is not in the registry yet.
  *"buildx build --push"*)
    while test "$1" != --metadata-file; do shift; done
    printf '{"containerimage.digest": "%s"}' "$DIGEST" > "$2" ;;
esac
"""


def build(folder: Path, **more: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the script with the stand-in. Returns the result and docker's calls."""
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    calls = folder / "calls"
    calls.touch()
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("BASE", "TAG", "PLATFORMS")},
        "PATH": f"{folder}:{os.environ['PATH']}",
        "CALLS": str(calls),
        "MANIFEST": f'{{"digest": "{BASE_DIGEST}"}}',
        "DIGEST": IMAGE_DIGEST,
        "IMAGE_REGISTRY": REGISTRY,
        "DIST": str(folder / "dist"),
        **more,
    }
    done = subprocess.run(
        [str(PROJECT / "scripts/ci/images.sh")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return done, calls.read_text().splitlines()


@pytest.mark.parametrize("given", ["", f"docker.io/library/python@{'sha256:' + 'd' * 64}"], ids=["looked up", "given"])
def test_pushed_images_have_one_base_by_digest(tmp_path: Path, given: str) -> None:
    done, calls = build(tmp_path, PUSH="1", **({"BASE": given} if given else {}))
    assert done.returncode == 0, done.stderr
    base = given or f"docker.io/library/python@{BASE_DIGEST}"
    builds = [call for call in calls if call.startswith("buildx build")]
    assert len(builds) == len(list(services(PROJECT)))
    assert all(f"--build-arg BASE={base} " in call for call in builds)
    lines = (tmp_path / "dist/images.txt").read_text().splitlines()
    assert f"{REGISTRY}/switchboard-bank@{IMAGE_DIGEST}" in lines
    assert len(lines) == len(builds)


def test_nothing_is_pushed_when_the_base_has_no_digest(tmp_path: Path) -> None:
    done, calls = build(tmp_path, PUSH="1", MANIFEST='{"digest": ""}')
    assert done.returncode == 1
    assert "does not say the digest of docker.io/library/python" in done.stderr
    assert [call for call in calls if "build --" in call] == []


def test_images_for_this_machine_need_no_registry(tmp_path: Path) -> None:
    done, calls = build(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [call for call in calls if "inspect" in call or "BASE=" in call] == []

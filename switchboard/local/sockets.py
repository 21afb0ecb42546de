"""The Unix sockets of a local Restate server. Web pages and other users of the machine cannot reach them."""

import hashlib
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from switchboard.local.process import StartFailed

NODE_NAME = "local"
"""Restate's name for the node. It puts its sockets into a folder with this name."""

PATH_MAX_BYTES = 100
"""Operating systems allow 104 to 108 bytes for the path of a Unix socket."""

DIGEST_CHARACTERS = 16
KEPT_FOR = timedelta(days=1)
"""How long a link is kept, even if its data is gone."""

OWNER_ONLY = 0o700


@dataclass(frozen=True)
class Sockets:
    """Paths of a server's sockets. `base` leads to the server's data and is short enough for them."""

    base: Path

    @property
    def ingress(self) -> Path:
        return self.base / NODE_NAME / "ingress.sock"

    @property
    def admin(self) -> Path:
        return self.base / NODE_NAME / "admin.sock"

    @property
    def node(self) -> Path:
        return self.base / NODE_NAME / "fabric.sock"


def sockets_of(data: Path) -> Sockets:
    """Return the sockets of the server whose data is in this folder, and create the folder. Raises StartFailed.

    Restate creates its sockets inside its data, whose path may be too long for a socket. So the server gets a short
    path: a link in a folder that only this user can use.
    """
    data.mkdir(parents=True, exist_ok=True)
    links = private_folder()
    remove_dead_links(links)
    link = links / hashlib.sha256(os.fsencode(data.absolute())).hexdigest()[:DIGEST_CHARACTERS]
    draft = link.with_name(f"{link.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(data.absolute())
    draft.replace(link)
    return Sockets(link)


def private_folder() -> Path:
    """Return a short folder that only this user can use. Raises StartFailed if another user has made it."""
    folder = next(
        each
        for each in folders()
        if len(os.fsencode(Sockets(each / ("x" * DIGEST_CHARACTERS)).ingress)) <= PATH_MAX_BYTES
    )
    with suppress(FileExistsError):
        folder.mkdir(mode=OWNER_ONLY)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != OWNER_ONLY:
        raise StartFailed(
            f"{folder} is not a folder that only you can use (mode 700), so Restate's sockets are not safe there. "
            "Remove it, or set XDG_RUNTIME_DIR to a folder of your own."
        )
    return folder


def folders() -> list[Path]:
    """Return the folders to choose from, the preferred one first. The last one is always short enough."""
    name = f"switchboard-{os.getuid()}"
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    return (
        [runtime / name, Path("/tmp") / name] if runtime.is_absolute() and runtime.is_dir() else [Path("/tmp") / name]
    )


def remove_dead_links(links: Path) -> None:
    """Remove old links to data that no longer exists. A mesh that is starting or being reset may have a newer one."""
    for link in links.iterdir():
        with suppress(FileNotFoundError):  # Another mesh has just removed it.
            if not link.exists() and time.time() - link.lstat().st_mtime > KEPT_FOR.total_seconds():
                link.unlink()

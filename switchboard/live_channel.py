"""The live channel between the processes of a mesh and its gateways: its address, its bounds, and who may open it.

A process opens a WebSocket to every gateway. The gateway sends the frames `Watch` and `Unwatch`, the process sends
`Told`; see `switchboard.events`. Each side proves that it holds a speaker key, with the other side's nonce, so that
what was overheard on one connection opens no other one:

1. process -> gateway, with the request: LIVE_NONCE_HEADER with its nonce, and a speaker token for it.
2. gateway -> process, with the response: LIVE_NONCE_HEADER with its own nonce, LIVE_TAG_HEADER with a tag of the
   process's nonce.
3. process -> gateway, as the first text frame: a tag of the gateway's nonce.

Without speaker keys, as on one machine, the headers and the first frame are empty.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from switchboard.speaker import SPEAKER_HEADER, SpeakerKeys, SpeakerRefused

LIVE_PATH = "/v1/live"
LIVE_TARGET = "live"
"""What the speaker token of a process is signed for."""

LIVE_NONCE_HEADER = "x-switchboard-nonce"
LIVE_TAG_HEADER = "x-switchboard-tag"
NONCE_BYTES = 16

FRAME_MAX_BYTES = 8 * 1024 * 1024
"""Maximum size of one frame. The largest event has the text of a model's step: 1 MiB, in JSON up to six times that."""

HANDSHAKE_TIMEOUT = timedelta(seconds=5)
"""How long each side waits for the other one's proof."""

PING_INTERVAL = timedelta(seconds=10)
"""How often a process sends a ping. A connection without an answer within half of it is closed and opened again."""

TOO_OLD = "was sent too long after it was signed"


@dataclass(frozen=True)
class Opening:
    """The process's side of one handshake: the headers of its request, and its nonce."""

    headers: dict[str, str]
    nonce: str


@dataclass(frozen=True)
class Accepted:
    """The gateway's side of one handshake: the headers of its response, and the first frame that it expects."""

    headers: dict[str, str]
    nonce: str
    keys: SpeakerKeys | None

    def is_proven_by(self, first_frame: str) -> bool:
        """Return whether the first frame comes from a process that holds a key."""
        return self.keys is None or self.keys.has_tag(of_process(self.nonce), first_frame)


def open_channel(keys: SpeakerKeys | None) -> Opening:
    """Return the headers with which a process opens the channel."""
    nonce = secrets.token_hex(NONCE_BYTES)
    if keys is None:
        return Opening({}, nonce)
    return Opening({LIVE_NONCE_HEADER: nonce, **keys.sign(LIVE_TARGET, nonce.encode())}, nonce)


def accept_channel(keys: SpeakerKeys | None, headers: Mapping[str, str], now: datetime | None = None) -> Accepted:
    """Return the gateway's answer to a process's request. Raises SpeakerRefused.

    `headers` are the request's, with names in lower case or in a mapping that ignores case.
    """
    nonce = secrets.token_hex(NONCE_BYTES)
    if keys is None:
        return Accepted({}, nonce, None)
    of_caller = headers.get(LIVE_NONCE_HEADER, "")
    proof = keys.verify(headers.get(SPEAKER_HEADER, ""), LIVE_TARGET, of_caller.encode())
    if not proof.in_time(now or datetime.now(UTC)):
        raise SpeakerRefused(TOO_OLD)
    return Accepted({LIVE_NONCE_HEADER: nonce, LIVE_TAG_HEADER: keys.tag(of_gateway(of_caller))}, nonce, keys)


def first_frame(keys: SpeakerKeys | None, opening: Opening, headers: Mapping[str, str]) -> str:
    """Return the process's first frame, after checking the gateway's response. Raises SpeakerRefused."""
    if keys is None:
        return ""
    if not keys.has_tag(of_gateway(opening.nonce), headers.get(LIVE_TAG_HEADER, "")):
        raise SpeakerRefused("was answered by a gateway that does not hold a key of this mesh")
    return keys.tag(of_process(headers.get(LIVE_NONCE_HEADER, "")))


def of_gateway(nonce: str) -> str:
    return f"live gateway {nonce}"


def of_process(nonce: str) -> str:
    return f"live process {nonce}"

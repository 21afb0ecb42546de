"""Frames of the live channel that go through a broker: their channels, and how a receiver knows who has sent them.

A broker has other clients, so it proves nothing about a sender. Each frame is signed with a key of the live channel,
together with its channel, its sender, a number and the time. So a frame that a stranger publishes, and one that is
published again or on another channel, is refused.

- SESSION_CHANNEL + session: what processes tell of its running turns (`Told`). Gateways with viewers subscribe.
- WATCHED_CHANNEL: what people watch at a gateway (`Watch`, `Unwatch`). All processes subscribe.
- ASKED_CHANNEL: a process that has just subscribed asks what people watch. All gateways subscribe.
- PROCESS_CHANNEL + sender: the gateways' answers to the process whose connection is this sender.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from switchboard.speaker import SpeakerKeys

CHANNELS = "switchboard:live:"
SESSION_CHANNEL = f"{CHANNELS}session:"
WATCHED_CHANNEL = f"{CHANNELS}watched"
ASKED_CHANNEL = f"{CHANNELS}asked"
PROCESS_CHANNEL = f"{CHANNELS}process:"

FRESH_WITHIN = timedelta(seconds=60)
"""Maximum age of a frame, and how far the clocks of two machines may differ."""

SENDER_BYTES = 8

SENDERS_MAX = 10_000
"""Senders whose last number a receiver remembers. Each connection of a process is a sender."""

FIELDS = 5
MS_PER_S = 1_000


class FrameRefused(Exception):
    """A frame that this mesh has not sent, or that came before. `reason` is one of the metric's values."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class OpenedFrame:
    """A frame that a holder of a key has sent, and the connection that has sent it."""

    sender: str
    content: str


def utc_now() -> datetime:
    return datetime.now(UTC)


class FrameSealer:
    """Signs the frames of one connection."""

    def __init__(self, keys: SpeakerKeys, now: Callable[[], datetime] = utc_now) -> None:
        self._keys = keys
        self._now = now
        self.sender = secrets.token_hex(SENDER_BYTES)
        self._number = 0

    def seal(self, channel: str, content: str) -> str:
        """Return the frame as it is published: sender, number, time in ms, tag, content."""
        self._number += 1
        head = f"{self.sender} {self._number} {int(self._now().timestamp() * MS_PER_S)}"
        return f"{head} {self._keys.tag(signed_text(channel, head, content))} {content}"


class FrameOpener:
    """Checks the frames that come from a broker."""

    def __init__(self, keys: SpeakerKeys, now: Callable[[], datetime] = utc_now) -> None:
        self._keys = keys
        self._now = now
        self._last: OrderedDict[str, int] = OrderedDict()

    def open(self, channel: str, sealed: bytes) -> OpenedFrame:
        """Return the content of a frame. Raises FrameRefused."""
        try:
            sender, number, at_ms, tag, content = sealed.decode().split(" ", FIELDS - 1)
            known = self._keys.has_tag(signed_text(channel, f"{sender} {number} {at_ms}", content), tag)
        except (ValueError, TypeError):  # TypeError: a tag with characters outside of ASCII.
            known = False
        if not known:
            raise FrameRefused("unsigned")
        if abs(self._now() - datetime.fromtimestamp(int(at_ms) / MS_PER_S, UTC)) > FRESH_WITHIN:
            raise FrameRefused("old")
        if int(number) <= self._last.get(sender, 0):
            raise FrameRefused("repeated")
        self._last[sender] = int(number)
        self._last.move_to_end(sender)
        if len(self._last) > SENDERS_MAX:
            self._last.popitem(last=False)
        return OpenedFrame(sender, content)


def signed_text(channel: str, head: str, content: str) -> str:
    return f"live frame {channel} {head} {content}"

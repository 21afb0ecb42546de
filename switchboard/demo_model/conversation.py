"""Looks at a conversation's items: who said what last, what was called and what came back; decides nothing."""

import re
from dataclasses import dataclass
from functools import cached_property

import orjson

from switchboard.demo_model.wire import Call, Item, Message, Output

HAND_OFF_PREFIX = "handoff_to_"
# Every question for a missing argument starts like this, so that the next request can tell that one was asked.
ASK_PREFIX = "Please tell me "

_HANDED_OVER_BY = re.compile(r"\b(?:handed|passed|transferred)\b[^.\n]{0,60}?\b(?:by|from)\s+(?:the\s+)?(\w+)", re.I)


@dataclass(frozen=True, slots=True)
class Result:
    """One call and what came back for it; both as the raw texts of the conversation."""

    name: str
    arguments: str
    output: str

    @property
    def is_hand_off(self) -> bool:
        return self.name.startswith(HAND_OFF_PREFIX)

    @property
    def key(self) -> tuple[str, bytes]:
        return call_key(self.name, self.arguments)


@dataclass(frozen=True)
class Conversation:
    items: tuple[Item, ...]

    @cached_property
    def last_user(self) -> int:
        """Index of the last user message, -1 when there is none."""
        return self._user_before(len(self.items))

    @property
    def last_user_text(self) -> str:
        return self._text(self.last_user)

    @cached_property
    def asked_since(self) -> tuple[int, ...]:
        """Indexes of the user messages of the pending request: the last one, and those before it that were
        answered by asking for a missing argument; oldest first."""
        chain = [self.last_user]
        while (earlier := self._user_before(chain[0])) >= 0 and self._was_asked(earlier, chain[0]):
            chain.insert(0, earlier)
        return tuple(chain)

    @property
    def pending_texts(self) -> tuple[str, ...]:
        return tuple(self._text(i) for i in self.asked_since)

    @property
    def all_user_texts(self) -> tuple[str, ...]:
        return tuple(i.text for i in self.items if isinstance(i, Message) and i.role == "user")

    @property
    def replies(self) -> int:
        """Model replies after the last user message: runs of assistant messages and calls."""
        return count_replies(self.items[self.last_user + 1 :])

    def results_since(self, index: int) -> list[Result]:
        """What came back after item `index`, in the order of the outputs."""
        calls = {item.call_id: item for item in self.items if isinstance(item, Call)}
        outputs = (item for item in self.items[index + 1 :] if isinstance(item, Output))
        return [Result(call.name, call.arguments, o.text) for o in outputs if (call := calls.get(o.call_id))]

    def agents_done(self, instructions: str) -> frozenset[str]:
        """Agents (lower case) that have already had this message, as far as the request shows."""
        since = self.items[self.last_user + 1 :]
        targets = [i.name.removeprefix(HAND_OFF_PREFIX) for i in since if isinstance(i, Call) and _is_hand_off(i)]
        notes = [instructions, *(i.text for i in since if isinstance(i, Message) and i.role in ("system", "developer"))]
        givers = [name for note in notes for name in _HANDED_OVER_BY.findall(note)]
        return frozenset(name.lower() for name in targets + givers)

    def _text(self, index: int) -> str:
        item = self.items[index] if index >= 0 else None
        return item.text if isinstance(item, Message) else ""

    def _user_before(self, end: int) -> int:
        for index in range(end - 1, -1, -1):
            item = self.items[index]
            if isinstance(item, Message) and item.role == "user":
                return index
        return -1

    def _was_asked(self, start: int, end: int) -> bool:
        said = (i for i in reversed(self.items[start:end]) if isinstance(i, Message) and i.role == "assistant")
        return ASK_PREFIX in next((message.text for message in said), "")


def _is_hand_off(item: Item) -> bool:
    return isinstance(item, Call) and item.name.startswith(HAND_OFF_PREFIX)


def count_replies(items: tuple[Item, ...]) -> int:
    """Runs of consecutive items that a model said."""
    spoken = [isinstance(i, Call) or (isinstance(i, Message) and i.role == "assistant") for i in items]
    return sum(now and not before for before, now in zip([False, *spoken], spoken, strict=False))


def call_key(name: str, arguments: str) -> tuple[str, bytes]:
    """Equal for calls that ask the same: the order of arguments and absent ones do not count."""
    try:
        parsed = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return name, arguments.encode()
    if not isinstance(parsed, dict):
        return name, arguments.encode()
    said = {key: value for key, value in parsed.items() if value is not None}
    return name, orjson.dumps(said, option=orjson.OPT_SORT_KEYS)

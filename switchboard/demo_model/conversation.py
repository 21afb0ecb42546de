"""Queries on a conversation: last messages, calls and their results. Makes no decisions."""

import re
from dataclasses import dataclass
from functools import cached_property

import orjson

from switchboard.demo_model.wire import Call, Item, Message, Output

HAND_OFF_PREFIX = "handoff_to_"
# Prefix of questions for missing arguments, by which later requests recognize that one was asked.
QUESTION_PREFIX = "Please tell me "

_HANDED_OVER_BY = re.compile(r"\b(?:handed|passed|transferred)\b[^.\n]{0,60}?\b(?:by|from)\s+(?:the\s+)?(\w+)", re.I)


@dataclass(frozen=True, slots=True)
class Result:
    """One call and its output, as raw texts of the conversation."""

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
        """Index of the last user message, -1 if there is none."""
        return self._user_before(len(self.items))

    @property
    def last_user_text(self) -> str:
        return self._text(self.last_user)

    @cached_property
    def pending_request(self) -> tuple[int, ...]:
        """Indexes of the pending request's user messages, oldest first.

        These are the last message and earlier ones that were answered with a question for a missing argument.
        """
        chain = [self.last_user]
        while (earlier := self._user_before(chain[0])) >= 0 and self._was_question_asked(earlier, chain[0]):
            chain.insert(0, earlier)
        return tuple(chain)

    @property
    def pending_texts(self) -> tuple[str, ...]:
        return tuple(self._text(i) for i in self.pending_request)

    @property
    def all_user_texts(self) -> tuple[str, ...]:
        return tuple(i.text for i in self.items if isinstance(i, Message) and i.role == "user")

    @property
    def replies(self) -> int:
        """Number of model replies after the last user message: runs of assistant messages and calls."""
        return count_replies(self.items[self.last_user + 1 :])

    def results_since(self, index: int) -> list[Result]:
        """Return the results after item `index`, in the order of the outputs."""
        calls = {item.call_id: item for item in self.items if isinstance(item, Call)}
        outputs = (item for item in self.items[index + 1 :] if isinstance(item, Output))
        return [Result(call.name, call.arguments, o.text) for o in outputs if (call := calls.get(o.call_id))]

    def visited_agents(self, instructions: str) -> frozenset[str]:
        """Return the agents (lower case) that have already had this message, as far as the request shows."""
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

    def _was_question_asked(self, start: int, end: int) -> bool:
        replies = (i for i in reversed(self.items[start:end]) if isinstance(i, Message) and i.role == "assistant")
        return QUESTION_PREFIX in next((message.text for message in replies), "")


def _is_hand_off(item: Item) -> bool:
    return isinstance(item, Call) and item.name.startswith(HAND_OFF_PREFIX)


def count_replies(items: tuple[Item, ...]) -> int:
    """Count the runs of consecutive items that a model wrote."""
    from_model = [isinstance(i, Call) or (isinstance(i, Message) and i.role == "assistant") for i in items]
    return sum(now and not before for before, now in zip([False, *from_model], from_model, strict=False))


def call_key(name: str, arguments: str) -> tuple[str, bytes]:
    """Return a key that is equal for equal calls. Ignores the order of arguments and null arguments."""
    try:
        parsed = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return name, arguments.encode()
    if not isinstance(parsed, dict):
        return name, arguments.encode()
    given = {key: value for key, value in parsed.items() if value is not None}
    return name, orjson.dumps(given, option=orjson.OPT_SORT_KEYS)

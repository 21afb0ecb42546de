"""Questions of a server to the customer in the middle of a call (MCP: elicitation).

No connection stays open while the customer thinks. The server is told that the question was dismissed, the call ends
with the question as its result, and the turn goes on. With the customer's answers the call is made again from the
start, under a new key; when the server asks again, it gets them. So an answer may come days later, after restarts and
at any gateway.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestFormParams, ElicitRequestParams, ElicitRequestURLParams, ElicitResult

from switchboard.toolkit.mcp.arguments import problem_with_arguments
from switchboard.toolkit.mcp.results import brief

FIELDS_MAX = 20
"""Of one form. A longer one is dismissed."""

LINK_OPENED = "link_opened"
"""The answer that says that the customer has opened a link."""


@dataclass
class Questions:
    """What a server asks during one call. `answers` are the customer's; None before they were asked."""

    answers: Mapping[str, Any] | None
    asked: list[str] = field(default_factory=list)
    holds: bool = False
    """Whether a question without an answer stays open, instead of being dismissed, until the connection ends."""

    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a question has come, and its answer is known or remembered as missing."""

    async def reply(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        """Answer a question with the customer's answers, or dismiss and remember it."""
        answer = self._answer(params)
        self.settled.set()
        if self.holds and answer.action != "accept":
            await anyio.sleep_forever()
        return answer

    def _answer(self, params: ElicitRequestParams) -> ElicitResult:
        if isinstance(params, ElicitRequestURLParams):
            if (self.answers or {}).get(LINK_OPENED) is True:
                return ElicitResult(action="accept")
            self.asked.append(link_text(params))
            return ElicitResult(action="cancel")
        return self._reply_to_form(params)

    def _reply_to_form(self, question: ElicitRequestFormParams) -> ElicitResult:
        properties = question.requested_schema.get("properties")
        if not isinstance(properties, dict) or len(properties) > FIELDS_MAX:
            self.asked.append("for a form that cannot be shown")
            return ElicitResult(action="cancel")
        problem = ""
        if self.answers is not None:
            content = completed(properties, self.answers)
            problem = problem_with_arguments(json.dumps(question.requested_schema), content)
            if not problem:
                return ElicitResult(action="accept", content=content)
        self.asked.append(form_text(question, properties, problem))
        return ElicitResult(action="cancel")


def completed(properties: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the customer's answers to a form, and its defaults for what they left out."""
    defaults = {
        name: each["default"] for name, each in properties.items() if isinstance(each, dict) and "default" in each
    }
    return {**defaults, **{name: answers[name] for name in properties if name in answers}}


def link_text(question: ElicitRequestURLParams) -> str:
    """Return a request to open a link, for the model. Links that are not encrypted are not passed on."""
    if not question.url.startswith("https://"):
        return "to open a link that is not encrypted"
    return f"to open the link {brief(question.url)} ({brief(question.message)}); then: {LINK_OPENED} = true"


def form_text(question: ElicitRequestFormParams, properties: Mapping[str, Any], problem: str) -> str:
    """Return a form as a question for the model: each field with its type, values and default."""
    required = question.requested_schema.get("required", [])
    fields = "; ".join(field_text(name, each, name in required) for name, each in properties.items())
    wrong = f" (the answers do not fit: {problem})" if problem else ""
    return f"{brief(question.message)}{wrong} [{fields}]"


def field_text(name: str, schema: Any, required: bool) -> str:
    if not isinstance(schema, dict):
        return brief(name)
    words = [str(schema.get("type", "string")), *([] if required else ["optional"])]
    if choices := choices_of(schema):
        words.append(f"one of {json.dumps(choices, ensure_ascii=False)}")
    elif choices := choices_of(schema.get("items")):
        words.append(f"some of {json.dumps(choices, ensure_ascii=False)}")
    if "default" in schema:
        words.append(f"default {json.dumps(schema['default'], ensure_ascii=False)}")
    about = schema.get("description") or schema.get("title") or ""
    return brief(f"{name}: {', '.join(words)}" + (f", {about}" if about else ""))


def choices_of(schema: Any) -> list[Any]:
    """Return the values of a choice: those of `enum`, or the constants that `oneOf` or `anyOf` give titles to."""
    if not isinstance(schema, dict):
        return []
    if isinstance(schema.get("enum"), list):
        return list(schema["enum"])
    titled = schema.get("oneOf", schema.get("anyOf"))
    each = titled if isinstance(titled, list) else []
    return [choice["const"] for choice in each if isinstance(choice, dict) and "const" in choice]

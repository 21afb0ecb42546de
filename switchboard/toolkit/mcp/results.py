"""Results of MCP tools as text for a model. Pure. What is no text is described, and not left out in silence."""

import json
from collections.abc import Sequence
from typing import TypeVar

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)
from pydantic import BaseModel

from switchboard.credentials import without_credentials
from switchboard.text import message_text

RESULT_KEPT_CHARS = 12_000
"""Of one result. The rest is cut, with a note, so that the result fits into a request to the model."""

NAME_KEPT_CHARS = 200
"""Of an address, a title or a type in the description of something that is no text."""

NOTHING = "[no content]"
Answer = TypeVar("Answer", bound=BaseModel)


def result_text(result: CallToolResult) -> str:
    """Return a result as text. Structured content is left out where the server also returned text."""
    parts = [block_text(block) for block in result.content]
    if result.structured_content is not None and not any(isinstance(each, TextContent) for each in result.content):
        parts.append(json.dumps(result.structured_content, ensure_ascii=False))
    return cut("\n".join(part for part in parts if part) or NOTHING)


def block_text(block: ContentBlock) -> str:
    """Return one block of a result as text, or as a description in square brackets."""
    match block:
        case TextContent():
            return message_text(block.text)
        case ImageContent():
            return f"[image: {brief(block.mime_type)}, {size(block.data)}; it cannot be shown here]"
        case AudioContent():
            return f"[audio: {brief(block.mime_type)}, {size(block.data)}; it cannot be played here]"
        case ResourceLink():
            words = [block.title or block.name, block.mime_type, str(block.uri)]
            return f"[link to a resource: {brief(', '.join(word for word in words if word))}]"
        case EmbeddedResource():
            return resource_text(block)


def resource_text(block: EmbeddedResource) -> str:
    resource = block.resource
    kind = f", {resource.mime_type}" if resource.mime_type else ""
    if isinstance(resource, BlobResourceContents):
        return f"[resource: {brief(str(resource.uri) + kind)}, {size(resource.blob)}; it cannot be shown here]"
    return f"[resource: {brief(str(resource.uri) + kind)}]\n{message_text(resource.text)}"


def size(base64: str) -> str:
    return f"{len(base64) * 3 // 4 - base64.count('=')} bytes"


def brief(text: str) -> str:
    """Return a short text on one line."""
    line = " ".join(message_text(text).split())
    return line if len(line) <= NAME_KEPT_CHARS else f"{line[:NAME_KEPT_CHARS]}…"


def cut(text: str) -> str:
    if len(text) <= RESULT_KEPT_CHARS:
        return text
    note = f"[cut: {len(text)} characters in all, {RESULT_KEPT_CHARS} shown; ask for less]"
    return f"{text[:RESULT_KEPT_CHARS]}\n{note}"


def without_secrets(answer: Answer, secrets: Sequence[str]) -> Answer:
    """Return a server's answer without credentials, which it may repeat in any text. Texts are cut only later."""
    given = answer.model_dump(by_alias=True, mode="json", exclude_unset=True)
    cleaned = without_credentials(given, secrets)
    return answer if cleaned == given else type(answer).model_validate(cleaned, by_name=False)

"""Parts of MCP calls without a server: results as text, arguments against schemas, and questions to the customer."""

import json
from typing import Any

import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)

from switchboard.credentials import credentials_in
from switchboard.toolkit.mcp.arguments import problem_with_arguments, problem_with_schema
from switchboard.toolkit.mcp.elicitation import FIELDS_MAX, Questions
from switchboard.toolkit.mcp.outcomes import Attempt
from switchboard.toolkit.mcp.results import NOTHING, RESULT_KEPT_CHARS, result_text, without_secrets

SIZE = {"type": "object", "properties": {"size": {"type": "string", "enum": ["S", "M"]}}, "required": ["size"]}
NO_CONTEXT: Any = ClientRequestContext(session=None, request_id="1")  # type: ignore[arg-type]


def result(*content: ContentBlock, structured: dict[str, Any] | None = None) -> str:
    return result_text(CallToolResult(content=list(content), structured_content=structured))


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (TextContent(text="a\u202eb"), "ab"),
        (ImageContent(data="AAAA", mime_type="image/png"), "[image: image/png, 3 bytes; it cannot be shown here]"),
        (AudioContent(data="AAA=", mime_type="audio/wav"), "[audio: audio/wav, 2 bytes; it cannot be played here]"),
        (ResourceLink(name="n", title="The\nmanual", uri="x://y"), "[link to a resource: The manual, x://y]"),
        (
            EmbeddedResource(resource=BlobResourceContents(uri="x://y", blob="AA==", mime_type="a/b")),
            "[resource: x://y, a/b, 1 bytes; it cannot be shown here]",
        ),
    ],
)
def test_every_block_is_text_or_described(block: ContentBlock, text: str) -> None:
    assert result(block) == text


def test_result_without_content_says_so() -> None:
    assert result() == NOTHING
    assert result(structured={"a": 1}) == '{"a": 1}'
    assert result(TextContent(text="one"), structured={"a": 1}) == "one"


@pytest.mark.parametrize("more", [-1, 0, 1, 50_000])
def test_long_result_is_cut_with_a_note(more: int) -> None:
    text = "a" * (RESULT_KEPT_CHARS + more)
    shown = result(TextContent(text=text))
    note = f"\n[cut: {len(text)} characters in all, {RESULT_KEPT_CHARS} shown; ask for less]"
    assert shown == (text if more <= 0 else text[:RESULT_KEPT_CHARS] + note)


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer abc-123"}, {"X-Key": "abc-123"}])
def test_credentials_are_taken_out_of_results(headers: dict[str, str]) -> None:
    secrets = credentials_in([*headers.values()])
    said = CallToolResult(content=[TextContent(text="you sent Bearer abc-123, that is abc-123")])
    assert "abc-123" not in without_secrets(said, secrets).model_dump_json()
    assert "abc-123" not in repr(Attempt("tool", {}, "key", headers))


@pytest.mark.parametrize(
    ("schema", "arguments", "problem"),
    [
        (SIZE, {"size": "M"}, ""),
        (SIZE, {"size": "L"}, "size: 'L' is not one of ['S', 'M']"),
        (SIZE, {}, "input: 'size' is a required property"),
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 40 + "!"}, ""),
        ({"properties": {"pattern": {"type": "integer"}}}, {"pattern": "x"}, "pattern: 'x' is not of type 'integer'"),
        ({"properties": {"a": {"$ref": "https://evil.example/x"}}}, {"a": 1}, "its schema is not valid"),
    ],
)
def test_arguments_are_checked_without_patterns_and_foreign_documents(
    schema: dict[str, Any], arguments: dict[str, Any], problem: str
) -> None:
    assert problem_with_arguments(json.dumps(schema), arguments) == problem


def test_schema_that_is_none_is_refused() -> None:
    assert problem_with_schema({"properties": {"a": {"type": 12}}}) == "its schema is not valid"
    assert problem_with_schema(SIZE) == ""


async def test_form_is_answered_only_with_fitting_answers() -> None:
    form = ElicitRequestFormParams(message="Which size?", requested_schema=SIZE)
    for answers, action in ((None, "cancel"), ({}, "cancel"), ({"size": "L"}, "cancel"), ({"size": "M"}, "accept")):
        questions = Questions(answers)
        reply = await questions.reply(NO_CONTEXT, form)
        assert (reply.action, bool(questions.asked)) == (action, action == "cancel")
    assert reply.content == {"size": "M"}


@pytest.mark.parametrize(("url", "shown"), [("https://pay.example/1", True), ("http://pay.example/1", False)])
async def test_only_encrypted_links_are_passed_on(url: str, shown: bool) -> None:
    link = ElicitRequestURLParams(message="Pay here", url=url)
    questions = Questions(None)
    assert (await questions.reply(NO_CONTEXT, link)).action == "cancel"
    assert (url in questions.asked[0]) == shown
    opened = Questions({"link_opened": True})
    assert (await opened.reply(NO_CONTEXT, link)).action == "accept"


async def test_endless_form_is_dismissed() -> None:
    properties = {f"f{number}": {"type": "string"} for number in range(FIELDS_MAX + 1)}
    questions = Questions({"f0": "x"})
    form = ElicitRequestFormParams(message="All", requested_schema={"type": "object", "properties": properties})
    assert (await questions.reply(NO_CONTEXT, form)).action == "cancel"
    assert questions.asked == ["for a form that cannot be shown"]

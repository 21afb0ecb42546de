"""What the gateway offers MCP clients besides tools: transcripts as resources, and a prompt to begin with."""

import re

from fastapi import Request
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
)

from switchboard.gateway.api import caller_in
from switchboard.gateway.mcp_calls import SERVER_ERROR, Context, mark_refused, read_status, request_span
from switchboard.gateway.problems import Problem, details_of
from switchboard.gateway.sessions import SessionClient
from switchboard.session.contract import SESSION_ID, TRANSCRIPT_PAGE_MAX_TURNS, TranscriptRequest
from switchboard.text import message_text

JSON_TYPE = "application/json"
TRANSCRIPT = re.compile(rf"switchboard://sessions/({SESSION_ID})/transcript")

TEMPLATE = ResourceTemplate(
    name="transcript",
    title="Transcript of a conversation",
    uri_template="switchboard://sessions/{session_id}/transcript",
    description=(
        f"What was said and done in a conversation, turn by turn: the last {TRANSCRIPT_PAGE_MAX_TURNS} turns, with the"
        " fields of the tool `transcript`. The session's id comes from the result of `ask`."
    ),
    mime_type=JSON_TYPE,
)

PROMPT = Prompt(
    name="customer_service",
    title="Ask customer service",
    description="Settle something with the company's customer service, and let the customer decide what it asks.",
    arguments=[
        PromptArgument(name="request", description="What the customer wants, in their own words.", required=True)
    ],
)

PROMPT_TEXT = (
    "Please settle this with the company's customer service: {request}\n\nSend it with the tool `ask`, in these words."
    " Show me each reply as it is. If a result has a `confirmation`, show me its questions word for word and wait for"
    " my answer. Call `confirm` only if I say yes, and `decline` if I say no. Continue with the same `session_id`."
)

NO_SUCH_RESOURCE = "There is no such resource. This server has {template}."
NO_SUCH_PROMPT = "There is no such prompt. This server has {name}, with the argument `request`."


async def list_resources(_: Context, __: PaginatedRequestParams | None) -> ListResourcesResult:
    """Return no resource: the gateway keeps no list of a customer's sessions. Clients know the ids of theirs."""
    return ListResourcesResult(resources=[])


async def list_templates(_: Context, __: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
    return ListResourceTemplatesResult(resource_templates=[TEMPLATE])


async def read_resource(context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    """Return the last turns of a session, as JSON. Raises MCPError for a session that is not the caller's."""
    found = TRANSCRIPT.fullmatch(params.uri)
    if found is None:
        raise MCPError(INVALID_PARAMS, NO_SUCH_RESOURCE.format(template=TEMPLATE.uri_template))
    assert context.request is not None  # Only HTTP brings requests.
    with request_span(context, "resources/read"):
        try:
            text = await last_turns(context.request, found[1])
        except Problem as problem:
            mark_refused(problem)
            code = INTERNAL_ERROR if problem.status >= SERVER_ERROR else INVALID_PARAMS
            raise MCPError(code, problem.detail, details_of(problem).model_dump()) from problem
    return ReadResourceResult(contents=[TextResourceContents(uri=params.uri, mime_type=JSON_TYPE, text=text)])


async def last_turns(request: Request, session_id: str) -> str:
    caller = caller_in(request, session_id)
    sessions: SessionClient = request.app.state.session_client
    turns = (await read_status(sessions, caller, session_id)).turns_total
    wanted = TranscriptRequest(
        customer_id=caller.customer_id,
        signed_in=caller.signed_in,
        after=max(0, turns - TRANSCRIPT_PAGE_MAX_TURNS),
        limit=TRANSCRIPT_PAGE_MAX_TURNS,
    )
    return (await sessions.read(session_id, "transcript", wanted)).decode()


async def list_prompts(_: Context, __: PaginatedRequestParams | None) -> ListPromptsResult:
    return ListPromptsResult(prompts=[PROMPT])


async def get_prompt(_: Context, params: GetPromptRequestParams) -> GetPromptResult:
    """Return the message that begins a conversation. Raises MCPError for another prompt, or without the request."""
    request = message_text((params.arguments or {}).get("request", "")).strip()
    if params.name != PROMPT.name or not request:
        raise MCPError(INVALID_PARAMS, NO_SUCH_PROMPT.format(name=PROMPT.name))
    said = PromptMessage(role="user", content=TextContent(text=PROMPT_TEXT.format(request=request)))
    return GetPromptResult(description=PROMPT.description, messages=[said])

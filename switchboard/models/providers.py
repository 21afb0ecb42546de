"""The providers that are known: where they are, which wire API they speak, and which optional fields they take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

WireApi = Literal["responses", "chat", "messages"]
"""OpenAI's Responses, OpenAI's Chat Completions, Anthropic's Messages."""

Optional = Literal[
    "prompt_cache_key",
    "metadata",
    "store",
    "parallel_tool_calls",
    "developer",
    "strict",
    "encrypted_reasoning",
    "cache_control",
    "stream_usage",
]
"""Optional fields and roles of requests. Strict endpoints refuse unknown ones, so they are sent only where known."""

OPTIONAL: frozenset[Optional] = frozenset(get_args(Optional))

NoteRole = Literal["developer", "system", "user"]


@dataclass(frozen=True)
class Provider:
    """A service that runs models, and how its API differs from others.

    `key_needed` is False for servers that run without one. `sends` are the optional fields that it takes. `notes` is
    the role of what the mesh itself tells the model between messages. `alternating` when two messages of one role in a
    row are refused. `keeps_call_ids` when its call ids carry meaning and have to come back exactly as they were.
    `source` says where that is known from, and `tried` what was run against it; both are shown in the documentation.
    """

    name: str
    label: str
    api: WireApi
    base_url: str | None
    sends: frozenset[Optional]
    notes: NoteRole
    source: str
    tried: str
    key_needed: bool = True
    alternating: bool = False
    keeps_call_ids: bool = False
    default_model: str = ""

    @property
    def prefix(self) -> str:
        """Begins its settings, such as OPENAI_API_KEY."""
        return self.name.upper().replace("-", "_")


NOTHING: frozenset[Optional] = frozenset()
OPENAI_SENDS: frozenset[Optional] = frozenset(
    {
        "prompt_cache_key",
        "metadata",
        "store",
        "parallel_tool_calls",
        "developer",
        "strict",
        "encrypted_reasoning",
        "stream_usage",
    }
)
ONLY_READ = "only read"

PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider
    for provider in (
        Provider(
            name="openai",
            label="OpenAI",
            api="responses",
            base_url="https://api.openai.com/v1",
            sends=OPENAI_SENDS,
            notes="developer",
            source="OpenAI's published OpenAPI document and the types of its Python client",
            tried="requests checked against the client's types; not run against the service",
            default_model="gpt-5-mini",
        ),
        Provider(
            name="azure",
            label="Azure OpenAI",
            api="responses",
            base_url=None,
            sends=OPENAI_SENDS,
            notes="developer",
            source="Azure's documentation of the v1 API (base URL `https://NAME.openai.azure.com/openai/v1`)",
            tried=ONLY_READ,
        ),
        Provider(
            name="anthropic",
            label="Anthropic",
            api="messages",
            base_url="https://api.anthropic.com",
            sends=frozenset({"cache_control"}),
            notes="user",
            source="the types of Anthropic's Python client and its documentation",
            tried="requests checked against the client's types; not run against the service",
            default_model="claude-sonnet-5-5",
        ),
        Provider(
            name="openrouter",
            label="OpenRouter",
            api="chat",
            base_url="https://openrouter.ai/api/v1",
            sends=frozenset({"parallel_tool_calls", "stream_usage"}),
            notes="system",
            source="OpenRouter's API reference",
            tried=ONLY_READ,
        ),
        Provider(
            name="xai",
            label="xAI",
            api="responses",
            base_url="https://api.x.ai/v1",
            sends=frozenset({"store", "parallel_tool_calls", "encrypted_reasoning", "stream_usage"}),
            notes="system",
            source="xAI's API reference",
            tried=ONLY_READ,
        ),
        Provider(
            name="groq",
            label="Groq",
            api="chat",
            base_url="https://api.groq.com/openai/v1",
            sends=frozenset({"parallel_tool_calls", "stream_usage"}),
            notes="system",
            source="Groq's API reference; issues report 400 for prompt_cache_key",
            tried=ONLY_READ,
        ),
        Provider(
            name="mistral",
            label="Mistral",
            api="chat",
            base_url="https://api.mistral.ai/v1",
            sends=frozenset({"parallel_tool_calls"}),
            notes="user",
            alternating=True,
            source="Mistral's API reference; issues report 422 for prompt_cache_key and metadata",
            tried=ONLY_READ,
        ),
        Provider(
            name="deepseek",
            label="DeepSeek",
            api="chat",
            base_url="https://api.deepseek.com/v1",
            sends=frozenset({"stream_usage"}),
            notes="system",
            source="DeepSeek's API reference",
            tried=ONLY_READ,
        ),
        Provider(
            name="gemini",
            label="Gemini (OpenAI layer)",
            api="chat",
            base_url="https://generativelanguage.googleapis.com/v1beta/openai",
            sends=frozenset({"stream_usage"}),
            notes="user",
            keeps_call_ids=True,
            source="Google's documentation of the OpenAI layer and of thought signatures",
            tried=ONLY_READ,
        ),
        Provider(
            name="bedrock",
            label="Amazon Bedrock (OpenAI endpoint)",
            api="chat",
            base_url=None,
            sends=NOTHING,
            notes="system",
            source="AWS's documentation (base URL `https://bedrock-runtime.REGION.amazonaws.com/openai/v1`)",
            tried=ONLY_READ,
        ),
        Provider(
            name="litellm",
            label="LiteLLM proxy",
            api="chat",
            base_url="http://127.0.0.1:4000/v1",
            sends=frozenset({"stream_usage"}),
            notes="user",
            key_needed=False,
            keeps_call_ids=True,
            source="its source: it refuses optional fields that its back end lacks, unless `drop_params` is set",
            tried="a whole conversation over each wire API, in front of two endpoints",
        ),
        Provider(
            name="vllm",
            label="vLLM",
            api="chat",
            base_url="http://127.0.0.1:8000/v1",
            sends=frozenset({"stream_usage"}),
            notes="user",
            key_needed=False,
            source="its documentation; chat templates of some models refuse a system message in the middle",
            tried=ONLY_READ,
        ),
        Provider(
            name="ollama",
            label="Ollama",
            api="chat",
            base_url="http://127.0.0.1:11434/v1",
            sends=frozenset({"stream_usage"}),
            notes="user",
            key_needed=False,
            source="its source: role developer is dropped without a word",
            tried=ONLY_READ,
        ),
        Provider(
            name="llamacpp",
            label="llama.cpp server",
            api="chat",
            base_url="http://127.0.0.1:8080/v1",
            sends=frozenset({"stream_usage"}),
            notes="user",
            key_needed=False,
            source="its source: message items need their type",
            tried="a whole conversation over each wire API",
        ),
        Provider(
            name="lmstudio",
            label="LM Studio",
            api="chat",
            base_url="http://127.0.0.1:1234/v1",
            sends=frozenset({"stream_usage"}),
            notes="user",
            key_needed=False,
            source="its documentation",
            tried=ONLY_READ,
        ),
    )
}

COMPATIBLE = Provider(
    name="openai",
    label="another endpoint that speaks OpenAI's Responses API",
    api="responses",
    base_url=None,
    sends=NOTHING,
    notes="system",
    source="what every endpoint takes",
    tried="servers of the tests that refuse everything else",
)
"""Preset for an OPENAI_BASE_URL that is neither OpenAI's nor Azure's."""

OPENAI_HOSTS = (".openai.com", ".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")


def provider_at(name: str, base_url: str | None) -> Provider:
    """Return the preset of a provider. For `openai` at another host than OpenAI's or Azure's, that is COMPATIBLE."""
    provider = PROVIDERS[name]
    if name != "openai" or base_url is None:
        return provider
    host = f".{urlsplit(base_url).hostname or ''}"
    return provider if host.endswith(OPENAI_HOSTS) else COMPATIBLE


def split_name(name: str) -> tuple[str | None, str]:
    """Return provider and model of `provider:model`; None for a name without a provider that is known.

    Model names may contain a colon themselves: `ollama:llama3.1:8b`, `ft:gpt-4o:acme`.
    """
    provider, colon, model = name.partition(":")
    if colon and provider in PROVIDERS and model:
        return provider, model
    return None, name

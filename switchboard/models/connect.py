"""From the settings to models that can be asked."""

import asyncio
from collections.abc import Callable
from functools import cache, partial

from switchboard.models.anthropic_messages import AnthropicModel
from switchboard.models.chat_completions import ChatModel
from switchboard.models.endpoint import Client, Endpoint, connect_anthropic, connect_openai
from switchboard.models.endpoint_model import EndpointModel
from switchboard.models.model import Model
from switchboard.models.providers import Provider, WireApi
from switchboard.models.responses import ResponsesModel
from switchboard.models.settings import Choice, ModelSettings

KINDS: dict[WireApi, type[EndpointModel]] = {
    "responses": ResponsesModel,
    "chat": ChatModel,
    "messages": AnthropicModel,
}


def connect(settings: ModelSettings) -> Callable[[str], list[Model]]:
    """Return a function that gives an agent's models, in the order in which they are tried.

    It takes the name of the agent's own model, or an empty one. Endpoints are shared, and so is the bound on the calls
    at the same time.
    """
    queue = asyncio.Semaphore(settings.calls_max)

    @cache
    def endpoint(provider: Provider, api: WireApi, base_url: str, key: str) -> Endpoint:
        return endpoint_for(provider, api, base_url, key, queue, settings)

    @cache
    def model(name: str) -> Model:
        choice = settings.choose(name)
        reached = endpoint(choice.provider, choice.api, choice.base_url, choice.key)
        return KINDS[choice.api](reached, choice.model, choice.name, options_for(choice, settings))

    return lambda own: [model(name) for name in dict.fromkeys(settings.names(own))]


def model_of(choice: Choice, settings: ModelSettings) -> Model:
    """Return one model with an endpoint of its own."""
    queue = asyncio.Semaphore(1)
    reached = endpoint_for(choice.provider, choice.api, choice.base_url, choice.key, queue, settings)
    return KINDS[choice.api](reached, choice.model, choice.name, options_for(choice, settings))


def endpoint_for(
    provider: Provider, api: WireApi, base_url: str, key: str, queue: asyncio.Semaphore, settings: ModelSettings
) -> Endpoint:
    client = partial(client_for, api, base_url, key, settings)
    return Endpoint(provider, client, base_url, queue, settings.timeout)


def client_for(api: WireApi, base_url: str, key: str, settings: ModelSettings) -> Client:
    if api == "messages":
        return connect_anthropic(key, base_url, settings.timeout)
    return connect_openai(key, base_url, settings.timeout)


def options_for(choice: Choice, settings: ModelSettings) -> dict[str, object]:
    """The options of a model, which may be named with its provider or without."""
    qualified = f"{choice.provider.name}:{choice.model}"
    for name in (choice.name, qualified, choice.model):
        if name in settings.options:
            return settings.options[name]
    return {}

"""The model of the environment's OPENAI_* variables, and one client with one transport for every peer."""

from typing import Any

from switchboard.models.endpoint import Client, connect_openai
from switchboard.models.settings import Choice, ModelSettings
from switchboard.runtime.settings import load


def choice() -> Choice:
    settings = load(ModelSettings)
    return settings.choose(settings.names()[0])


def model_name() -> str:
    return choice().model


def model_client() -> Client:
    """Return the client of our mesh with the same settings."""
    found = choice()
    return connect_openai(found.key, found.base_url)


def openai_client() -> Any:
    """Return an AsyncOpenAI with the same settings as ours, so that only a package's own work differs."""
    return model_client().http

"""Contract of the objects that keep where A2A clients want to be told about a task, and the rule for addresses."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from switchboard.messages import WireModel
from switchboard.session.contract import CustomerRequest

TASK_PUSH = "TaskPush"
"""Name of the object. Its key is the task's id."""

CONFIGS_MAX = 10
"""Addresses of one task, of one customer."""

URL_MAX_CHARS = 2_000

PushText = Annotated[str, Field(max_length=URL_MAX_CHARS)]


class PushConfig(WireModel):
    """An address that is told about a task, and what proves there that the message comes from this mesh."""

    id: PushText
    url: PushText
    token: PushText = ""
    scheme: PushText = ""
    credentials: PushText = ""


class SetPush(CustomerRequest):
    """Adds an address, or replaces the one with the same id."""

    config: PushConfig


class PushRequest(CustomerRequest):
    """Requests a customer's addresses, or removes the one with this id."""

    id: str = ""


class PushConfigs(WireModel):
    """A customer's addresses for a task."""

    configs: tuple[PushConfig, ...] = ()


class TaskChanged(CustomerRequest):
    """Tells that a turn of a task is committed. `payload` is the message of A2A; `over` if nothing follows."""

    payload: str
    over: bool


def may_be_told(url: str, hosts: tuple[str, ...]) -> bool:
    """Return whether an address is at an allowed host: `host`, or `host:port` for another port than 443."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        return False
    if parts.scheme != "https" or not parts.hostname or parts.username is not None or parts.password is not None:
        return False
    host = parts.hostname.lower()
    return (host if port == 443 else f"{host}:{port}") in hosts

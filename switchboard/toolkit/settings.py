"""Settings that tools share, read from environment variables."""

import os
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings


class ToolsSettings(BaseSettings):
    """Limits for scheduled operations and for decisions by staff."""

    timer_ahead_min: timedelta = Field(
        timedelta(minutes=1),
        validation_alias="SWITCHBOARD_TIMER_AHEAD_MIN",
        ge=timedelta(seconds=1),
        description="Minimum time until a reminder, scheduled transfer or standing order is due. Seconds or ISO 8601.",
    )
    approval_deadline: timedelta = Field(
        timedelta(hours=72),
        validation_alias="SWITCHBOARD_APPROVAL_DEADLINE",
        gt=timedelta(0),
        description="Time for staff to decide an application or a dispute before it is declined. Seconds or ISO 8601.",
    )


PolicyMode = Literal["enforce", "log", "off"]


class PolicySettings(BaseSettings):
    """Whether the written policies are enforced."""

    mode: PolicyMode = Field(
        "enforce",
        validation_alias="POLICY",
        description="`enforce` refuses violations, `log` allows and logs them, `off` allows them.",
    )


class SqlSettings(BaseSettings):
    """Limits of a process's connections to each PostgreSQL database. See `switchboard.toolkit.sql`."""

    connections_max: int = Field(
        8,
        validation_alias="SWITCHBOARD_SQL_CONNECTIONS_MAX",
        ge=1,
        description="Maximum number of connections of a process to a database. Further tool calls wait for one.",
    )
    connect_timeout: timedelta = Field(
        timedelta(seconds=5),
        validation_alias="SWITCHBOARD_SQL_CONNECT_TIMEOUT",
        ge=timedelta(seconds=1),
        description="Time for getting a connection. Then Restate retries the tool call. Seconds or ISO 8601.",
    )
    statement_timeout: timedelta = Field(
        timedelta(seconds=5),
        validation_alias="SWITCHBOARD_SQL_STATEMENT_TIMEOUT",
        ge=timedelta(milliseconds=1),
        description="Time for one statement or its wait for a lock. Then the tool call fails. Seconds or ISO 8601.",
    )
    transaction_timeout: timedelta = Field(
        timedelta(seconds=30),
        validation_alias="SWITCHBOARD_SQL_TRANSACTION_TIMEOUT",
        ge=timedelta(milliseconds=1),
        description="Time for one transaction. Then its connection is closed, and a new one is tried. Seconds or ISO "
        "8601.",
    )
    keys_kept: timedelta = Field(
        timedelta(days=90),
        validation_alias="SWITCHBOARD_SQL_KEYS_KEPT",
        # Restate keeps an invocation for a day by default. One that is paused or in flight can be older.
        ge=timedelta(days=2),
        description="Time for which the key of a write is kept. It must be longer than any tool call can be in flight, "
        "also one that waits for an operator: a retry of an older call would write again. Seconds or ISO 8601.",
    )


def database_url(variable: str) -> str:
    """Return the address of a database. Raises ValueError if the variable is not set."""
    found = os.environ.get(variable, "")
    if not found:
        raise ValueError(f"{variable} is not set. Set it to postgresql://user:password@host/database")
    return found


class HttpApiSettings(BaseSettings):
    """Limits of calls to HTTP APIs. See `switchboard.toolkit.http_api`."""

    timeout: timedelta = Field(
        timedelta(seconds=10),
        validation_alias="SWITCHBOARD_HTTP_API_TIMEOUT",
        ge=timedelta(milliseconds=1),
        description="Time for one attempt of a call to an HTTP API. Seconds or ISO 8601.",
    )
    response_max_bytes: int = Field(
        1024 * 1024,
        validation_alias="SWITCHBOARD_HTTP_API_RESPONSE_MAX_BYTES",
        ge=1,
        description="Maximum size of an HTTP API's response. A longer one is an error.",
    )


def api_url(variable: str) -> str:
    """Return the address of an HTTP API. Raises ValueError if the variable has none."""
    found = os.environ.get(variable, "")
    if urlsplit(found).scheme not in ("http", "https") or not urlsplit(found).hostname:
        raise ValueError(f"{variable} is not set to an address. Set it to one such as https://api.example.com/v1")
    return found


def api_secret(variable: str) -> str:
    """Return a secret. Raises ValueError if the variable is not set."""
    found = os.environ.get(variable, "")
    if not found:
        raise ValueError(f"{variable} is not set. Set it to the token for the API")
    return found

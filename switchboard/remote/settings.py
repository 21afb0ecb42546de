"""Settings of remote agents, read from the environment at startup."""

from datetime import timedelta

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class RemoteSettings(BaseSettings):
    """Tokens for remote agents, and how long the mesh waits for them."""

    tokens: dict[str, SecretStr] = Field(
        {},
        validation_alias="SWITCHBOARD_REMOTE_TOKENS",
        description='JSON: {"Insurer": "…"}, the bearer token for each remote agent by its name in the mesh. It is the '
        "mesh's own, never a customer's.",
    )
    request_timeout: timedelta = Field(
        timedelta(seconds=30),
        validation_alias="SWITCHBOARD_REMOTE_REQUEST_TIMEOUT",
        gt=timedelta(0),
        description="How long one request to a remote agent may take, in ISO 8601.",
    )
    answer_within: timedelta = Field(
        timedelta(minutes=5),
        validation_alias="SWITCHBOARD_REMOTE_ANSWER_WITHIN",
        gt=timedelta(0),
        description="How long a turn waits for a remote agent, in ISO 8601; set it below the deadline of a turn. After "
        "that the conversation goes on, and the customer gets the answer as a message of its own.",
    )
    works_max: timedelta = Field(
        timedelta(days=7),
        validation_alias="SWITCHBOARD_REMOTE_WORKS_MAX",
        gt=timedelta(0),
        description="How long a remote agent may work on a task, in ISO 8601. Then the task is cancelled, and the "
        "customer is told.",
    )
    poll_first: timedelta = Field(
        timedelta(seconds=1),
        validation_alias="SWITCHBOARD_REMOTE_POLL_FIRST",
        gt=timedelta(0),
        description="Pause before a remote agent is asked for the first time how far it is, in ISO 8601. It doubles "
        "each time.",
    )
    poll_max: timedelta = Field(
        timedelta(minutes=5),
        validation_alias="SWITCHBOARD_REMOTE_POLL_MAX",
        gt=timedelta(0),
        description="The longest pause between two such requests, in ISO 8601.",
    )
    away_max: timedelta = Field(
        timedelta(minutes=2),
        validation_alias="SWITCHBOARD_REMOTE_AWAY_MAX",
        gt=timedelta(0),
        description="How long a request is retried while a remote agent does not answer, in ISO 8601.",
    )

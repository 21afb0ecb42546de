"""The sessions' settings, read from the environment once at startup."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field, NonNegativeInt, field_validator
from pydantic_settings import BaseSettings, NoDecode

from switchboard.addresses import Urls
from switchboard.messages import ModelReply, Spent
from switchboard.session.allowance import Limits

TOKENS_PER_PRICE = 1_000_000

REPORT_TIME = timedelta(minutes=1)
"""After its deadline, a turn reports what it used within this time, also after a restart."""


class Price(BaseModel):
    """A model's prices per million tokens."""

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)


class SessionSettings(BaseSettings):
    """Address of Restate's admin API, prices of models, and limits of sessions and turns."""

    restate_admin_url: Urls = Field(
        "http://127.0.0.1:9070",
        validation_alias="RESTATE_ADMIN_URL",
        description="Restate's admin API. Several URLs, separated by commas, are tried in turn.",
    )
    prices: dict[str, Price] = Field(
        {},
        validation_alias="SWITCHBOARD_PRICES",
        description='JSON: {"gpt-5-mini": {"input": "0.25", "output": "2.00"}}, per million tokens.',
    )
    currency: str = Field("USD", validation_alias="SWITCHBOARD_PRICE_CURRENCY", pattern="^[A-Z]{3}$")
    session_budget: Decimal = Field(
        Decimal(5),
        validation_alias="SWITCHBOARD_SESSION_BUDGET",
        ge=0,
        description="Maximum cost of a session, in the currency of the prices.",
    )
    session_tokens_max: NonNegativeInt = Field(
        10_000_000,
        validation_alias="SWITCHBOARD_SESSION_TOKENS_MAX",
        description="Maximum number of tokens of a session. Applies also to models without a price.",
    )

    turn_deadline: timedelta = Field(
        timedelta(minutes=10),
        validation_alias="SWITCHBOARD_TURN_DEADLINE",
        gt=timedelta(0),
        description="Maximum time for one message including its hand-offs, in ISO 8601. Then the turn is cancelled.",
    )
    consent_expires_after: timedelta = Field(
        timedelta(minutes=15),
        validation_alias="SWITCHBOARD_CONSENT_EXPIRES_AFTER",
        gt=timedelta(0),
        description="How long a question waits for the customer's yes, in ISO 8601. A later yes does not count.",
    )
    session_idle_max: timedelta = Field(
        timedelta(days=30),
        validation_alias="SWITCHBOARD_SESSION_IDLE_MAX",
        ge=timedelta(0),
        description="A session without a message for this long expires, in ISO 8601: what was said in it is deleted. "
        "PT0S keeps sessions forever.",
    )
    staff_silent_max: timedelta = Field(
        timedelta(minutes=30),
        validation_alias="SWITCHBOARD_STAFF_SILENT_MAX",
        ge=timedelta(0),
        description="How long a customer may wait for a member of staff who has taken the session over, in ISO 8601. "
        "Then the agents answer again. PT0S waits forever.",
    )

    customer_turns_max: int = Field(
        20,
        validation_alias="SWITCHBOARD_CUSTOMER_TURNS_MAX",
        ge=1,
        le=10_000,
        description="Maximum number of a customer's messages that are answered at the same time, in all sessions.",
    )
    customer_turns_per_minute: NonNegativeInt = Field(
        60,
        validation_alias="SWITCHBOARD_CUSTOMER_TURNS_PER_MINUTE",
        description="Maximum number of a customer's messages in a minute. 0 is no limit.",
    )
    customer_sessions_per_day: NonNegativeInt = Field(
        100,
        validation_alias="SWITCHBOARD_CUSTOMER_SESSIONS_PER_DAY",
        description="Maximum number of new sessions of a customer in a day (UTC). 0 is no limit.",
    )
    customer_tokens_per_day: NonNegativeInt = Field(
        20_000_000,
        validation_alias="SWITCHBOARD_CUSTOMER_TOKENS_PER_DAY",
        description="Maximum number of tokens of a customer in a day (UTC). 0 is no limit.",
    )
    customer_cost_per_day: Decimal = Field(
        Decimal(20),
        validation_alias="SWITCHBOARD_CUSTOMER_COST_PER_DAY",
        ge=0,
        description="Maximum cost of a customer in a day (UTC), in the currency of the prices. 0 is no limit.",
    )
    turn_tokens_max: NonNegativeInt = Field(
        500_000,
        validation_alias="SWITCHBOARD_TURN_TOKENS_MAX",
        description="Maximum number of tokens of one message. They count as used until its reply. 0 is no limit, so "
        "that a message may take all that its customer has left, and other messages wait for it.",
    )

    @property
    def limits(self) -> Limits:
        """What one customer may use."""
        return Limits(
            turns_max=self.customer_turns_max,
            turns_per_minute=self.customer_turns_per_minute,
            sessions_per_day=self.customer_sessions_per_day,
            tokens_per_day=self.customer_tokens_per_day,
            tokens_per_turn=self.turn_tokens_max,
            cost_per_day=self.customer_cost_per_day,
            token_price=self.token_price_max,
            turn_lasts=self.turn_deadline + REPORT_TIME,
        )

    @property
    def token_price_max(self) -> Decimal:
        """The highest price of one token; 0 if no model has a price."""
        prices = [max(price.input, price.output) for price in self.prices.values()]
        return max(prices, default=Decimal(0)) / TOKENS_PER_PRICE

    def cost(self, call: ModelReply | Spent) -> Decimal:
        """Return the cost of a model call; 0 for a model without a price.

        A price may name the model with its provider or without: `openai:gpt-5-mini` or `gpt-5-mini`.
        """
        price = self.prices.get(call.model) or self.prices.get(call.model.partition(":")[2])
        if price is None:
            return Decimal(0)
        spent = price.input * call.usage.input_tokens + price.output * call.usage.output_tokens
        return spent / TOKENS_PER_PRICE


class PushSettings(BaseSettings):
    """Who may be told about the tasks of other agents. The gateway and the sessions have the same setting."""

    a2a_push_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        validation_alias="SWITCHBOARD_A2A_PUSH_HOSTS",
        description="Comma-separated hosts that A2A clients may name for push notifications: `hooks.example.com`, or "
        "with a port other than 443. If empty, push notifications are not supported. Set it at the gateway and at the "
        "service with the sessions.",
    )

    @field_validator("a2a_push_hosts", mode="before")
    @classmethod
    def split_hosts(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(host.strip().lower() for host in value.split(",") if host.strip())

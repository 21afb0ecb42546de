"""The settings of the sessions, read from the environment once at start."""

from datetime import timedelta
from decimal import Decimal

from pydantic import AnyHttpUrl, BaseModel, Field, NonNegativeInt
from pydantic_settings import BaseSettings

from switchboard.messages import ModelReply

TOKENS_A_PRICE_IS_FOR = 1_000_000


class Price(BaseModel):
    """What a model costs, per million tokens."""

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)


class SessionSettings(BaseSettings):
    """Where Restate's registry is, what model calls cost, and when a session has spent enough."""

    restate_admin_url: AnyHttpUrl = Field(
        AnyHttpUrl("http://127.0.0.1:9070"), validation_alias="RESTATE_ADMIN_URL", description="Restate's admin API."
    )
    prices: dict[str, Price] = Field(
        {},
        validation_alias="SWITCHBOARD_PRICES",
        description='JSON: {"gpt-5-mini": {"input": "0.25", "output": "2.00"}}, per million tokens.',
    )
    currency: str = Field("USD", validation_alias="SWITCHBOARD_PRICE_CURRENCY", pattern="^[A-Z]{3}$")
    session_budget: Decimal = Field(
        Decimal(5), validation_alias="SWITCHBOARD_SESSION_BUDGET", ge=0, description="Money a session may cost."
    )
    session_tokens_max: NonNegativeInt = Field(
        10_000_000,
        validation_alias="SWITCHBOARD_SESSION_TOKENS_MAX",
        description="Tokens a session may cost, also where a model has no price.",
    )

    turn_deadline: timedelta = Field(
        timedelta(minutes=10),
        validation_alias="SWITCHBOARD_TURN_DEADLINE",
        gt=timedelta(0),
        description="For one message, hand-offs and all, in ISO 8601; then the turn is cancelled.",
    )
    consent_expires_after: timedelta = Field(
        timedelta(minutes=15),
        validation_alias="SWITCHBOARD_CONSENT_EXPIRES_AFTER",
        gt=timedelta(0),
        description="In ISO 8601; a later yes is to a question that is out of mind.",
    )

    def cost(self, reply: ModelReply) -> Decimal:
        """What one model call has cost; 0 for a model without a price."""
        price = self.prices.get(reply.model)
        if price is None:
            return Decimal(0)
        spent = price.input * reply.usage.input_tokens + price.output * reply.usage.output_tokens
        return spent / TOKENS_A_PRICE_IS_FOR

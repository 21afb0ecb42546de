"""The sessions' settings, read from the environment once at startup."""

from datetime import timedelta
from decimal import Decimal

from pydantic import AnyHttpUrl, BaseModel, Field, NonNegativeInt
from pydantic_settings import BaseSettings

from switchboard.messages import ModelReply, Spent

TOKENS_PER_PRICE = 1_000_000


class Price(BaseModel):
    """A model's prices per million tokens."""

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)


class SessionSettings(BaseSettings):
    """Address of Restate's admin API, prices of models, and limits of sessions and turns."""

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

    def cost(self, call: ModelReply | Spent) -> Decimal:
        """Return the cost of a model call; 0 for a model without a price.

        A price may name the model with its provider or without: `openai:gpt-5-mini` or `gpt-5-mini`.
        """
        price = self.prices.get(call.model) or self.prices.get(call.model.partition(":")[2])
        if price is None:
            return Decimal(0)
        spent = price.input * call.usage.input_tokens + price.output * call.usage.output_tokens
        return spent / TOKENS_PER_PRICE

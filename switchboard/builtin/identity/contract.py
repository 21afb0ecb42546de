"""The contract of identity checks: verify a customer who is not signed in by facts about them."""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from switchboard import FromIdentity, NoInput, Tool, ToolInput
from switchboard.contract import SUBJECT_MAX_CHARS
from switchboard.messages import WireModel
from switchboard.text import PlainText
from switchboard.toolkit.verified_customers import IDENTITY_CHECKS
from switchboard.words import OurWords

IDENTITY_RECORDS = "IdentityRecords"

FACTS_NEEDED = 2
FACT_MAX_CHARS = 200

TRIES_MAX = 3
"""Wrong tries per session, after which it is locked for LOCKED_FOR."""

LOCKED_FOR = dt.timedelta(minutes=30)

WRONG_A_DAY_MAX = 10
"""Wrong tries per customer within a day in all sessions together, so that a new session does not reset the limit."""


FactName = Literal["date_of_birth", "email", "phone", "address"]
Outcome = Literal["verified", "wrong", "locked"]
Fact = Annotated[str, PlainText(FACT_MAX_CHARS, min_chars=1)]


class NamedFacts(ToolInput):
    """Facts that the customer gives to verify their identity: at least two, and all must be right."""

    session_id: Annotated[str, FromIdentity("session_id")]
    date_of_birth: dt.date | None = Field(None)
    email: Fact | None = Field(None)
    phone: Fact | None = Field(None)
    address: Fact | None = Field(None, description="Street, number, postcode and city.")

    @model_validator(mode="after")
    def enough(self) -> Self:
        if len(self.named) < FACTS_NEEDED:
            raise ValueError("give at least two of: date of birth, e-mail, phone, address")
        return self

    @property
    def named(self) -> tuple[FactName, ...]:
        names: tuple[FactName, ...] = ("date_of_birth", "email", "phone", "address")
        return tuple(name for name in names if getattr(self, name) is not None)


class Verified(WireModel):
    """The result of a try. It does not say which fact was wrong."""

    summary: OurWords
    verified: bool
    tries_left: int = Field(description="Tries left in this conversation before it is locked for a while.")


VERIFY_IDENTITY = Tool(
    service=IDENTITY_CHECKS,
    handler="verify_identity",
    purpose="Verify a customer who is not signed in by two facts: date of birth, e-mail, phone, address.",
    input=NamedFacts,
    output=Verified,
    keyed_by="customer_id",
    verified=False,
    label="check your identity",
)

# Internal tools of the object, for other tools and staff. No agent lists them.


class Try(WireModel):
    """One try to verify: time, session, names of the facts, and outcome. The given values are never stored."""

    at: AwareDatetime
    session_id: str
    facts: tuple[FactName, ...]
    outcome: Outcome


class RecordQuery(ToolInput):
    """The customer whose record staff want to see."""

    customer_id: str = Field(min_length=1, max_length=SUBJECT_MAX_CHARS)


class TryList(WireModel):
    """The tries to verify as one customer, newest first."""

    summary: str
    tries: tuple[Try, ...]


LIST_TRIES = Tool(
    service=IDENTITY_CHECKS,
    handler="list_tries",
    purpose="List the tries to verify as a customer.",
    input=NoInput,
    output=TryList,
    keyed_by="customer_id",
    internal=True,
    read_only=True,
)

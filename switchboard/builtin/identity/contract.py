"""What the identity checks promise: a customer who is not signed in proves who they are by facts, or learns nothing."""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from switchboard import FromIdentity, NoInput, Tool, ToolInput
from switchboard.messages import WireModel
from switchboard.toolkit.verified_customers import IDENTITY_CHECKS

IDENTITY_RECORDS = "IdentityRecords"

FACTS_NEEDED = 2
FACT_MAX_CHARS = 200

TRIES_MAX = 3
"""Wrong ones of a session; then it is locked for a time."""

LOCKED_FOR = dt.timedelta(minutes=30)

WRONG_A_DAY_MAX = 10
"""Wrong ones for one customer within a day, of all sessions together: a new session is no way around a lock."""


FactName = Literal["date_of_birth", "email", "phone", "address"]
Outcome = Literal["verified", "wrong", "locked"]
Fact = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=FACT_MAX_CHARS)]


class NamedFacts(ToolInput):
    """What the customer says of themselves; two facts or more, and all of them have to be right."""

    session_id: Annotated[str, FromIdentity("session_id")]
    date_of_birth: dt.date | None = Field(None, description="Date of birth, YYYY-MM-DD.")
    email: Fact | None = Field(None, description="E-mail address.")
    phone: Fact | None = Field(None, description="Phone number.")
    address: Fact | None = Field(None, description="Postal address: street, number, postcode and city.")

    @model_validator(mode="after")
    def enough(self) -> Self:
        if len(self.named) < FACTS_NEEDED:
            raise ValueError("name two or more of: date of birth, e-mail, phone, address")
        return self

    @property
    def named(self) -> tuple[FactName, ...]:
        names: tuple[FactName, ...] = ("date_of_birth", "email", "phone", "address")
        return tuple(name for name in names if getattr(self, name) is not None)


class Verified(WireModel):
    """Whether it is proven now. What was wrong is not said."""

    summary: str
    verified: bool
    tries_left: int = Field(description="In this conversation, until the next pause.")


VERIFY_IDENTITY = Tool(
    service=IDENTITY_CHECKS,
    handler="verify_identity",
    purpose="Prove who the customer is, where they are not signed in, by two facts that they have named: "
    "date of birth, e-mail, phone, address.",
    input=NamedFacts,
    output=Verified,
    keyed_by="customer_id",
    verified=False,
)

# From here on: what other tools ask the object for, and staff. No agent lists these.


class Try(WireModel):
    """One try to prove it: when, in which session, by which facts, and what came of it. Never what was said."""

    at: AwareDatetime
    session_id: str
    facts: tuple[FactName, ...]
    outcome: Outcome


class RecordQuery(ToolInput):
    """Whose record staff want to see."""

    customer_id: str = Field(min_length=1, max_length=64)


class TryList(WireModel):
    """The tries to prove to be one customer, newest first."""

    summary: str
    tries: tuple[Try, ...]


LIST_TRIES = Tool(
    service=IDENTITY_CHECKS,
    handler="list_tries",
    purpose="The record of the tries to prove to be a customer.",
    input=NoInput,
    output=TryList,
    keyed_by="customer_id",
    internal=True,
)

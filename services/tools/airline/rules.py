"""The airline's numbered rules, the single source for the agent's instructions, the refusals and the docs.

docs/reference/policy-airline.md lists them. A refusal names the rule that it enforces. `enforced_by` says how a rule is
enforced:

- `policy`: pure functions, which run before each write to a reservation.
- `call`: the tool's schema, which cannot express anything else.
- `saga`: the steps that carry out the write.
- `session`: the agent loop, with the customer's identity and confirmation.
- `model`: nothing in the tools' state can prove it, so the agent is trusted with it.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

EnforcedBy = Literal["policy", "call", "saga", "session", "model"]

CURRENCY = "USD"
PASSENGERS_MAX = 5
CERTIFICATES_MAX = 1
CREDIT_CARDS_MAX = 1
GIFT_CARDS_MAX = 3
BAG_PRICE = Decimal(50)
INSURANCE_PRICE = Decimal(30)
"""Per passenger."""

CANCELLABLE_HOURS = 24
"""Hours after booking in which every reservation can be cancelled."""

REFUND_TIME = "5 to 7 business days"

CANCELLED_FLIGHT_COMPENSATION = Decimal(100)
DELAYED_FLIGHT_COMPENSATION = Decimal(50)
"""Per passenger."""


@dataclass(frozen=True)
class Rule:
    number: str
    text: str
    enforced_by: EnforcedBy


@dataclass(frozen=True)
class Chapter:
    title: str
    rules: tuple[Rule, ...]


POLICY = (
    Chapter(
        "Always",
        (
            Rule("G1", "Customers can see and change only their own profile and reservations.", "session"),
            Rule("G2", "Nothing is booked, changed or cancelled until the customer has confirmed it.", "session"),
            Rule("G3", "State only what the customer or a tool has said: no advice, no guesses.", "model"),
            Rule(
                "G4",
                "Decline requests that these rules do not allow, whatever the customer was promised.",
                "model",
            ),
            Rule(
                "G5",
                "Transfer to a human agent only for requests that no tool can handle and no rule forbids.",
                "model",
            ),
            Rule(
                "G6",
                "Customers who are not signed in cannot see or change anything until they verify two of: "
                "date of birth, e-mail address, phone number, postal address.",
                "session",
            ),
        ),
    ),
    Chapter(
        "Booking",
        (
            Rule(
                "B1",
                "Before booking, collect the trip type, origin, destination, cabin and the passengers' details.",
                "model",
            ),
            Rule(
                "B2",
                "A flight can be booked only before its departure, while its status is available (not on "
                "time, delayed, flying, landed or cancelled) and the cabin has a seat for every passenger.",
                "policy",
            ),
            Rule(
                "B3",
                "Each flight must start where the previous one ends, after it has landed. Together they must "
                "lead from the origin to the destination and, on a round trip, back.",
                "policy",
            ),
            Rule("B4", f"A reservation can have 1 to {PASSENGERS_MAX} passengers.", "policy"),
            Rule("B5", "All passengers of a reservation take the same flights in the same cabin.", "call"),
            Rule(
                "B6",
                f"Offer travel insurance: {INSURANCE_PRICE} {CURRENCY} per passenger, with a full refund if "
                "the customer cancels for health or weather.",
                "model",
            ),
        ),
    ),
    Chapter(
        "Paying",
        (
            Rule("P1", "Every payment method must be in the customer's profile.", "policy"),
            Rule(
                "P2",
                f"A booking can be paid with at most {CERTIFICATES_MAX} travel certificate, {CREDIT_CARDS_MAX} credit"
                f" card and {GIFT_CARDS_MAX} gift cards.",
                "policy",
            ),
            Rule(
                "P3",
                "The payments must add up exactly to the price: fares and insurance of all passengers plus "
                "the paid bags.",
                "policy",
            ),
            Rule(
                "P4",
                "A payment with a gift card or certificate cannot exceed its balance.",
                "policy",
            ),
            Rule(
                "P5",
                "The rest of a certificate's balance is lost after the payment.",
                "saga",
            ),
            Rule(
                "P6",
                "A change of flights, cabin or bags is paid or refunded with one gift card or credit card, "
                "never with a certificate.",
                "policy",
            ),
        ),
    ),
    Chapter(
        "Bags",
        (
            Rule(
                "L1",
                "Free checked bags per passenger in basic economy, economy and business: regular members 0, "
                "1, 2; silver 1, 2, 3; gold 2, 3, 4.",
                "policy",
            ),
            Rule(
                "L2",
                f"Each further bag costs {BAG_PRICE} {CURRENCY}. A bag that is no longer free after a change "
                "of cabin is charged with the next change of bags. A paid bag stays paid.",
                "saga",
            ),
            Rule("L3", "Bags can be added to a reservation but not removed.", "policy"),
            Rule("L4", "Do not add bags that the customer did not ask for.", "model"),
        ),
    ),
    Chapter(
        "Changing",
        (
            Rule(
                "C1",
                "The flights of a basic economy reservation cannot be changed; its cabin can.",
                "policy",
            ),
            Rule("C2", "The origin, destination and trip type of a reservation cannot be changed.", "policy"),
            Rule("C3", "A flight that stays in the reservation in the same cabin keeps its price.", "saga"),
            Rule(
                "C4",
                "The cabin cannot be changed once any flight has departed.",
                "policy",
            ),
            Rule("C5", "A change of cabin applies to all flights of the reservation.", "call"),
            Rule(
                "C6",
                "The customer pays the difference if the change costs more, and gets it back if it costs less.",
                "saga",
            ),
            Rule("C7", "A flight that has departed stays in the reservation.", "policy"),
            Rule(
                "C8",
                "Passengers can be replaced, but their number cannot change, not even by a human agent.",
                "policy",
            ),
            Rule("C9", "Insurance cannot be added after booking.", "call"),
            Rule(
                "C10",
                "A reservation cannot be changed once it is cancelled or all its flights have departed.",
                "policy",
            ),
        ),
    ),
    Chapter(
        "Cancelling",
        (
            Rule(
                "X1",
                "Ask for the reason and pass it on: change of plan, cancelled by the airline, health, weather, other.",
                "model",
            ),
            Rule(
                "X2",
                "Once any flight has departed, you cannot cancel the reservation: transfer to a human agent.",
                "policy",
            ),
            Rule(
                "X3",
                f"Otherwise a reservation can be cancelled within {CANCELLABLE_HOURS} hours of booking, if "
                "the airline has cancelled one of its flights, if it is in business, or if it is insured and "
                "the reason is health or weather. Membership makes no difference.",
                "policy",
            ),
            Rule("X4", "A reservation can be cancelled only once, and only as a whole.", "policy"),
            Rule("X5", f"The refund goes to the original payment methods and takes {REFUND_TIME}.", "saga"),
        ),
    ),
    Chapter(
        "Compensation",
        (
            Rule("K1", "Mention compensation only if the customer asks for it.", "model"),
            Rule(
                "K2",
                "Compensation is only for silver and gold members, insured reservations, and reservations "
                "that were in business when the flight was disrupted.",
                "policy",
            ),
            Rule(
                "K3",
                "Compensation is only for a flight that is cancelled or delayed while it is part of the "
                "reservation, not for a delay that was known at booking.",
                "policy",
            ),
            Rule(
                "K4",
                "A delayed flight is compensated only after the reservation was changed or cancelled during the delay.",
                "policy",
            ),
            Rule(
                "K5",
                f"Compensation is a certificate of exactly {CANCELLED_FLIGHT_COMPENSATION} {CURRENCY} per "
                f"passenger for a cancelled flight, {DELAYED_FLIGHT_COMPENSATION} {CURRENCY} for a delayed "
                "one.",
                "policy",
            ),
            Rule("K6", "A reservation is compensated at most once.", "policy"),
        ),
    ),
)

RULES = {rule.number: rule for chapter in POLICY for rule in chapter.rules}


def policy_text() -> str:
    """Return all rules as text for an agent's instructions."""
    chapters = [f"{chapter.title}:\n" + "\n".join(f"- {rule.text}" for rule in chapter.rules) for chapter in POLICY]
    return "\n".join(chapters)

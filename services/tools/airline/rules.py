"""The airline's rules in words: one source of instructions, refusals and docs/reference/policy-airline.md.

A refusal names the number of the rule that it keeps. `kept_by` says who keeps a rule: `policy` is the pure functions of
the reservations, asked before each write; `call` is the form of the tool's call, which cannot say otherwise; `saga` is
how the write is carried out; `session` is the loop with the customer's own identity and yes; `model` is what no state
can show, and what the agent is trusted with.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

KeptBy = Literal["policy", "call", "saga", "session", "model"]

CURRENCY = "USD"
PASSENGERS_MAX = 5
CERTIFICATES_MAX = 1
CREDIT_CARDS_MAX = 1
GIFT_CARDS_MAX = 3
BAG_PRICE = Decimal(50)
INSURANCE_PRICE = Decimal(30)
"""For each passenger."""

CANCELLABLE_HOURS = 24
"""After booking."""

CANCELLED_FLIGHT_COMPENSATION = Decimal(100)
DELAYED_FLIGHT_COMPENSATION = Decimal(50)
"""For each passenger."""


@dataclass(frozen=True)
class Rule:
    number: str
    text: str
    kept_by: KeptBy


@dataclass(frozen=True)
class Chapter:
    title: str
    rules: tuple[Rule, ...]


POLICY = (
    Chapter(
        "Always",
        (
            Rule("G1", "A customer sees and changes only their own profile and reservations.", "session"),
            Rule("G2", "Nothing is booked, changed or cancelled before the customer has said yes to it.", "session"),
            Rule("G3", "Say what the customer or a tool has said, and nothing else: no advice, no guesses.", "model"),
            Rule("G4", "Decline what these rules do not allow, whoever is said to have promised it.", "model"),
            Rule("G5", "Transfer to a person only what no tool can do and no rule forbids.", "model"),
            Rule(
                "G6",
                "Nothing of a customer's is shown or done before they are signed in, or have named two right facts out"
                " of date of birth, e-mail, phone and postal address.",
                "session",
            ),
        ),
    ),
    Chapter(
        "Booking",
        (
            Rule("B1", "Before booking, know the trip type, origin, destination, cabin and who flies.", "model"),
            Rule(
                "B2",
                "A flight can be booked while it is available, with a seat in the cabin for every passenger. One that"
                " is delayed, on time, flying, landed or cancelled, or whose departure is past, cannot.",
                "policy",
            ),
            Rule(
                "B3",
                "The flights follow one another in place and time: from the origin to the destination, and on a round"
                " trip back to the origin.",
                "policy",
            ),
            Rule("B4", f"A reservation has one to {PASSENGERS_MAX} passengers.", "policy"),
            Rule("B5", "All passengers of a reservation take the same flights in the same cabin.", "call"),
            Rule(
                "B6",
                f"Offer travel insurance: {INSURANCE_PRICE} {CURRENCY} for each passenger, full refund for health or"
                " weather.",
                "model",
            ),
        ),
    ),
    Chapter(
        "Paying",
        (
            Rule("P1", "Every means of payment is in the customer's profile.", "policy"),
            Rule(
                "P2",
                f"A booking is paid with at most {CERTIFICATES_MAX} travel certificate, {CREDIT_CARDS_MAX} credit card"
                f" and {GIFT_CARDS_MAX} gift cards.",
                "policy",
            ),
            Rule(
                "P3",
                "The payments add up exactly to the price: fares and insurance of all passengers, and the paid bags.",
                "policy",
            ),
            Rule("P4", "A gift card or certificate pays no more than it holds.", "policy"),
            Rule("P5", "What a certificate holds beyond the payment is lost.", "saga"),
            Rule(
                "P6",
                "A change of flights, cabin or bags is paid, or refunded, with a single gift card or credit card;"
                " never with a certificate.",
                "policy",
            ),
        ),
    ),
    Chapter(
        "Bags",
        (
            Rule(
                "L1",
                "Free checked bags for each passenger, in basic economy, economy and business: regular members 0, 1, 2;"
                " silver 1, 2, 3; gold 2, 3, 4.",
                "policy",
            ),
            Rule(
                "L2",
                f"Each bag beyond the free ones costs {BAG_PRICE} {CURRENCY}. One that another cabin makes no longer"
                " free is paid with the next change of bags; one that was paid stays paid.",
                "saga",
            ),
            Rule("L3", "Bags can be added to a reservation, not taken away.", "policy"),
            Rule("L4", "Add no bag that the customer did not ask for.", "model"),
        ),
    ),
    Chapter(
        "Changing",
        (
            Rule("C1", "The flights of a basic economy reservation cannot be changed; its cabin can.", "policy"),
            Rule("C2", "Origin, destination and trip type stay as they were booked.", "policy"),
            Rule("C3", "A flight that is kept in its cabin keeps its price.", "saga"),
            Rule("C4", "The cabin cannot be changed once any flight of the reservation has left.", "policy"),
            Rule("C5", "A change of cabin is for all flights of the reservation.", "call"),
            Rule("C6", "A dearer change is paid by the customer, a cheaper one is refunded.", "saga"),
            Rule("C7", "A flight that has left stays in the reservation.", "policy"),
            Rule(
                "C8",
                "Passengers can be replaced, but their number cannot change; no person can do it either.",
                "policy",
            ),
            Rule("C9", "Insurance cannot be added after booking.", "call"),
            Rule(
                "C10", "A reservation that is cancelled, or all of whose flights have left, is not changed.", "policy"
            ),
        ),
    ),
    Chapter(
        "Cancelling",
        (
            Rule("X1", "Ask why: change of plan, cancelled by the airline, health, weather, or other.", "model"),
            Rule("X2", "Once any flight has left, the agent cannot cancel: transfer to a person.", "policy"),
            Rule(
                "X3",
                f"Otherwise a reservation can be cancelled within {CANCELLABLE_HOURS} hours of booking, or when the"
                " airline has cancelled one of its flights, or when it is business, or when it is insured and the"
                " reason is health or weather. Membership makes no difference.",
                "policy",
            ),
            Rule("X4", "A reservation is cancelled once, and whole.", "policy"),
            Rule("X5", "The refund goes to the means that paid, in 5 to 7 business days.", "saga"),
        ),
    ),
    Chapter(
        "Compensation",
        (
            Rule("K1", "Speak of compensation only when the customer asks for it.", "model"),
            Rule(
                "K2",
                "It is only for silver and gold members, insured reservations, and those that were business when the"
                " flight was disrupted.",
                "policy",
            ),
            Rule(
                "K3",
                "It is for a flight that is cancelled or delayed while the reservation holds it, unless the delay was"
                " known when it was booked, and for nothing else.",
                "policy",
            ),
            Rule(
                "K4",
                "For a delayed flight, only after the reservation was changed or cancelled during the delay.",
                "policy",
            ),
            Rule(
                "K5",
                f"A certificate of {CANCELLED_FLIGHT_COMPENSATION} {CURRENCY} for each passenger for a cancelled"
                f" flight, {DELAYED_FLIGHT_COMPENSATION} {CURRENCY} for a delayed one: exactly that.",
                "policy",
            ),
            Rule("K6", "Once for a reservation.", "policy"),
        ),
    ),
)

RULES = {rule.number: rule for chapter in POLICY for rule in chapter.rules}


def policy_text() -> str:
    """All rules, for an agent's instructions."""
    chapters = [
        f"{chapter.title}:\n" + "\n".join(f"{rule.number} {rule.text}" for rule in chapter.rules) for chapter in POLICY
    ]
    return "\n".join(chapters)

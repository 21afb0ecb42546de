"""Every tool that writes: a call of it for a copy of a demo customer, and how the state shows that it was made."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from services.tools.bank.standing_orders.policy import Orders
from services.tools.bank.transfers.plan import Plan
from switchboard.builtin.reminders.policy import Book
from switchboard.testing import JSON
from switchboard.toolkit.timers import TimerBook
from tests.chaos.crowd import FLIGHT_DAYS, SPARE_SEATS, reservation_id
from tests.mesh.booking_desk import booking, days_from_today

Told = Literal["done", "not done", "unknown"]
States = dict[str, dict[str, Any]]
"""By service: the JSON of each state key of its objects, by `object key state key`."""

STATEFUL = (
    *("Accounts", "AirlineCustomers", "Cards", "CardProcessor", "CaseInbox", "Disputes", "FlightSeats"),
    *("IdentityChecks", "LoanApplications", "Loans", "Outbox", "PaymentNetwork", "Reminders", "Reservations"),
    *("ScheduledTransfers", "StandingOrders"),
)


@dataclass
class Trial:
    """One call in a session of its own: its customer, and what the customer was told."""

    row: "Row"
    number: int
    told: Told = "not done"
    interrupted: bool = False
    text: str = ""
    made: bool = False
    """Whether the call was made, once the state was read."""

    @property
    def customer_id(self) -> str:
        return f"{self.row.owner}-{self.number}"

    @property
    def reservation(self) -> str:
        return reservation_id(self.row.owner, self.number)


@dataclass(frozen=True)
class Row:
    """A tool that writes.

    - `owner`: the demo customer whose copies call it.
    - `call`: the tool's arguments, from a trial and the arguments that dispute a payment.
    - `stands`: whether the call was made, from the state of all objects. Raises AssertionError if it is half done.
    - `before`: a call to make first.
    """

    tool: str
    owner: str
    call: Callable[[Trial, JSON], JSON]
    stands: Callable[[States, Trial], bool]
    before: tuple[str, JSON] | None = None
    agent: str = "Bank"
    signed_in: bool = True
    name: str = ""

    @property
    def title(self) -> str:
        return self.name or self.tool


def own(states: States, service: str, trial: Trial, key: str) -> Any:
    """Return a state key of the customer's object; None if it has none."""
    return states[service].get(f"{trial.customer_id} {key}")


BOOKS: dict[str, tuple[str, type[TimerBook[Any]]]] = {
    "ScheduledTransfers": ("plan", Plan),
    "StandingOrders": ("orders", Orders),
    "Reminders": ("book", Book),
}
"""The state key and the type of the book of each object with timers."""


def pending(states: States, service: str, trial: Trial) -> tuple[Any, ...]:
    """Return the customer's entries with a timer."""
    key, book = BOOKS[service]
    stored = own(states, service, trial, key)
    found: tuple[Any, ...] = book.model_validate(stored).pending if stored else ()
    return found


def totals(states: States, customer_id: str) -> dict[str, Decimal]:
    """Return the sum of all movements on each of the customer's accounts, without zeros."""
    moves = states["Accounts"].get(f"{customer_id} moves", {"totals": {}})
    sums = {account: Decimal(amount) for account, amount in moves["totals"].items()}
    return {account: amount for account, amount in sums.items() if amount}


def one_of(found: Any, nothing: Any, everything: Any) -> bool:
    """Return whether everything was done. Fails if only a part was."""
    assert found in (nothing, everything)
    return bool(found == everything)


def payee_of(trial: Trial) -> str:
    """Return the id of the copy of Bob who is paid in this trial only."""
    return f"bob-{trial.number}"


def transferred(states: States, trial: Trial) -> bool:
    found = (totals(states, trial.customer_id), totals(states, payee_of(trial)))
    return one_of(found, ({}, {}), ({"checking": Decimal(-7)}, {"checking": Decimal(7)}))


def transferred_outside(states: States, trial: Trial) -> bool:
    payments = [sent["payment"] for key, sent in states["PaymentNetwork"].items() if key.endswith(" payment")]
    sent = [Decimal(one["amount"]) for one in payments if one["reference"] == trial.customer_id]
    return one_of((totals(states, trial.customer_id), sent), ({}, []), ({"checking": Decimal(-7)}, [Decimal(7)]))


def moved(states: States, trial: Trial) -> bool:
    return one_of(totals(states, trial.customer_id), {}, {"checking": Decimal(-7), "savings": Decimal(7)})


def repaid(states: States, trial: Trial) -> bool:
    repayments = own(states, "Loans", trial, "repayments") or {"made": []}
    found = (totals(states, trial.customer_id), len(repayments["made"]))
    return one_of(found, ({}, 0), ({"checking": Decimal(-505)}, 1))


def applied(states: States, trial: Trial) -> bool:
    records = (own(states, "LoanApplications", trial, "records") or {"records": []})["records"]
    assert len(records) <= 1
    return bool(records)


def disputed(states: States, trial: Trial) -> bool:
    records = (own(states, "Disputes", trial, "records") or {"records": []})["records"]
    assert len(records) <= 1
    return bool(records)


def card(states: States, trial: Trial) -> JSON:
    wallet = own(states, "Cards", trial, "wallet") or {
        "cards": [{"card_id": "CD-6308", "frozen": False, "day_limit": "5000.00"}]
    }
    return next(card for card in wallet["cards"] if card["card_id"] == "CD-6308")


def replaced(states: States, trial: Trial) -> bool:
    wallet = own(states, "Cards", trial, "wallet")
    found = (len(wallet["cards"]) if wallet else 2, emails(states, trial))
    return one_of(found, (2, 0), (3, 1))


def emails(states: States, trial: Trial) -> int:
    return len((own(states, "Outbox", trial, "sent") or {"emails": []})["emails"])


def handed_over(states: States, trial: Trial) -> bool:
    return f"staff customer {trial.customer_id}" in states["CaseInbox"]


def verified(states: States, trial: Trial) -> bool:
    return own(states, "IdentityChecks", trial, "record") is not None


def slot(states: States, trial: Trial) -> JSON:
    """Return the customer's first reservation as it was changed; an empty object if it was not."""
    found = states["Reservations"].get(f"{trial.reservation} slot")
    if found is None:
        return {}
    assert not found["operation_id"]
    kept: JSON = found["kept"]["reservation"]
    return kept


def charged(states: States, trial: Trial) -> Decimal:
    movements = states["CardProcessor"].values()
    return sum((Decimal(one["amount"]) for one in movements if own_card(one, trial)), Decimal())


def own_card(movement: JSON, trial: Trial) -> bool:
    return bool(movement["card_token"].startswith(f"{trial.customer_id}/"))


def booked(states: States, trial: Trial) -> bool:
    profile = own(states, "AirlineCustomers", trial, "profile")
    listed = len(profile["user"]["reservations"]) if profile else 1
    reservations = [
        found["kept"]["reservation"]
        for found in states["Reservations"].values()
        if isinstance(found, dict) and found["kept"] and found["kept"]["reservation"]["user_id"] == trial.customer_id
    ]
    return one_of((listed, len(reservations), charged(states, trial)), (1, 0, 0), (2, 1, Decimal("289.40")))


def cancelled(states: States, trial: Trial) -> bool:
    found = (slot(states, trial).get("status"), charged(states, trial))
    return one_of(found, (None, 0), ("cancelled", Decimal(-209)))


def flights_changed(states: States, trial: Trial) -> bool:
    found = (slot(states, trial).get("cabin", "economy"), charged(states, trial))
    return one_of(found, ("economy", 0), ("business", Decimal(369)))


def passengers_changed(states: States, trial: Trial) -> bool:
    return bool(slot(states, trial)) and slot(states, trial)["passengers"][0]["first_name"] == "Eve"


def bags_added(states: States, trial: Trial) -> bool:
    found = (slot(states, trial).get("total_baggages", 1), charged(states, trial))
    return one_of(found, (1, 0), (2, Decimal(50)))


def compensated(states: States, trial: Trial) -> bool:
    profile = own(states, "AirlineCustomers", trial, "profile")
    return bool(profile) and bool(profile["compensated"])


def seat_changed(states: States, trial: Trial) -> bool:
    changed = [holds["by_id"] for key, holds in states["FlightSeats"].items() if key.endswith(" holds")]
    return any(trial.reservation in by_id for by_id in changed)


def leftovers(states: States) -> list[str]:
    """Return what no operation may leave behind: payments that are not settled, and seats held for nothing."""
    profiles = {key: found for key, found in states["AirlineCustomers"].items() if key.endswith(" profile")}
    slots = {key.split()[0]: found for key, found in states["Reservations"].items() if key.endswith(" slot")}
    holds = [hold for key, found in states["FlightSeats"].items() if key.endswith(" holds") for hold in held(found)]
    return [
        *(f"open payment: {key}" for key, profile in profiles.items() if profile.get("open_payments")),
        *(f"open operation: {number}" for number, found in slots.items() if found["operation_id"]),
        *(f"seat held: {number}" for number in holds if number in slots and not slots[number]["kept"]),
    ]


def held(holds: JSON) -> list[str]:
    """Return the reservations that hold seats on a flight."""
    return [hold["reservation_id"] for hold in holds["by_id"].values() if hold]


def order_changed(states: States, trial: Trial) -> bool:
    (order,) = pending(states, "StandingOrders", trial)
    return bool(order.request.amount == 8)


def frozen(states: States, trial: Trial) -> bool:
    return bool(card(states, trial)["frozen"])


def unfrozen(states: States, trial: Trial) -> bool:
    return not frozen(states, trial)


def limits_changed(states: States, trial: Trial) -> bool:
    return Decimal(card(states, trial)["day_limit"]) == 4000


def invoiced(states: States, trial: Trial) -> bool:
    return one_of(emails(states, trial), 0, 1)


def has_pending(service: str) -> Callable[[States, Trial], bool]:
    return lambda states, trial: one_of(len(pending(states, service, trial)), 0, 1)


def has_none(service: str) -> Callable[[States, Trial], bool]:
    return lambda states, trial: not one_of(len(pending(states, service, trial)), 0, 1)


def of_reservation(name: str, **more: Any) -> Callable[[Trial, JSON], JSON]:
    """Return arguments with the number of the customer's reservation."""
    return lambda trial, dispute: {name: trial.reservation, **more}


PAYMENT = {"recipient": "bob", "recipient_name": "Bob Brandt", "amount": "7.00", "currency": "EUR"}
OUTSIDE = {**PAYMENT, "recipient": "FR7630006000011234567890189", "recipient_name": "Zoé Petit"}
ON = days_from_today(60).isoformat()
SCHEDULED = ("schedule_transfer", {**PAYMENT, "on": ON})
ORDER = ("create_standing_order", {**PAYMENT, "every": "month", "starts": ON})
REMINDER = ("remind_me", {"text": "water the plants", "at": ON})
FREEZE = ("freeze_card", {"card_id": "CD-6308"})


EVE = {"first_name": "Eve", "last_name": "Evans", "dob": "1987-02-18"}
ERINS_CARD = "credit_card_5454"
FACTS = {"date_of_birth": "1979-07-30", "email": "carol@example.com"}
LIMITS = {"card_id": "CD-6308", "day_limit": "4000", "currency": "EUR"}
LOAN = {"amount": "1000", "term_months": 60, "purpose": "a kitchen"}


def fixed(arguments: JSON) -> Callable[[Trial, JSON], JSON]:
    """Return the same arguments for every trial."""
    return lambda trial, dispute: arguments


def pay(trial: Trial, _: JSON) -> JSON:
    return {**PAYMENT, "recipient": payee_of(trial)}


def pay_outside(trial: Trial, _: JSON) -> JSON:
    return {**OUTSIDE, "reference": trial.customer_id}


def flight_day(trial: Trial) -> str:
    """Return the day on which the customer's reservation flies."""
    return days_from_today(10 + trial.number % FLIGHT_DAYS).isoformat()


def book(trial: Trial, _: JSON) -> JSON:
    day = days_from_today(10 + trial.number % FLIGHT_DAYS)
    return booking("SB245", day, (ERINS_CARD, 289.4), passengers=[EVE])[1]


def to_business(trial: Trial, _: JSON) -> JSON:
    flights = [{"flight_number": "SB245", "date": flight_day(trial)}]
    return {"reservation_id": trial.reservation, "cabin": "business", "flights": flights, "payment_id": ERINS_CARD}


def change_seat(trial: Trial, _: JSON) -> JSON:
    # Another seat for each copy that flies on the same day.
    return {"confirmation_number": trial.reservation, "seat": SPARE_SEATS[trial.number // FLIGHT_DAYS]}


def one_more_bag(trial: Trial, _: JSON) -> JSON:
    bags = {"total_baggages": 2, "nonfree_baggages": 1}
    return {"reservation_id": trial.reservation, **bags, "payment_id": ERINS_CARD}


ROWS = (
    Row("transfer_money", "carol", pay, transferred),
    Row("transfer_money", "carol", pay_outside, transferred_outside, name="transfer to another bank"),
    Row(
        "move_between_own_accounts",
        "carol",
        fixed({"source": "checking", "target": "savings", "amount": "7", "currency": "EUR"}),
        moved,
    ),
    Row("schedule_transfer", "carol", fixed(SCHEDULED[1]), has_pending("ScheduledTransfers")),
    Row("cancel_scheduled", "carol", fixed({"schedule_id": "T1"}), has_none("ScheduledTransfers"), SCHEDULED),
    Row("create_standing_order", "carol", fixed(ORDER[1]), has_pending("StandingOrders")),
    Row(
        "change_standing_order",
        "carol",
        fixed({"order_id": "S1", "amount": "8", "currency": "EUR"}),
        order_changed,
        ORDER,
    ),
    Row("cancel_standing_order", "carol", fixed({"order_id": "S1"}), has_none("StandingOrders"), ORDER),
    Row("remind_me", "carol", fixed(REMINDER[1]), has_pending("Reminders")),
    Row("cancel_reminder", "carol", fixed({"reminder_id": "R1"}), has_none("Reminders"), REMINDER),
    Row("freeze_card", "carol", fixed(FREEZE[1]), frozen),
    Row("unfreeze_card", "carol", fixed(FREEZE[1]), unfrozen, FREEZE),
    Row("replace_card", "carol", fixed({"card_id": "CD-6308", "reason": "lost"}), replaced),
    Row("change_card_limits", "carol", fixed(LIMITS), limits_changed),
    Row("open_dispute", "carol", lambda _, dispute: dispute, disputed),
    Row("apply_for_loan", "carol", fixed(LOAN), applied),
    Row(
        "repay_loan_early",
        "carol",
        fixed({"loan_id": "LN-1120", "amount": "500", "fee": "5", "currency": "EUR"}),
        repaid,
    ),
    Row("verify_identity", "carol", fixed(FACTS), verified, signed_in=False),
    Row("transfer_to_human_agents", "erin", fixed({"summary": "a lost bag"}), handed_over, agent="Airline"),
    Row("email_invoice", "erin", of_reservation("confirmation_number"), invoiced, agent="Airline"),
    Row(
        "change_seat",
        "erin",
        change_seat,
        seat_changed,
        agent="Airline",
    ),
    Row("book_reservation", "erin", book, booked, agent="Airline"),
    Row("cancel_reservation", "erin", of_reservation("reservation_id", reason="health"), cancelled, agent="Airline"),
    Row("update_reservation_flights", "erin", to_business, flights_changed, agent="Airline"),
    Row(
        "update_reservation_passengers",
        "erin",
        of_reservation("reservation_id", passengers=[EVE]),
        passengers_changed,
        agent="Airline",
    ),
    Row("update_reservation_baggages", "erin", one_more_bag, bags_added, agent="Airline"),
    Row("send_certificate", "dave", of_reservation("reservation_id", amount=100), compensated, agent="Airline"),
)

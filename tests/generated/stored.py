"""What conversations leave in the stored state of all objects, compared with the models."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from services.tools.airline.flights.contract import seats_key
from switchboard.testing import JSON
from tests.chaos.writes import BOOKS, totals
from tests.generated.customer import Models
from tests.generated.model_of_airline import CERTIFICATE, FLIGHT, GIFT_CARD, Airline
from tests.generated.outcomes import expect
from tests.generated.stage import PlayedMesh

CONSISTENT = (
    *(
        "Accounts",
        "AirlineCustomers",
        "CardProcessor",
        "Cards",
        "Disputes",
        "FlightSeats",
        "LoanApplications",
        "Outbox",
    ),
    *("PaymentNetwork", "Reservations", "ScheduledTransfers", "StandingOrders"),
)
"""Services whose stored state is compared."""


WAITING = ("LoanApplication", "DisputeCase")
"""Workflows that wait for staff."""


async def stored_states(mesh: PlayedMesh) -> dict[str, JSON]:
    """Return the stored state when nothing runs any more, apart from what waits for a day or for staff."""

    async def nothing_runs() -> bool:
        return not await mesh.running(WAITING)

    await mesh.until(nothing_runs)
    return {service: await mesh.states(service) for service in CONSISTENT}


def check_state(possible: Sequence[Models], found: dict[str, JSON]) -> None:
    """Compare the stored state of a customer with the models: several if it is unknown whether a call was made."""
    now = found_facts(possible[0], found)
    if len(possible) == 1:
        expect(now, predicted(possible[0]), "the stored state")
        return
    # The ids of what an unknown call may have created are unknown as well.
    facts = [without_ids(predicted(one)) for one in possible]
    expect(without_ids(now) in facts, True, f"the stored state {now} is none of {facts}")


def without_ids(facts: JSON) -> JSON:
    return {name: fact for name, fact in facts.items() if name not in ("cards", "reservations")}


def predicted(models: Models) -> JSON:
    """Return the facts of the stored state, as they have to be."""
    bank, airline = models.bank, models.airline
    return {
        "moved": {account: amount for account, amount in bank.moved.items() if amount},
        "received": sum(bank.received.values(), Decimal(0)),
        "sent to other banks": sorted(bank.sent_outside),
        "cards": {card_id: one.status for card_id, one in bank.cards.items()},
        "scheduled": sorted(one.amount for one in bank.scheduled.values()),
        "standing orders": sorted(one.amount for one in bank.orders.values()),
        "applications": sorted(bank.applications),
        "disputes": dict(sorted(bank.disputed.items())),
        "e-mails": models.emails,
        "charged": airline.charged if airline else Decimal(0),
        "gift card": airline.gift_card if airline else None,
        "certificate": airline.certificate if airline else None,
        "seats": seats_of(airline) if airline else {},
        "reservations": {
            key: ("cancelled" if one.cancelled else one.cabin, one.bags, one.paid_bags, list(one.passengers))
            for key, one in (airline.reservations if airline else {}).items()
        },
    }


def seats_of(airline: Airline) -> dict[str, int]:
    """Return how many seats the customer has, by day and cabin."""
    taken: Counter[str] = Counter()
    for one in airline.reservations.values():
        if not one.cancelled:
            taken[f"{one.day} {one.cabin}"] += len(one.passengers)
    return dict(taken)


def found_facts(models: Models, found: dict[str, JSON]) -> JSON:
    """Return the same facts from the stored state of all objects."""
    own, bank = models.bank.customer_id, models.bank
    sent = [one["payment"] for key, one in found["PaymentNetwork"].items() if key.endswith(" payment")]
    (payee,) = bank.payees
    wallet = found["Cards"].get(f"{own} wallet")
    methods, reservations = stored_bookings(models, found)
    movements = [one for one in found["CardProcessor"].values() if one["card_token"].startswith(f"{own}/")]
    return {
        "moved": totals(found, own),
        "received": sum(totals(found, payee).values(), Decimal(0)),
        "sent to other banks": sorted(Decimal(one["amount"]) for one in sent if one["reference"] == own),
        "cards": {one["card_id"]: card_status(one) for one in wallet["cards"]}
        if wallet
        else dict.fromkeys(bank.cards, "active"),
        "scheduled": pending_amounts(found, "ScheduledTransfers", own),
        "standing orders": pending_amounts(found, "StandingOrders", own),
        "applications": sorted(one["status"] for one in records_of(found, "LoanApplications", own)),
        "disputes": {
            one["case"]["transaction_id"]: one["status"]
            for one in sorted(records_of(found, "Disputes", own), key=lambda one: one["case"]["transaction_id"])
        },
        "e-mails": len((found["Outbox"].get(f"{own} sent") or {"emails": []})["emails"]),
        "charged": sum((Decimal(str(one["amount"])) for one in movements), Decimal(0)),
        **methods,
        "seats": stored_seats(models.airline, found) if models.airline else {},
        "reservations": reservations,
    }


def stored_bookings(models: Models, found: dict[str, JSON]) -> tuple[dict[str, Decimal | None], JSON]:
    """Return the balances that the customer has left, and the reservations. What never changed is as in the data."""
    airline, own = models.airline, models.bank.customer_id
    if airline is None:
        return {"gift card": None, "certificate": None}, {}
    profile = found["AirlineCustomers"].get(f"{own} profile")
    methods = {GIFT_CARD: {"amount": 300}, CERTIFICATE: {"amount": 150}}
    if profile is not None:
        methods = profile["user"]["payment_methods"]
    left = {name: Decimal(str(one["amount"])) for name, one in methods.items() if one.get("amount") is not None}
    balances = {"gift card": left.get(GIFT_CARD), "certificate": left.get(CERTIFICATE)}
    kept = {key: found["Reservations"].get(f"{key} slot") for key in airline.reservations}
    first = {next(iter(airline.reservations)): ("economy", 1, 0, ["Erin Evans"])}
    return balances, {**first, **{key: stored(one) for key, one in kept.items() if one}}


def stored_seats(airline: Airline, found: dict[str, JSON]) -> dict[str, int]:
    """Return how many seats the reservations hold, by day and cabin. The data's reservation has its seat by itself."""
    taken: Counter[str] = Counter()
    first, day = next(iter(airline.reservations)), min(airline.seats)
    holds = {key.split()[0]: kept["by_id"] for key, kept in found["FlightSeats"].items() if key.endswith(" holds")}
    if first not in holds.get(seats_key(FLIGHT, day), {}):
        taken[f"{day} economy"] += 1
    for flight, by_id in holds.items():
        for hold in by_id.values():
            if hold and hold["reservation_id"] in airline.reservations:
                taken[f"{day_of_seats(flight)} {hold['cabin']}"] += len(hold["seats"])
    return dict(taken)


def day_of_seats(key: str) -> str:
    """Return the day in the key of a flight's seats, such as `SB245/2026-12-09`."""
    return key.partition("/")[2]


def card_status(card: JSON) -> str:
    if card.get("replaced_by"):
        return "replaced"
    return "frozen" if card["frozen"] else "active"


def pending_amounts(found: dict[str, JSON], service: str, own: str) -> list[Decimal]:
    key, book = BOOKS[service]
    stored_book = found[service].get(f"{own} {key}")
    return sorted(one.request.amount for one in book.model_validate(stored_book).pending) if stored_book else []


def records_of(found: dict[str, JSON], service: str, own: str) -> list[JSON]:
    records: list[JSON] = (found[service].get(f"{own} records") or {"records": []})["records"]
    return records


def stored(slot: JSON) -> tuple[Any, ...]:
    one = slot["kept"]["reservation"]
    people = [f"{person['first_name']} {person['last_name']}" for person in one["passengers"]]
    return (one["status"] or one["cabin"], one["total_baggages"], one["nonfree_baggages"], people)

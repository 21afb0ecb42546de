"""What conversations leave in the stored state of all objects, compared with the models."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from switchboard.testing import JSON
from tests.chaos.writes import BOOKS, totals
from tests.generated.customer import Models
from tests.generated.outcomes import expect
from tests.laboratory import Laboratory
from tests.mesh.booking_desk import states

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


async def stored_states(laboratory: Laboratory) -> dict[str, JSON]:
    """Return the stored state when nothing runs any more, apart from what waits for a day or for staff."""
    sql = (
        "SELECT count(*) AS busy FROM sys_invocation WHERE status NOT IN ('completed', 'scheduled')"
        " AND target_service_name NOT IN ('LoanApplication', 'DisputeCase')"
    )

    async def nothing_runs() -> bool:
        return not (await laboratory.query(sql))[0]["busy"]

    await laboratory.until(nothing_runs)
    return {service: await states(laboratory, service) for service in CONSISTENT}


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
        "reservations": {
            key: ("cancelled" if one.cancelled else one.cabin, one.bags, one.paid_bags, list(one.passengers))
            for key, one in (airline.reservations if airline else {}).items()
        },
    }


def found_facts(models: Models, found: dict[str, JSON]) -> JSON:
    """Return the same facts from the stored state of all objects."""
    own, bank = models.bank.customer_id, models.bank
    sent = [one["payment"] for key, one in found["PaymentNetwork"].items() if key.endswith(" payment")]
    (payee,) = bank.payees
    wallet = found["Cards"].get(f"{own} wallet")
    gift_card, reservations = stored_bookings(models, found)
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
        "gift card": gift_card,
        "reservations": reservations,
    }


def stored_bookings(models: Models, found: dict[str, JSON]) -> tuple[Decimal | None, JSON]:
    """Return the balance of the gift card, and the reservations. What was never changed is as in the data."""
    airline, own = models.airline, models.bank.customer_id
    if airline is None:
        return None, {}
    profile = found["AirlineCustomers"].get(f"{own} profile")
    balance = 300 if profile is None else profile["user"]["payment_methods"]["gift_card_4400"]["amount"]
    kept = {key: found["Reservations"].get(f"{key} slot") for key in airline.reservations}
    first = {next(iter(airline.reservations)): ("economy", 1, 0, ["Erin Evans"])}
    return Decimal(str(balance)), {**first, **{key: stored(one) for key, one in kept.items() if one}}


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

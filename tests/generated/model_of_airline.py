"""A plain model of the airline's rules, written from docs/reference/policy-airline.md and the demo data.

It shares no code with the tools. Erin, a regular member, has one insured reservation of the flight SB245 and can pay
with a gift card, a travel certificate and a credit card. The seats of her days are hers alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from switchboard.testing import JSON
from tests.generated.outcomes import Asked, Done, Outcome, Refused, money, name_of_new, note_new, refused

FARES = {"basic_economy": Decimal(189), "economy": Decimal("289.40"), "business": Decimal(648)}
FREE_BAGS = {"basic_economy": 0, "economy": 1, "business": 2}
BAG, INSURANCE, PASSENGERS_MAX = Decimal(50), Decimal(30), 5
GIFT_CARD, CREDIT_CARD, CERTIFICATE = "gift_card_4400", "credit_card_5454", "certificate_7700"
SHORT_NAMES = {GIFT_CARD: "gift card 4400", CREDIT_CARD: "credit card 5454", CERTIFICATE: "certificate 7700"}
FLIGHT = "SB245"


@dataclass
class Booked:
    """A reservation. `fare` is the price per passenger; `paid` the payments by method, negative for refunds."""

    cabin: str
    day: str
    fare: Decimal
    passengers: tuple[str, ...]
    bags: int
    paid_bags: int
    insured: bool
    paid: list[tuple[str, Decimal]]
    new: bool = True
    cancelled: bool = False


@dataclass
class Airline:
    """One customer of the airline, and the free seats on the days of their flights, by day and cabin.

    `certificate` is None once it was used.
    """

    seats: dict[str, dict[str, int]]
    reservations: dict[str, Booked]
    gift_card: Decimal = Decimal(300)
    certificate: Decimal | None = Decimal(150)
    charged: Decimal = Decimal(0)
    emails: int = 0

    def ask(self, tool: str, given: JSON) -> Refused | Asked | None:
        """Return the refusal or the question of a call; None if it is made without a question."""
        question = QUESTIONS.get(tool)
        if question is None:
            return None
        return self.broken(tool, given) or Asked(tuple(question(self, given)))

    def make(self, tool: str, given: JSON) -> Outcome:
        """Make a call that may be made, and return its outcome."""
        return self.broken(tool, given) or Done(EFFECTS[tool](self, given))

    def broken(self, tool: str, given: JSON) -> Refused | None:
        return refused(RULES[tool](self, given))

    def pay(self, method: str, amount: Decimal) -> None:
        if method == GIFT_CARD:
            self.gift_card -= amount
        elif method == CERTIFICATE:
            self.certificate = None
        else:
            self.charged += amount

    def cannot_pay(self, method: str, amount: Decimal) -> bool:
        if method == CERTIFICATE:
            return amount > (self.certificate or 0)
        return method == GIFT_CARD and amount > self.gift_card

    def lacks(self, method: str) -> bool:
        return method not in SHORT_NAMES or (method == CERTIFICATE and self.certificate is None)

    def change_breaks(self, method: str, price: Decimal) -> Iterator[str]:
        """What a change breaks that is paid, or refunded, with this method."""
        if self.lacks(method):
            yield "P1"
        elif method == CERTIFICATE:
            yield "P6"
        elif self.cannot_pay(method, price):
            yield "P4"


Breaks = Iterator[str]


def names_of(given: JSON) -> tuple[str, ...]:
    return tuple(f"{one['first_name']} {one['last_name']}" for one in given["passengers"])


def day_of(given: JSON) -> str:
    return str(given["flights"][0]["date"])


def booking_price(given: JSON) -> Decimal:
    people = len(given["passengers"])
    insurance = INSURANCE if given["insurance"] == "yes" else Decimal(0)
    return (FARES[given["cabin"]] + insurance) * people + BAG * int(given["nonfree_baggages"])


def trip_asks(airline: Airline, given: JSON) -> Iterator[str]:
    """What every question about a reservation says of it as it is now."""
    found = airline.reservations[given["reservation_id"]]
    yield f"reservation {given['reservation_id']}"
    yield f"in {found.cabin.replace('_', ' ')}"
    yield f"{FLIGHT} from BER to LIS on {date.fromisoformat(found.day):%A, %-d %B %Y}"
    yield from (part for name in found.passengers for part in name.split())


def booking_breaks(airline: Airline, given: JSON) -> Breaks:
    people, methods = len(given["passengers"]), [one["payment_id"] for one in given["payment_methods"]]
    if people > PASSENGERS_MAX:
        yield "B4"
    if day_of(given) not in airline.seats or airline.seats[day_of(given)][given["cabin"]] < people:
        yield "B2"
    if (given["origin"], given["destination"]) != ("BER", "LIS"):
        yield "B3"
    if any(airline.lacks(method) for method in methods):
        yield "P1"
    if methods.count(CREDIT_CARD) > 1:
        yield "P2"
    if sum((Decimal(str(one["amount"])) for one in given["payment_methods"]), Decimal(0)) != booking_price(given):
        yield "P3"
    amounts = [(one["payment_id"], Decimal(str(one["amount"]))) for one in given["payment_methods"]]
    if any(airline.cannot_pay(method, amount) for method, amount in amounts):
        yield "P4"
    if given["nonfree_baggages"] != max(0, given["total_baggages"] - FREE_BAGS[given["cabin"]] * people):
        yield "L1"


def booking_asks(airline: Airline, given: JSON) -> Iterator[str]:
    yield f"in {given['cabin'].replace('_', ' ')}"
    yield money(booking_price(given), "USD")
    yield FLIGHT
    yield f"Checked bags: {given['total_baggages']}"
    yield f"insurance: {given['insurance']}"
    for one in given["payment_methods"]:
        amount = Decimal(str(one["amount"]))
        yield f"{money(amount, 'USD')} with {SHORT_NAMES[one['payment_id']]}"
        if one["payment_id"] == CERTIFICATE and airline.certificate and amount < airline.certificate:
            yield f"{money(airline.certificate - amount, 'USD')} of certificate 7700 are lost"
    yield from (one["first_name"] for one in given["passengers"])


def book(airline: Airline, given: JSON) -> JSON:
    """Book. The reservation's id is known when the mesh has said it: see `note_new_reservation`."""
    paid = [(one["payment_id"], Decimal(str(one["amount"]))) for one in given["payment_methods"]]
    for method, amount in paid:
        airline.pay(method, amount)
    airline.seats[day_of(given)][given["cabin"]] -= len(given["passengers"])
    airline.emails += 1
    new = name_of_new(airline.reservations)
    airline.reservations[new] = Booked(
        given["cabin"],
        day_of(given),
        FARES[given["cabin"]],
        names_of(given),
        given["total_baggages"],
        given["nonfree_baggages"],
        given["insurance"] == "yes",
        paid,
    )
    return facts(airline.reservations[new])


def facts(found: Booked) -> JSON:
    """Return what a result says of a reservation."""
    return {
        "cabin": found.cabin,
        "total_baggages": found.bags,
        "nonfree_baggages": found.paid_bags,
        "status": "cancelled" if found.cancelled else None,
        "passengers": [{"first_name": name.split()[0], "last_name": name.split()[1]} for name in found.passengers],
        "payment_history": [{"payment_id": method, "amount": amount} for method, amount in found.paid],
    }


def cancel_breaks(airline: Airline, given: JSON) -> Breaks:
    found = airline.reservations.get(given["reservation_id"])
    if found is None:
        yield "G1"
    elif found.cancelled:
        yield "X4"
    elif not (
        found.new or found.cabin == "business" or (found.insured and given.get("reason") in ("health", "weather"))
    ):
        yield "X3"


def refunds(found: Booked) -> dict[str, Decimal]:
    """Return what each method gets back. What was refunded to another method before is deducted, from cards first."""
    net: dict[str, Decimal] = {}
    for method, amount in found.paid:
        net[method] = net.get(method, Decimal(0)) + amount
    excess = -sum((amount for amount in net.values() if amount < 0), Decimal(0))
    back = {}
    for method in sorted((one for one in net if net[one] > 0), key=lambda one: one != CREDIT_CARD):
        deducted = min(excess, net[method])
        excess -= deducted
        back[method] = net[method] - deducted
    return {method: amount for method, amount in back.items() if amount}


def cancel_asks(airline: Airline, given: JSON) -> Iterator[str]:
    yield from trip_asks(airline, given)
    for method, amount in refunds(airline.reservations[given["reservation_id"]]).items():
        yield f"{money(amount, 'USD')} to {SHORT_NAMES[method]}"


def cancel(airline: Airline, given: JSON) -> JSON:
    found = airline.reservations[given["reservation_id"]]
    # Accounting refunds gift cards, from the payment history: docs/decisions/0007-seats-come-back.md.
    airline.charged -= refunds(found).get(CREDIT_CARD, Decimal(0))
    found.cancelled = True
    found.paid += [(method, -amount) for method, amount in tuple(found.paid)]
    airline.seats[found.day][found.cabin] += len(found.passengers)
    airline.emails += 1
    return {"status": "cancelled"}


def not_changeable(airline: Airline, given: JSON) -> Breaks:
    found = airline.reservations.get(given["reservation_id"])
    if found is None:
        yield "G1"
    elif found.cancelled:
        yield "C10"


def change_price(airline: Airline, given: JSON) -> Decimal:
    """Return what a change of flights costs. A flight that stays in the same cabin keeps its price."""
    found = airline.reservations[given["reservation_id"]]
    if (found.day, found.cabin) == (day_of(given), given["cabin"]):
        return Decimal(0)
    return (FARES[given["cabin"]] - found.fare) * len(found.passengers)


def flights_breaks(airline: Airline, given: JSON) -> Breaks:
    broken = list(not_changeable(airline, given))
    yield from broken
    if broken:
        return
    found = airline.reservations[given["reservation_id"]]
    same = (found.day, found.cabin) == (day_of(given), given["cabin"])
    if found.cabin == "basic_economy" and found.day != day_of(given):
        yield "C1"
    yield from airline.change_breaks(given["payment_id"], change_price(airline, given))
    if not same and airline.seats[day_of(given)][given["cabin"]] < len(found.passengers):
        yield "B2"


def flights_asks(airline: Airline, given: JSON) -> Iterator[str]:
    yield from trip_asks(airline, given)
    yield f"Cabin: {given['cabin'].replace('_', ' ')}"
    yield price_words(change_price(airline, given), given["payment_id"])


def price_words(price: Decimal, method: str) -> str:
    if not price:
        return "price stays the same"
    back = f"get back {money(-price, 'USD')} to {SHORT_NAMES[method]}"
    return back if price < 0 else f"pay {money(price, 'USD')} with {SHORT_NAMES[method]}"


def charge(airline: Airline, found: Booked, method: str, price: Decimal) -> None:
    airline.emails += 1
    if price:
        found.paid.append((method, price))
        airline.pay(method, price)


def change_flights(airline: Airline, given: JSON) -> JSON:
    found = airline.reservations[given["reservation_id"]]
    charge(airline, found, given["payment_id"], change_price(airline, given))
    if (found.day, found.cabin) != (day_of(given), given["cabin"]):
        airline.seats[found.day][found.cabin] += len(found.passengers)
        airline.seats[day_of(given)][given["cabin"]] -= len(found.passengers)
        found.day, found.cabin, found.fare = day_of(given), given["cabin"], FARES[given["cabin"]]
    return facts(found)


def people_breaks(airline: Airline, given: JSON) -> Breaks:
    broken = list(not_changeable(airline, given))
    yield from broken
    if not broken and len(given["passengers"]) != len(airline.reservations[given["reservation_id"]].passengers):
        yield "C8"


def people_asks(airline: Airline, given: JSON) -> Iterator[str]:
    yield from trip_asks(airline, given)
    yield from (one["first_name"] for one in given["passengers"])


def change_people(airline: Airline, given: JSON) -> JSON:
    found = airline.reservations[given["reservation_id"]]
    found.passengers = names_of(given)
    airline.emails += 1
    return facts(found)


def new_paid_bags(found: Booked, total: int) -> int:
    """Return how many bags are paid after a change. A paid bag stays paid."""
    return max(found.paid_bags, total - FREE_BAGS[found.cabin] * len(found.passengers))


def bags_breaks(airline: Airline, given: JSON) -> Breaks:
    broken = list(not_changeable(airline, given))
    yield from broken
    if broken:
        return
    found = airline.reservations[given["reservation_id"]]
    if given["total_baggages"] < found.bags:
        yield "L3"
    if given["nonfree_baggages"] != new_paid_bags(found, given["total_baggages"]):
        yield "L1"
    yield from airline.change_breaks(given["payment_id"], BAG * (given["nonfree_baggages"] - found.paid_bags))


def bags_asks(airline: Airline, given: JSON) -> Iterator[str]:
    found = airline.reservations[given["reservation_id"]]
    yield from trip_asks(airline, given)
    yield f"Until now: {found.bags}, {found.paid_bags} of them paid"
    yield f"From now on: {given['total_baggages']}, {given['nonfree_baggages']} of them paid"
    yield price_words(BAG * (given["nonfree_baggages"] - found.paid_bags), given["payment_id"])


def add_bags(airline: Airline, given: JSON) -> JSON:
    found = airline.reservations[given["reservation_id"]]
    charge(airline, found, given["payment_id"], BAG * (given["nonfree_baggages"] - found.paid_bags))
    found.bags, found.paid_bags = given["total_baggages"], given["nonfree_baggages"]
    return facts(found)


def certificate_breaks(airline: Airline, given: JSON) -> Breaks:
    yield from no_reservation(airline, given)
    # No flight of Erin's days is late or cancelled.
    yield "K3"
    yield "K2"


def profile(airline: Airline, _: JSON) -> JSON:
    certificate = {} if airline.certificate is None else {CERTIFICATE: {"amount": airline.certificate}}
    return {
        "payment_methods": {GIFT_CARD: {"amount": airline.gift_card}, **certificate},
        "reservations": list(airline.reservations),
    }


def details(airline: Airline, given: JSON) -> JSON:
    return facts(airline.reservations[given["reservation_id"]])


def no_reservation(airline: Airline, given: JSON) -> Breaks:
    if given["reservation_id"] not in airline.reservations:
        yield "G1"


def nothing(_: Airline, __: JSON) -> Breaks:
    yield from ()


def no_effect(_: Airline, __: JSON) -> JSON:
    return {}


RULES: dict[str, Callable[[Airline, JSON], Breaks]] = {
    "book_reservation": booking_breaks,
    "cancel_reservation": cancel_breaks,
    "update_reservation_flights": flights_breaks,
    "update_reservation_passengers": people_breaks,
    "update_reservation_baggages": bags_breaks,
    "send_certificate": certificate_breaks,
    "get_user_details": nothing,
    "get_reservation_details": no_reservation,
}
QUESTIONS: dict[str, Callable[[Airline, JSON], Iterator[str]]] = {
    "book_reservation": booking_asks,
    "cancel_reservation": cancel_asks,
    "update_reservation_flights": flights_asks,
    "update_reservation_passengers": people_asks,
    "update_reservation_baggages": bags_asks,
}
EFFECTS: dict[str, Callable[[Airline, JSON], JSON]] = {
    "book_reservation": book,
    "cancel_reservation": cancel,
    "update_reservation_flights": change_flights,
    "update_reservation_passengers": change_people,
    "update_reservation_baggages": add_bags,
    "send_certificate": no_effect,
    "get_user_details": profile,
    "get_reservation_details": details,
}


def note_new_reservation(airline: Airline, reservation_id: str) -> None:
    """Give the reservation that was booked its id."""
    note_new(airline.reservations, reservation_id)


def erin(reservation_id: str, day: str, seats: dict[str, dict[str, int]]) -> Airline:
    first = Booked(
        "economy",
        day,
        Decimal(279),
        ("Erin Evans",),
        1,
        0,
        insured=True,
        paid=[(GIFT_CARD, Decimal(100)), (CREDIT_CARD, Decimal(209))],
        new=False,
    )
    return Airline(seats, {reservation_id: first})

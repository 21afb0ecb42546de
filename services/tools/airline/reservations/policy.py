"""Who may book, cancel and change what, and how it is paid: the airline's rules on the state that the tools keep. Pure.

`may_...` asks all rules, `can_...` only those without which a write makes no sense whatever the policy is: flights that
exist and have seats, means of payment that are there and bear their part. Each answers a Refusal with the number of the
rule, or None. Whose reservation it is has been settled before (G1).

What no state shows is the model's word: that the customer's reason to cancel is health or weather (X3), which is
believed when it is said, and assumed for an insured reservation when nothing is; and that they have asked for a
compensation (K1). `now` has a zone.
"""

import datetime as dt
from collections.abc import Sequence

from services.tools.airline.data.records import Cabin, Reservation, User
from services.tools.airline.reservations.contract import (
    BookReservation,
    CancelReservation,
    FlightChoice,
    UpdateReservationBaggages,
    UpdateReservationFlights,
    UpdateReservationPassengers,
)
from services.tools.airline.reservations.paying import refuse_means, refuse_means_mix, refuse_single_means, refuse_sum
from services.tools.airline.reservations.prices import (
    bags_price,
    booking_price,
    change_price,
    free_bags,
    kept_fares,
    paid_bags,
)
from services.tools.airline.reservations.travel import (
    FlightKey,
    Flights,
    FlightState,
    Leg,
    booked_leg,
    has_left,
    key_of,
    keys_of,
    leads,
    left,
    missed,
    moment,
)
from services.tools.airline.rules import CANCELLABLE_HOURS, PASSENGERS_MAX
from switchboard.toolkit.refusal import NOT_FOUND, Refusal

COVERED_REASONS = ("health", "weather")


def may_book(request: BookReservation, user: User, flights: Flights, now: dt.datetime) -> Refusal | None:
    """Whether the user may book this. `flights` holds every flight of the request that flies on its day."""
    return (
        refuse_party(request)
        or refuse_route(request, flights)
        or refuse_means_mix(request, user)
        or refuse_paid_bags(request, user)
        or can_book(request, user, flights, now)
    )


def can_book(request: BookReservation, user: User, flights: Flights, now: dt.datetime) -> Refusal | None:
    """Whether the booking is possible: flights with seats, means that are there, bear their part and make the price."""
    return (
        refuse_sale(keys_of(request.flights), flights, request.cabin, len(request.passengers), now)
        or refuse_means(request, user)
        or refuse_sum(request, booking_price(request, flights))
    )


def may_cancel(
    request: CancelReservation, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Whether the reservation may be cancelled. `flights` holds its flights."""
    return (
        can_cancel(reservation)
        or refuse_cancelling_flown(reservation, flights, now)
        or refuse_ground(request, reservation, flights, now)
    )


def can_cancel(reservation: Reservation) -> Refusal | None:
    """Whether there is anything to cancel."""
    if reservation.status != "cancelled":
        return None
    return Refusal(
        f"Reservation {reservation.reservation_id} is cancelled already; there is nothing left to do.", rule="X4"
    )


def may_change_flights(
    request: UpdateReservationFlights, user: User, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Whether flights or cabin may be changed so. `flights` holds those of the reservation and of the request."""
    return (
        refuse_settled(reservation, flights, now)
        or refuse_basic_economy(request, reservation)
        or refuse_cabin(request, reservation, flights, now)
        or refuse_flown_change(request, reservation, flights, now)
        or refuse_new_route(request, reservation, flights)
        or can_change_flights(request, user, reservation, flights, now)
    )


def can_change_flights(
    request: UpdateReservationFlights, user: User, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Whether the change is possible: new flights with seats, and one means that may pay it and can."""
    kept = kept_fares(reservation, request.cabin)
    new = tuple(key for key in keys_of(request.flights) if key not in kept)
    refusal = refuse_sale(new, flights, request.cabin, len(reservation.passengers), now)
    if refusal:
        return refusal
    price = change_price(reservation, request.flights, request.cabin, flights)
    return refuse_single_means(request.payment_id, user, price)


def may_change_passengers(
    request: UpdateReservationPassengers, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Whether these may fly in the place of those booked. `flights` holds the reservation's."""
    return refuse_settled(reservation, flights, now) or can_change_passengers(request, reservation)


def can_change_passengers(request: UpdateReservationPassengers, reservation: Reservation) -> Refusal | None:
    """Whether there is a seat for each."""
    booked, wanted = len(reservation.passengers), len(request.passengers)
    if booked == wanted:
        return None
    return Refusal(
        f"Reservation {reservation.reservation_id} is for {booked} passenger{plural(booked)}, and that number cannot"
        f" change; {wanted} were named. Name {booked}, or make another booking.",
        rule="C8",
    )


def may_add_bags(
    request: UpdateReservationBaggages, user: User, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Whether the reservation may have so many bags for that money. `flights` holds the reservation's."""
    return (
        refuse_settled(reservation, flights, now)
        or refuse_fewer_bags(request, reservation)
        or refuse_paid_added_bags(request, user, reservation)
        or can_add_bags(request, user, reservation)
    )


def can_add_bags(request: UpdateReservationBaggages, user: User, reservation: Reservation) -> Refusal | None:
    """Whether one means may pay the bags, and can."""
    return refuse_single_means(request.payment_id, user, bags_price(reservation, request.nonfree_baggages))


def refuse_party(request: BookReservation) -> Refusal | None:
    count = len(request.passengers)
    if 1 <= count <= PASSENGERS_MAX:
        return None
    return Refusal(
        f"A reservation has one to {PASSENGERS_MAX} passengers, and this one has {count}. Book them in parts.",
        rule="B4",
    )


def refuse_route(request: BookReservation, flights: Flights) -> Refusal | None:
    """Flights that do not fly at all are refused by `refuse_sale`; the route of the others is not judged then."""
    keys = keys_of(request.flights)
    if any(key not in flights for key in keys):
        return None
    way = [flights[key] for key in keys]
    if not leads(way, request.origin, request.destination, request.flight_type):
        back = f" and back to {request.origin}" if request.flight_type == "round_trip" else ""
        return Refusal(
            f"These flights do not lead from {request.origin} to {request.destination}{back}:"
            f" {legs(way)}. Choose flights that follow one another, or another trip type.",
            rule="B3",
        )
    return refuse_missed(missed(way))


def refuse_missed(flight: Leg | None) -> Refusal | None:
    if flight is None:
        return None
    return Refusal(
        f"{flight.named} leaves before the flight ahead of it has landed. Choose a later one for it.", rule="B3"
    )


def refuse_sale(
    wanted: Sequence[FlightKey], flights: Flights, cabin: Cabin, passengers: int, now: dt.datetime
) -> Refusal | None:
    """Each of the flights is on sale, with a seat for every passenger."""
    for number, day in wanted:
        state = flights.get((number, day))
        if state is None:
            return Refusal(
                f"There is no flight {number} on {day}. Search for the flights of that day.", NOT_FOUND, "B2"
            )
        refusal = refuse_flight(state, cabin, passengers, now)
        if refusal:
            return refusal
    return None


def refuse_flight(flight: FlightState, cabin: Cabin, passengers: int, now: dt.datetime) -> Refusal | None:
    day = flight.day
    if day.status != "available":
        return Refusal(f"{flight.named} is {day.status} and cannot be booked. Choose another flight.", rule="B2")
    if has_left(flight, now):
        return Refusal(f"{flight.named} has left already. Choose a later flight.", rule="B2")
    free = (day.available_seats or {}).get(cabin, 0)
    if free < passengers or cabin not in (day.prices or {}):
        return Refusal(
            f"{flight.named} has {free} free seat{plural(free)} in {spoken(cabin)}, and {passengers}"
            f" {'is' if passengers == 1 else 'are'} needed. Choose another flight or cabin.",
            rule="B2",
        )
    return None


def refuse_paid_bags(request: BookReservation, user: User) -> Refusal | None:
    free = free_bags(user.membership, request.cabin, len(request.passengers))
    paid = paid_bags(request.total_baggages, free)
    if request.nonfree_baggages == paid:
        return None
    return bags_refusal(request.total_baggages, free, paid, request.nonfree_baggages)


def refuse_fewer_bags(request: UpdateReservationBaggages, reservation: Reservation) -> Refusal | None:
    booked = reservation.total_baggages
    if request.total_baggages >= booked:
        return None
    return Refusal(
        f"Reservation {reservation.reservation_id} has {booked} checked bag{plural(booked)}, and bags cannot be taken"
        " away. Name the total with the added ones.",
        rule="L3",
    )


def refuse_paid_added_bags(request: UpdateReservationBaggages, user: User, reservation: Reservation) -> Refusal | None:
    """Bags paid for earlier may be counted on: they cost nothing again, also when a better cabin makes them free."""
    free = free_bags(user.membership, reservation.cabin, len(reservation.passengers))
    paid = paid_bags(request.total_baggages, free)
    if request.nonfree_baggages in (paid, max(paid, reservation.nonfree_baggages)):
        return None
    return bags_refusal(request.total_baggages, free, paid, request.nonfree_baggages)


def bags_refusal(total: int, free: int, paid: int, named: int) -> Refusal:
    return Refusal(
        f"Of {total} checked bag{plural(total)}, {free} would be free for these passengers in this cabin and {paid}"
        f" {'is' if paid == 1 else 'are'} to be paid, not {named}. Correct the number of paid bags, and the price.",
        rule="L1",
    )


def refuse_cancelling_flown(reservation: Reservation, flights: Flights, now: dt.datetime) -> Refusal | None:
    flown = left(reservation, flights, now)
    if not flown:
        return None
    return Refusal(
        f"{named(flown[0])} of reservation {reservation.reservation_id} has left, so it cannot be cancelled here."
        " A person has to see to it: ask to be transferred.",
        rule="X2",
    )


def refuse_ground(
    request: CancelReservation, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """One ground to cancel is enough."""
    fresh = now - moment(reservation.created_at) <= dt.timedelta(hours=CANCELLABLE_HOURS)
    dropped = any(key in flights and flights[key].day.status == "cancelled" for key in keys_of(reservation.flights))
    covered = reservation.insurance == "yes" and request.reason in (None, *COVERED_REASONS)
    if fresh or dropped or covered or reservation.cabin == "business":
        return None
    insured = (
        "the reason is not one that its insurance covers" if reservation.insurance == "yes" else "it is not insured"
    )
    changeable = "Its cabin" if reservation.cabin == "basic_economy" else "Its flights and its cabin"
    return Refusal(
        f"Reservation {reservation.reservation_id} cannot be cancelled: it was booked more than {CANCELLABLE_HOURS}"
        f" hours ago, the airline has cancelled none of its flights, it is not business, and {insured}."
        f" {changeable} can be changed instead.",
        rule="X3",
    )


def refuse_settled(reservation: Reservation, flights: Flights, now: dt.datetime) -> Refusal | None:
    """What is cancelled or over is not changed any more."""
    if reservation.status == "cancelled":
        why = "is cancelled"
    elif len(left(reservation, flights, now)) == len(reservation.flights):
        why = "has been flown"
    else:
        return None
    return Refusal(
        f"Reservation {reservation.reservation_id} {why}, so nothing of it can be changed. Make a new booking.",
        rule="C10",
    )


def refuse_basic_economy(request: UpdateReservationFlights, reservation: Reservation) -> Refusal | None:
    if reservation.cabin != "basic_economy" or same_flights(request.flights, reservation):
        return None
    return Refusal(
        f"The flights of reservation {reservation.reservation_id} cannot be changed: it is basic economy. Its cabin can"
        " be changed, with the flights as they are.",
        rule="C1",
    )


def refuse_cabin(
    request: UpdateReservationFlights, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    flown = left(reservation, flights, now)
    if request.cabin == reservation.cabin or not flown:
        return None
    return Refusal(
        f"{named(flown[0])} of reservation {reservation.reservation_id} has left, so its cabin stays"
        f" {spoken(reservation.cabin)}.",
        rule="C4",
    )


def refuse_flown_change(
    request: UpdateReservationFlights, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    wanted = keys_of(request.flights)
    for key in left(reservation, flights, now):
        if key not in wanted:
            return Refusal(
                f"{named(key)} has left and stays in reservation {reservation.reservation_id}. Name it along with"
                " the flights that change.",
                rule="C7",
            )
    return None


def refuse_new_route(request: UpdateReservationFlights, reservation: Reservation, flights: Flights) -> Refusal | None:
    """Of a kept flight that nobody knows any more the reservation itself tells the way. New flights that do not fly at
    all are refused by `refuse_sale`; the route of the others is not judged then."""
    keys = keys_of(request.flights)
    booked: dict[FlightKey, Leg] = {key_of(flight): booked_leg(flight) for flight in reservation.flights}
    known = booked | dict(flights)
    if same_flights(request.flights, reservation) or any(key not in known for key in keys):
        return None
    way = [known[key] for key in keys]
    if not leads(way, reservation.origin, reservation.destination, reservation.flight_type):
        return Refusal(
            f"Reservation {reservation.reservation_id} is {spoken(reservation.flight_type)} from {reservation.origin}"
            f" to {reservation.destination} and stays so; these flights are {legs(way)}. Name all its flights, also"
            " those that do not change.",
            rule="C2",
        )
    return refuse_missed(missed(way, kept=keys_of(reservation.flights)))


def same_flights(wanted: Sequence[FlightChoice], reservation: Reservation) -> bool:
    return keys_of(wanted) == keys_of(reservation.flights)


def named(key: FlightKey) -> str:
    number, day = key
    return f"{number} on {day}"


def legs(way: Sequence[Leg]) -> str:
    return ", ".join(f"{flight.flight_number} {flight.origin} to {flight.destination}" for flight in way)


def spoken(code: str) -> str:
    """`basic_economy` as people say it."""
    return code.replace("_", " ")


def plural(count: int) -> str:
    return "" if count == 1 else "s"

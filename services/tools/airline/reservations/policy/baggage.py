"""How many bags a reservation may have, and how many of them are paid (rules L1 to L3). Pure."""

import datetime as dt

from services.tools.airline.data.records import Reservation, User
from services.tools.airline.reservations.contract import BookReservation, UpdateReservationBaggages
from services.tools.airline.reservations.itinerary import Flights
from services.tools.airline.reservations.policy.payment import refuse_single_method
from services.tools.airline.reservations.policy.settled import refuse_settled
from services.tools.airline.reservations.policy.wording import plural
from services.tools.airline.reservations.prices import bags_price, free_bags, paid_bags
from switchboard.toolkit.refusal import Refusal


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
    return refuse_single_method(request.payment_id, user, bags_price(reservation, request.nonfree_baggages))


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

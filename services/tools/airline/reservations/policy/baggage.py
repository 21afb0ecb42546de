"""Rules for checked bags: how many, and how many of them are paid (rules L1 to L3). Pure."""

import datetime as dt

from services.tools.airline.data.models import Reservation, User
from services.tools.airline.reservations.contract import BookReservation, UpdateReservationBaggages
from services.tools.airline.reservations.itinerary import Flights
from services.tools.airline.reservations.policy.closed import refuse_closed
from services.tools.airline.reservations.policy.payment import refuse_single_method
from services.tools.airline.reservations.policy.wording import plural
from services.tools.airline.reservations.prices import bags_price, free_bags, paid_bags
from switchboard.toolkit.refusal import Refusal


def may_add_bags(
    request: UpdateReservationBaggages, user: User, reservation: Reservation, flights: Flights, now: dt.datetime
) -> Refusal | None:
    """Refuse bags that the rules do not allow. `flights` holds the reservation's flights."""
    return (
        refuse_closed(reservation, flights, now)
        or refuse_fewer_bags(request, reservation)
        or refuse_paid_added_bags(request, user, reservation)
        or can_add_bags(request, user, reservation)
    )


def can_add_bags(request: UpdateReservationBaggages, user: User, reservation: Reservation) -> Refusal | None:
    """Refuse a payment method that may not or cannot pay for the bags."""
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
        f"Reservation {reservation.reservation_id} has {booked} checked bag{plural(booked)}, and bags cannot be"
        " removed. The total must include the bags that are already booked.",
        rule="L3",
    )


def refuse_paid_added_bags(request: UpdateReservationBaggages, user: User, reservation: Reservation) -> Refusal | None:
    """Accept the number with or without bags that were paid for earlier: they are not charged again."""
    free = free_bags(user.membership, reservation.cabin, len(reservation.passengers))
    paid = paid_bags(request.total_baggages, free)
    if request.nonfree_baggages in (paid, max(paid, reservation.nonfree_baggages)):
        return None
    return bags_refusal(request.total_baggages, free, paid, request.nonfree_baggages)


def bags_refusal(total: int, free: int, paid: int, named: int) -> Refusal:
    return Refusal(
        f"These passengers have {free} free checked bag{plural(free)} in this cabin, so {paid} of {total}"
        f" bag{plural(total)} must be paid for, not {named}. Correct the number of paid bags and the price.",
        rule="L1",
    )

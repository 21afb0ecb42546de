"""The reference's tools in memory, behind the policy, without Restate."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from services.tools.airline.data.models import Flight, Payment, PaymentMethod, Reservation, ReservedFlight, User
from services.tools.airline.data.schedule import AIRLINE_ZONE
from services.tools.airline.reservations.contract import (
    BookReservation,
    CancelReservation,
    SendCertificate,
    UpdateReservationBaggages,
    UpdateReservationFlights,
    UpdateReservationPassengers,
)
from services.tools.airline.reservations.itinerary import FlightKey, Flights, FlightState, flight_state, key_of
from services.tools.airline.reservations.policy.baggage import may_add_bags
from services.tools.airline.reservations.policy.booking import may_book
from services.tools.airline.reservations.policy.cancellation import may_cancel
from services.tools.airline.reservations.policy.changes import may_change_flights, may_change_passengers
from services.tools.airline.reservations.policy.compensation import Claim, claim_for, with_disruptions
from services.tools.airline.reservations.prices import bags_price, booking_price, change_price, new_fares
from services.tools.airline.reservations.stored_reservation import StoredReservation
from switchboard.toolkit.refusal import Refusal

NOW = dt.datetime(2024, 5, 15, 15, tzinfo=AIRLINE_ZONE)
NEW_RESERVATIONS = ("HATHAT", "HATHAU", "HATHAV")
NEW_CERTIFICATES = ("certificate_3221322", "certificate_3221323", "certificate_3221324")

INPUTS: Mapping[str, type[BaseModel]] = {
    "book_reservation": BookReservation,
    "cancel_reservation": CancelReservation,
    "update_reservation_flights": UpdateReservationFlights,
    "update_reservation_passengers": UpdateReservationPassengers,
    "update_reservation_baggages": UpdateReservationBaggages,
    "send_certificate": SendCertificate,
}
NOT_OWN = Refusal("There is no such reservation.", rule="G1")
NOT_A_CALL = Refusal("The call is not one that the contract takes.", rule="")


@dataclass(frozen=True)
class Data:
    """A data set's raw records by id."""

    users: Mapping[str, Any]
    reservations: Mapping[str, Any]
    flights: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Data":
        kinds = ("users", "reservations", "flights")
        return cls(*(json.loads((folder / f"{kind}.json").read_bytes()) for kind in kinds))


@dataclass
class ReferenceService:
    """One customer's state. Each write is checked by the policy first."""

    data: Data
    customer: str
    users: dict[str, User] = field(default_factory=dict)
    reservations: dict[str, Reservation] = field(default_factory=dict)
    noted: dict[str, StoredReservation] = field(default_factory=dict)
    compensated: set[str] = field(default_factory=set)
    taken: dict[tuple[FlightKey, str], int] = field(default_factory=dict)

    def user(self) -> User:
        if self.customer not in self.users:
            self.users[self.customer] = User.model_validate(
                {**self.data.users[self.customer], "user_id": self.customer}
            )
        return self.users[self.customer]

    def reservation(self, reservation_id: str) -> Reservation | None:
        """Return the customer's own reservation; None for another customer's."""
        if reservation_id not in self.reservations and reservation_id in self.data.reservations:
            found = Reservation.model_validate(self.data.reservations[reservation_id])
            self.reservations[reservation_id] = found
        known = self.reservations.get(reservation_id)
        return known if known and known.user_id == self.customer else None

    def flight(self, key: FlightKey) -> FlightState | None:
        number, date = key
        raw = self.data.flights.get(number)
        if raw is None or date not in raw["dates"]:
            return None
        flight = Flight.model_validate({**raw, "dates": {date: raw["dates"][date]}})
        day = flight.dates[date]
        if day.available_seats is not None:
            left = {cabin: seats - self.taken.get((key, cabin), 0) for cabin, seats in day.available_seats.items()}
            day = day.model_copy(update={"available_seats": left})
        return flight_state(flight, date, day)

    def flights(self, *holders: Any) -> Flights:
        keys = {key_of(flight) for holder in holders for flight in holder.flights}
        return {key: state for key in keys if (state := self.flight(key))}

    def write(self, name: str, arguments: Mapping[str, Any]) -> Refusal | None:
        """Carry out the write, or return the refusal and change nothing."""
        try:
            request: Any = INPUTS[name].model_validate({**arguments, "user_id": self.customer})
        except ValidationError:
            return NOT_A_CALL
        if arguments.get("user_id", self.customer) != self.customer:
            return NOT_OWN
        writes: Mapping[str, Callable[[Any], Refusal | None]] = {
            "book_reservation": self.book,
            "send_certificate": self.compensate,
        }
        if name in writes:
            return writes[name](request)
        reservation = self.reservation(request.reservation_id)
        if reservation is None:
            return NOT_OWN
        changes: Mapping[str, Callable[[Any, Reservation], Refusal | None]] = {
            "cancel_reservation": self.cancel,
            "update_reservation_flights": self.change_flights,
            "update_reservation_passengers": self.change_passengers,
            "update_reservation_baggages": self.add_bags,
        }
        return changes[name](request, reservation)

    def book(self, request: BookReservation) -> Refusal | None:
        user, flights = self.user(), self.flights(request)
        refusal = may_book(request, user, flights, NOW)
        if refusal:
            return refusal
        assert booking_price(request, flights) == sum(part.amount for part in request.payment_methods)
        number = next(one for one in NEW_RESERVATIONS if one not in self.reservations)
        for flight in request.flights:
            key = key_of(flight), request.cabin
            self.taken[key] = self.taken.get(key, 0) + len(request.passengers)
        fares = [flights[key_of(flight)] for flight in request.flights]
        self.reservations[number] = Reservation.model_validate(
            {
                **request.model_dump(exclude={"payment_methods"}),
                "reservation_id": number,
                "flights": [
                    {
                        "flight_number": state.flight_number,
                        "origin": state.origin,
                        "destination": state.destination,
                        "date": state.date,
                        "price": (state.day.prices or {})[request.cabin],
                    }
                    for state in fares
                ],
                "payment_history": [part.model_dump() for part in request.payment_methods],
                "created_at": NOW.replace(tzinfo=None).isoformat(),
            }
        )
        for part in request.payment_methods:
            self.pay(part.payment_id, part.amount)
        self.users[self.customer] = self.user().model_copy(update={"reservations": (*self.user().reservations, number)})
        return None

    def cancel(self, request: CancelReservation, reservation: Reservation) -> Refusal | None:
        refusal = may_cancel(request, reservation, self.flights(reservation), NOW)
        if refusal:
            return refusal
        self.note(reservation, self.flights(reservation))
        back = [Payment(payment_id=paid.payment_id, amount=-paid.amount) for paid in reservation.payment_history]
        self.keep(reservation, status="cancelled", payment_history=(*reservation.payment_history, *back))
        return None

    def change_flights(self, request: UpdateReservationFlights, reservation: Reservation) -> Refusal | None:
        flights = self.flights(reservation, request)
        refusal = may_change_flights(request, self.user(), reservation, flights, NOW)
        if refusal:
            return refusal
        price = change_price(reservation, request.flights, request.cabin, flights)
        fares = new_fares(reservation, request.flights, request.cabin, flights)
        new = tuple(
            ReservedFlight(
                flight_number=choice.flight_number,
                origin=flights[key_of(choice)].origin,
                destination=flights[key_of(choice)].destination,
                date=choice.date,
                price=fare,
            )
            for choice, fare in zip(request.flights, fares, strict=True)
        )
        self.note(reservation, flights)
        self.settle(reservation, request.payment_id, price, flights=new, cabin=request.cabin)
        return None

    def change_passengers(self, request: UpdateReservationPassengers, reservation: Reservation) -> Refusal | None:
        refusal = may_change_passengers(request, reservation, self.flights(reservation), NOW)
        if refusal is None:
            self.keep(reservation, passengers=tuple(person.record() for person in request.passengers))
        return refusal

    def add_bags(self, request: UpdateReservationBaggages, reservation: Reservation) -> Refusal | None:
        refusal = may_add_bags(request, self.user(), reservation, self.flights(reservation), NOW)
        if refusal is None:
            self.settle(
                reservation,
                request.payment_id,
                bags_price(reservation, request.nonfree_baggages),
                total_baggages=request.total_baggages,
                nonfree_baggages=request.nonfree_baggages,
            )
        return refusal

    def compensate(self, request: SendCertificate) -> Refusal | None:
        held = [own for number in self.user().reservations if (own := self.reservation(number))]
        claims = [Claim(self.kept(one), one.reservation_id in self.compensated) for one in held]
        judged = claim_for(request, self.user(), claims, self.flights(*held))
        if isinstance(judged, Refusal):
            return judged
        self.compensated.add(judged.kept.reservation.reservation_id)
        user = self.user()
        number = next(one for one in NEW_CERTIFICATES if one not in user.payment_methods)
        given = PaymentMethod(source="certificate", id=number, amount=request.amount)
        self.users[self.customer] = user.model_copy(update={"payment_methods": {**user.payment_methods, number: given}})
        return None

    def kept(self, reservation: Reservation) -> StoredReservation:
        """Return the reservation with its stored disruptions."""
        before = self.noted.get(reservation.reservation_id, StoredReservation(reservation=reservation))
        return before.model_copy(update={"reservation": reservation})

    def note(self, reservation: Reservation, flights: Flights) -> None:
        self.noted[reservation.reservation_id] = with_disruptions(self.kept(reservation), flights)

    def settle(self, reservation: Reservation, payment_id: str, price: Decimal, **changes: Any) -> None:
        history = reservation.payment_history
        if price:
            history = (*history, Payment(payment_id=payment_id, amount=price))
            self.pay(payment_id, price)
        self.keep(reservation, payment_history=history, **changes)

    def keep(self, reservation: Reservation, **changes: Any) -> None:
        self.reservations[reservation.reservation_id] = reservation.model_copy(update=changes)

    def pay(self, payment_id: str, amount: Decimal) -> None:
        """Debit or credit a gift card, or use up a certificate. Credit cards do not change."""
        user = self.user()
        means = dict(user.payment_methods)
        if means[payment_id].source == "certificate":
            del means[payment_id]
        elif means[payment_id].source == "gift_card":
            held = means[payment_id].amount or Decimal()
            means[payment_id] = means[payment_id].model_copy(update={"amount": held - amount})
        self.users[self.customer] = user.model_copy(update={"payment_methods": means})

"""One write of the reservation service as a saga: its steps, how to undo them, and the follow-ups after success."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from types import TracebackType
from typing import Self

import restate

from services.tools.airline.customers import contract as customers
from services.tools.airline.customers.contract import AddCertificate, Credit, Pay
from services.tools.airline.data.models import Reservation, User
from services.tools.airline.flights.contract import (
    GIVE_BACK_SEATS,
    TAKE_SEATS,
    GiveBackSeats,
    TakeSeats,
    seats_key,
)
from services.tools.airline.payments.contract import AUTHORISE_CARD, CREDIT_CARD, VOID_CARD, CardMovement, card_token
from services.tools.airline.reservations import emails, stored_reservation
from services.tools.airline.reservations.contract import PaymentPart
from services.tools.airline.reservations.itinerary import FlightKey
from services.tools.airline.reservations.prices import is_card, refunds
from services.tools.airline.reservations.stored_reservation import StoredReservation, WriteReservation
from services.tools.airline.rules import CURRENCY
from services.tools.airline.settings import AirlineIds
from switchboard import NoInput
from switchboard.builtin.outbox.contract import DELIVER
from switchboard.contract import Text
from switchboard.toolkit.rpc import call_tool, send_tool
from switchboard.toolkit.saga import Saga


class Operation:
    """A write in progress. As a context manager it undoes its steps if one is refused or the handler is cancelled."""

    def __init__(self, ctx: restate.Context, user: User, otherwise: str) -> None:
        self.ctx = ctx
        self.user = user
        self.operation_id = str(ctx.uuid())
        self._saga = Saga(ctx, f"operation {self.operation_id} of customer {user.user_id}", otherwise)

    def __enter__(self) -> Self:
        self._saga.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._saga.__exit__(kind, error, traceback)

    async def claim_id(self, ids: Iterable[str]) -> str:
        """Claim and return an id that no other reservation has. Raises TerminalError 409 if none is free."""
        claim = stored_reservation.OperationRef(operation_id=self.operation_id)
        for reservation_id in ids:
            self._saga.undo_by(stored_reservation.UNDO_WRITE, claim, reservation_id)
            if (await self._saga.step(stored_reservation.CLAIM_ID, claim, reservation_id)).claimed:
                return reservation_id
        raise restate.TerminalError(
            f"No reservation id was available. {self._saga.otherwise} Please try again.", status_code=409
        )

    async def take_seats(self, stored: StoredReservation, flights: Iterable[FlightKey]) -> StoredReservation:
        """Take a seat in the cabin for each passenger on each flight. Return the reservation with these seats."""
        reservation, taken = stored.reservation, {}
        for key in flights:
            seats = seats_key(*key)
            self._saga.undo_by(GIVE_BACK_SEATS, GiveBackSeats(hold_id=self.operation_id), seats)
            wanted = TakeSeats(
                hold_id=self.operation_id,
                reservation_id=reservation.reservation_id,
                cabin=reservation.cabin,
                seats_total=len(reservation.passengers),
            )
            await self._saga.step(TAKE_SEATS, wanted, seats)
            taken[seats] = self.operation_id
        return stored.model_copy(update={"holds": stored.holds | taken})

    async def charge(self, payment_id: str, price: Decimal) -> None:
        """Charge one payment method for a change; does nothing if the change costs nothing."""
        if price > 0:
            part = PaymentPart(payment_id=payment_id, amount=price)
            await self.charge_cards((part,))
            await self.pay((part,))

    async def charge_cards(self, parts: Iterable[PaymentPart]) -> None:
        """Charge those of the payments that are by credit card."""
        for number, part in enumerate(parts, start=1):
            if self._is_card(part.payment_id) and part.amount > 0:
                key = f"{self.operation_id}-{number}"
                self._saga.undo_by(VOID_CARD, NoInput(), key)
                await self._saga.step(AUTHORISE_CARD, self._movement(part.payment_id, part.amount), key)

    async def pay(self, parts: tuple[PaymentPart, ...], reservation_id: str | None = None) -> None:
        """Make all payments in one step, and add the reservation to the customer's. Cards were charged before."""
        paid = customers.OperationRef(operation_id=self.operation_id)
        self._saga.undo_by(customers.UNDO_PAYMENT, paid, self.user.user_id)
        self._saga.settle_by(customers.SETTLE_PAYMENT, paid, self.user.user_id)
        request = Pay(operation_id=self.operation_id, parts=parts, reservation_id=reservation_id)
        await self._saga.step(customers.PAY, request, self.user.user_id)

    async def write(self, stored: StoredReservation) -> None:
        """Write the new reservation. Refused if it was changed since it was read."""
        reservation_id = stored.reservation.reservation_id
        written = stored_reservation.OperationRef(operation_id=self.operation_id)
        self._saga.undo_by(stored_reservation.UNDO_WRITE, written, reservation_id)
        self._saga.settle_by(stored_reservation.SETTLE_WRITE, written, reservation_id)
        request = WriteReservation(operation_id=self.operation_id, revision=stored.revision, kept=stored)
        await self._saga.step(stored_reservation.WRITE, request, reservation_id)

    async def add_certificate(self, amount: Decimal, cause: str, ids: AirlineIds) -> Text:
        given = customers.OperationRef(operation_id=self.operation_id)
        self._saga.undo_by(customers.UNDO_PAYMENT, given, self.user.user_id)
        self._saga.settle_by(customers.SETTLE_PAYMENT, given, self.user.user_id)
        request = AddCertificate(operation_id=self.operation_id, amount=amount, cause=cause, ids=ids)
        return await self._saga.step(customers.ADD_CERTIFICATE, request, self.user.user_id)

    # Follow-ups after all steps have succeeded. They are one-way sends and cannot fail.

    def settle(self) -> None:
        self._saga.settle()

    def finish(self, reservation: Reservation, what: str) -> None:
        """Settle all steps and send the confirmation e-mail."""
        self._saga.settle()
        email = emails.confirmation_email(self.user, reservation, what, email_id=self.operation_id)
        send_tool(self.ctx, DELIVER, email, self.user.user_id)

    def give_back_seats(self, before: StoredReservation, flights: Iterable[FlightKey]) -> None:
        """Free the seats that the reservation had on these flights."""
        for key in flights:
            seats = seats_key(*key)
            hold_id = before.holds.get(seats, before.reservation.reservation_id)
            send_tool(self.ctx, GIVE_BACK_SEATS, GiveBackSeats(hold_id=hold_id), seats)

    def refund_cards(self, paid: Mapping[str, Decimal]) -> None:
        """Refund what the cards have paid. Accounting refunds gift cards from the payment history."""
        back = refunds(paid, self.user)
        for number, payment_id in enumerate(paid, start=1):
            if self._is_card(payment_id) and payment_id in back:
                key = f"{self.operation_id}-{number}"
                send_tool(self.ctx, CREDIT_CARD, self._movement(payment_id, back[payment_id]), key)

    async def refund(self, payment_id: str, amount: Decimal) -> None:
        """Refund the difference to a cheaper flight. Returns once a gift card's balance includes it."""
        if amount <= 0:
            return
        if self._is_card(payment_id):
            self.refund_cards({payment_id: amount})
            return
        send_tool(self.ctx, customers.CREDIT, Credit(payment_id=payment_id, amount=amount), self.user.user_id)
        # The object processes its messages in order, so this call returns after the credit. A cancellation can no
        # longer affect the change.
        with suppress(restate.TerminalError):
            settled = customers.OperationRef(operation_id=self.operation_id)
            await call_tool(self.ctx, customers.SETTLE_PAYMENT, settled, self.user.user_id)

    def _is_card(self, payment_id: str) -> bool:
        return is_card(self.user, payment_id)

    def _movement(self, payment_id: str, amount: Decimal) -> CardMovement:
        return CardMovement(card_token=card_token(self.user.user_id, payment_id), amount=amount, currency=CURRENCY)

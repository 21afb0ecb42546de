"""One write of the desk as a saga: its steps, each with what undoes it, and what is done once it stands."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from types import TracebackType
from typing import Self

import restate

from services.tools.airline.customers import contract as customers
from services.tools.airline.customers.contract import AddCertificate, Credit, Pay
from services.tools.airline.data.records import Reservation, User
from services.tools.airline.flights.contract import (
    GIVE_BACK_SEATS,
    TAKE_SEATS,
    GiveBackSeats,
    TakeSeats,
    seats_key,
)
from services.tools.airline.payments.contract import AUTHORISE_CARD, CREDIT_CARD, VOID_CARD, CardMovement, card_token
from services.tools.airline.reservations import keeping, telling
from services.tools.airline.reservations.contract import PaymentPart
from services.tools.airline.reservations.keeping import Kept, WriteReservation
from services.tools.airline.reservations.travel import FlightKey
from services.tools.airline.rules import CURRENCY
from services.tools.airline.settings import AirlineIds
from switchboard import NoInput
from switchboard.builtin.outbox.contract import DELIVER
from switchboard.contract import Text
from switchboard.toolkit.rpc import ask, tell
from switchboard.toolkit.saga import Saga


class Operation:
    """A write under way. As a context manager it undoes its steps when one is refused, or when it is cancelled."""

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
        """An id that no other reservation has. Raises TerminalError 409 when none was found."""
        claim = keeping.OperationRef(operation_id=self.operation_id)
        for reservation_id in ids:
            self._saga.undo_by(keeping.UNDO_WRITE, claim, reservation_id)
            if (await self._saga.step(keeping.CLAIM_ID, claim, reservation_id)).claimed:
                return reservation_id
        raise restate.TerminalError(f"No id was free. {self._saga.otherwise} Try again.", status_code=409)

    async def take_seats(self, kept: Kept, flights: Iterable[FlightKey]) -> Kept:
        """A seat for each passenger on each flight, in the reservation's cabin; the reservation with these seats."""
        reservation, taken = kept.reservation, {}
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
        return kept.model_copy(update={"holds": kept.holds | taken})

    async def charge(self, payment_id: str, price: Decimal) -> None:
        """One payment for a change; none when it costs nothing."""
        if price > 0:
            part = PaymentPart(payment_id=payment_id, amount=price)
            await self.charge_cards((part,))
            await self.pay((part,))

    async def charge_cards(self, parts: Iterable[PaymentPart]) -> None:
        """Those of the payments that are by credit card."""
        for number, part in enumerate(parts, start=1):
            if self._is_card(part.payment_id) and part.amount > 0:
                key = f"{self.operation_id}-{number}"
                self._saga.undo_by(VOID_CARD, NoInput(), key)
                await self._saga.step(AUTHORISE_CARD, self._movement(part.payment_id, part.amount), key)

    async def pay(self, parts: tuple[PaymentPart, ...], reservation_id: str | None = None) -> None:
        """All payments in one step, and with them the reservation among the customer's. Cards were charged before."""
        paid = customers.OperationRef(operation_id=self.operation_id)
        self._saga.undo_by(customers.UNDO_PAYMENT, paid, self.user.user_id)
        self._saga.settle_by(customers.SETTLE_PAYMENT, paid, self.user.user_id)
        request = Pay(operation_id=self.operation_id, parts=parts, reservation_id=reservation_id)
        await self._saga.step(customers.PAY, request, self.user.user_id)

    async def write(self, kept: Kept) -> None:
        """The reservation as it is to be. Refused when it has changed since it was read."""
        reservation_id = kept.reservation.reservation_id
        written = keeping.OperationRef(operation_id=self.operation_id)
        self._saga.undo_by(keeping.UNDO_WRITE, written, reservation_id)
        self._saga.settle_by(keeping.SETTLE_WRITE, written, reservation_id)
        request = WriteReservation(operation_id=self.operation_id, revision=kept.revision, kept=kept)
        await self._saga.step(keeping.WRITE, request, reservation_id)

    async def add_certificate(self, amount: Decimal, cause: str, ids: AirlineIds) -> Text:
        given = customers.OperationRef(operation_id=self.operation_id)
        self._saga.undo_by(customers.UNDO_PAYMENT, given, self.user.user_id)
        self._saga.settle_by(customers.SETTLE_PAYMENT, given, self.user.user_id)
        request = AddCertificate(operation_id=self.operation_id, amount=amount, cause=cause, ids=ids)
        return await self._saga.step(customers.ADD_CERTIFICATE, request, self.user.user_id)

    # From here on: what is done when all stands. It is sent, and cannot fail.

    def settle(self) -> None:
        self._saga.settle()

    def finish(self, reservation: Reservation, what: str) -> None:
        """All steps stand, and the customer is written of it."""
        self._saga.settle()
        email = telling.letter(self.user, reservation, what, email_id=self.operation_id)
        tell(self.ctx, DELIVER, email, self.user.user_id)

    def give_back_seats(self, before: Kept, flights: Iterable[FlightKey]) -> None:
        """The seats that the reservation had on these flights before."""
        for key in flights:
            seats = seats_key(*key)
            hold_id = before.holds.get(seats, before.reservation.reservation_id)
            tell(self.ctx, GIVE_BACK_SEATS, GiveBackSeats(hold_id=hold_id), seats)

    def refund_cards(self, paid: Mapping[str, Decimal]) -> None:
        """What the cards have paid. What goes back to gift cards is for accounting, by the payment history.

        Less what other methods were given back before, beyond what they had paid: nobody is refunded twice.
        """
        given = -sum((amount for amount in paid.values() if amount < 0), Decimal())
        for number, (payment_id, amount) in enumerate(paid.items(), start=1):
            if not self._is_card(payment_id) or amount <= 0:
                continue
            kept_back = min(given, amount)
            given -= kept_back
            if amount > kept_back:
                key = f"{self.operation_id}-{number}"
                tell(self.ctx, CREDIT_CARD, self._movement(payment_id, amount - kept_back), key)

    async def refund(self, payment_id: str, amount: Decimal) -> None:
        """The difference to a cheaper flight, at once: whoever looks after the answer sees it on the gift card."""
        if amount <= 0:
            return
        if self._is_card(payment_id):
            self.refund_cards({payment_id: amount})
            return
        tell(self.ctx, customers.CREDIT, Credit(payment_id=payment_id, amount=amount), self.user.user_id)
        # The object takes its messages in order, so this is answered after the credit. A cancellation comes too late
        # for the change; all it can shorten is the waiting.
        with suppress(restate.TerminalError):
            settled = customers.OperationRef(operation_id=self.operation_id)
            await ask(self.ctx, customers.SETTLE_PAYMENT, settled, self.user.user_id)

    def _is_card(self, payment_id: str) -> bool:
        method = self.user.payment_methods.get(payment_id)
        return method is not None and method.source == "credit_card"

    def _movement(self, payment_id: str, amount: Decimal) -> CardMovement:
        return CardMovement(card_token=card_token(self.user.user_id, payment_id), amount=amount, currency=CURRENCY)

"""Defects of many kinds, each put into the real code: generated conversations have to find every one of them.

They run in memory, where a defect is one replaced function or figure.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from types import ModuleType
from typing import Any
from unittest import mock

from services.tools.airline.customers import profile
from services.tools.airline.customers.profile import Profile
from services.tools.airline.reservations import operation, prices
from services.tools.airline.reservations import service as desk
from services.tools.airline.reservations.operation import Operation
from services.tools.airline.reservations.policy import baggage, booking, cancellation, changes, payment
from services.tools.airline.rules import BAG_PRICE, INSURANCE_PRICE
from services.tools.bank.accounts import handlers as accounts
from services.tools.bank.accounts import policy as account_policy
from services.tools.bank.cards import policy as card_policy
from services.tools.bank.disputes import policy as dispute_policy
from services.tools.bank.loan_applications import policy as loan_policy
from services.tools.bank.loans import repayment_terms
from services.tools.bank.standing_orders.contract import CANCEL_STANDING_ORDER
from services.tools.bank.transfers import policy as transfers
from switchboard.loop import checks
from switchboard.loop.decide import ApprovedCall
from switchboard.messages import ToolResult
from switchboard.session import conversation

CENT = Decimal("0.01")

Mutant = Callable[[], Any]
"""Returns a context manager in which the defect is there."""


def replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> Mutant:
    """Return a mutant that replaces an attribute by what `make` returns for it, also in modules that import it."""

    @contextmanager
    def put() -> Iterator[None]:
        usual = getattr(owner, name)
        changed = make(usual)
        importing = [found for found in own_modules() if found is not owner and vars(found).get(name) is usual]
        with ExitStack() as replacements:
            for place in (owner, *importing):
                replacements.enter_context(mock.patch.object(place, name, changed))
            yield

    return put


def own_modules() -> list[ModuleType]:
    """Return the loaded modules of the product."""
    return [module for name, module in sys.modules.items() if name.startswith(("services.", "switchboard."))]


def figure(owner: Any, name: str, value: Any) -> Mutant:
    """Return a mutant that changes a figure of a rule."""
    return replaced(owner, name, lambda _: value)


def never(_: Any) -> Any:
    """Return a rule that refuses nothing."""
    return lambda *_, **__: None


def doubled(refunds: Any) -> Any:
    def twice(paid: Mapping[str, Decimal], user: Any) -> dict[str, Decimal]:
        return {method: 2 * amount for method, amount in refunds(paid, user).items()}

    return twice


def from_checking(withdrawal: Any) -> Any:
    """Every transfer is paid from the checking account."""

    def wrong(self: Any, move_id: str) -> Any:
        return withdrawal(self, move_id).model_copy(update={"account": "checking"})

    return wrong


def without_fee(withdrawal: Any) -> Any:
    def cheaper(request: Any, agreed: Any, move_id: str) -> Any:
        return withdrawal(request, agreed, move_id).model_copy(update={"amount": request.amount})

    return cheaper


def before_the_move(moved: Any) -> Any:
    """The balance that is told is the one before the move."""

    def stale(ledger: Any, move: Any) -> Any:
        told = moved(ledger, move)
        return told.model_copy(update={"balance": told.balance - move.amount})

    return stale


def without_last_result(store_turn: Any) -> Any:
    """The transcript lacks the last result of a turn with several."""

    def short(ctx: Any, head: Any, at: Any, done: Any, *more: Any) -> Any:
        results = [one for one in done.added if isinstance(one, ToolResult)]
        if len(results) > 1:
            done = done.model_copy(update={"added": tuple(one for one in done.added if one is not results[-1])})
        return store_turn(ctx, head, at, done, *more)

    return short


@contextmanager
def no_question() -> Iterator[None]:
    """A standing order is cancelled without the customer's yes."""
    tool = CANCEL_STANDING_ORDER
    asked = tool.consent, tool.check
    object.__setattr__(tool, "consent", None)
    object.__setattr__(tool, "check", None)
    try:
        yield
    finally:
        object.__setattr__(tool, "consent", asked[0])
        object.__setattr__(tool, "check", asked[1])


def always_the_same(recheck: Any) -> Any:
    """A yes counts for whatever the call would do now."""
    return lambda call, answer: ApprovedCall(call.call_id, call.tool, call.body)


def keeping_certificates(pay: Any) -> Any:
    """A certificate can be used again."""

    def kept(before: Profile, request: Any) -> Any:
        after = pay(before, request)
        if not isinstance(after, Profile):
            return after
        methods = {**before.user.payment_methods, **after.user.payment_methods}
        return after.having(payment_methods=methods)

    return kept


def one_person(booking_price: Any) -> Any:
    """The insurance is paid once instead of per passenger."""

    def cheap(request: Any, flights: Any) -> Decimal:
        price: Decimal = booking_price(request, flights)
        return price if request.insurance == "no" else price - INSURANCE_PRICE * (len(request.passengers) - 1)

    return cheap


def to_the_card(refunds: Any) -> Any:
    """All refunds go to the first payment method."""

    def one(paid: Mapping[str, Decimal], user: Any) -> dict[str, Decimal]:
        back = refunds(paid, user)
        return {next(iter(back)): sum(back.values(), Decimal(0))} if back else back

    return one


def whole_price(bags_price: Any) -> Any:
    """Bags that were paid before are charged again."""
    return lambda reservation, nonfree: BAG_PRICE * nonfree


def doubled_credit(credit: Any) -> Any:
    """A disputed payment is credited twice over."""

    def twice(case: Any) -> Any:
        booked = credit(case)
        return booked.model_copy(update={"amount": booked.amount * 2})

    return twice


def no_overdraft(validate: Any) -> Any:
    """The available balance is not checked."""
    return lambda ledger, request: account_policy.validate_move(ledger, request)


def any_reason(refuse: Any) -> Any:
    """Insurance covers every reason."""

    def generous(request: Any, reservation: Any, flights: Any, now: Any) -> Any:
        if reservation.insurance == "yes":
            request = request.model_copy(update={"reason": None})
        return refuse(request, reservation, flights, now)

    return generous


def in_any_state(own_card: Any) -> Any:
    def found(wallet: Any, card_id: str) -> Any:
        return next((card for card in wallet.cards if card.card_id == card_id), None) or own_card(wallet, card_id)

    return found


def todays_fare(kept_fares: Any) -> Any:
    """A flight that is kept is charged at today's fare."""
    return lambda reservation, cabin: {}


MUTANTS: dict[str, Mutant] = {
    "a card is refunded twice over": replaced(operation, "refunds", doubled),
    "all refunds go to the first payment method": replaced(operation, "refunds", to_the_card),
    "a gift card gets no refund of a cheaper flight": replaced(profile, "credit", lambda _: lambda before, __: before),
    "a bag costs a cent more": figure(prices, "BAG_PRICE", BAG_PRICE + CENT),
    "bags that were paid before are charged again": replaced(desk, "bags_price", whole_price),
    "bags can be removed": replaced(baggage, "refuse_fewer_bags", never),
    "the number of passengers can be changed": replaced(changes, "can_change_passengers", never),
    "a booking has six passengers": replaced(booking, "refuse_party", never),
    "insurance covers every reason": replaced(cancellation, "refuse_without_reason", any_reason),
    "insurance is paid once for all passengers": replaced(booking, "booking_price", one_person),
    "a certificate can be used again": replaced(profile, "pay", keeping_certificates),
    "a certificate pays for a change": replaced(payment, "refuse_single_method", never),
    "seats are not freed after a cancellation": replaced(Operation, "give_back_seats", never),
    "a kept flight is charged at today's fare": replaced(prices, "kept_fares", todays_fare),
    "no e-mail is sent": replaced(Operation, "finish", lambda _: lambda self, *_: self.settle()),
    "a transfer may be a cent over the limit": figure(transfers, "TRANSFER_MAX", Decimal("5000.01")),
    "a day may be a cent over its limit": figure(transfers, "DAY_MAX", Decimal("10000.01")),
    "transfers are always paid from checking": replaced(transfers.Order, "withdrawal", from_checking),
    "the balance that is told is stale": replaced(accounts, "moved", before_the_move),
    "accounts can be overdrawn": replaced(account_policy, "validate_withdrawal", no_overdraft),
    "the fee of an early repayment is not taken": replaced(repayment_terms, "withdrawal", without_fee),
    "a loan over the limit is approved": figure(loan_policy, "AUTOMATIC_MAX", Decimal("5000.01")),
    "a dispute is credited twice over": replaced(dispute_policy, "credit", doubled_credit),
    "four disputes are credited at once": figure(dispute_policy, "INSTANT_CREDITS_A_YEAR", 4),
    "a cash limit may be a cent over its maximum": figure(card_policy, "CASH_LIMIT_MAX", Decimal("1500.01")),
    "a replaced card can be used": replaced(card_policy, "own_card", in_any_state),
    "the transcript lacks a result": replaced(conversation, "store_turn", without_last_result),
    "a standing order is cancelled without a yes": no_question,
    "a yes counts for what the call would do now": replaced(checks, "recheck", always_the_same),
}

"""What a customer may use over all sessions: turns at once and a minute, sessions, tokens and money a day. Pure.

A turn is granted tokens before its first model call, and reports at its end what it used. Until then the whole grant
counts as used, so that turns side by side cannot use the same tokens.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import ceil
from typing import Literal

from switchboard.messages import WireModel, added_later

MINUTE = timedelta(minutes=1)

RETRY_WHILE_BUSY = timedelta(seconds=5)
"""When to retry while other turns of the customer run; most turns take some seconds."""

Reason = Literal["turns", "minute", "sessions", "day"]


class Limits(WireModel):
    """The limits of one customer; 0 is no limit, except of `turns_max`.

    `token_price` is the highest price of a token. With it, `cost_per_day` also limits the tokens that are granted.
    `turn_lasts` is the longest time in which a turn reports what it used.
    """

    turns_max: int
    turns_per_minute: int
    sessions_per_day: int
    tokens_per_day: int
    tokens_per_turn: int
    cost_per_day: Decimal
    token_price: Decimal = Decimal(0)
    turn_lasts: timedelta


class GrantRequest(WireModel):
    """Asks for the tokens of one turn.

    `estimate` are the tokens that are charged if the turn never reports. `promised` turns make calls that the customer
    has confirmed; they are never refused. `unanswered` messages go to a staff member: they use no tokens, so that only
    the limit of a minute applies.
    """

    turn_id: str
    estimate: int
    new_session: bool = False
    promised: bool = False
    unanswered: bool = added_later(False)


class Grant(WireModel):
    """The tokens that a turn may use, None for no limit, or why it must not begin.

    `limited_by` names the limit that the tokens come from: that of a turn, or what is left of the customer's day.
    """

    tokens: int | None = None
    limited_by: Literal["turn", "customer"] = "turn"
    refused: Reason | None = None
    retry_after_s: int = 0


class Settlement(WireModel):
    """What a session has used since its last settlement. `estimated` also charges the estimate of the turn's grant."""

    turn_id: str
    tokens: int
    cost: Decimal
    estimated: bool = False


class Reservation(WireModel):
    """The grant of a turn that has not reported yet."""

    turn_id: str
    tokens: int
    estimate: int
    since: datetime


class Account(WireModel):
    """What a customer has used on `day` (UTC), and the turns that have not reported yet.

    `minute_full_at` is when the customer will again have a whole minute's turns.
    """

    day: date
    tokens: int = 0
    cost: Decimal = Decimal(0)
    sessions: int = 0
    minute_full_at: datetime = datetime.min.replace(tzinfo=UTC)
    reserved: tuple[Reservation, ...] = ()


def account_now(account: Account | None, now: datetime, limits: Limits) -> Account:
    """Return the account at `now`: empty on a new day, and with turns that never reported charged by their estimate.

    A clock that was set back changes the day, but it gives nothing back.
    """
    account = account or Account(day=now.date())
    if now.date() > account.day:
        account = account.model_copy(update={"tokens": 0, "cost": Decimal(0), "sessions": 0})
    # After a clock was set back, a minute's turns are there after a minute at most.
    minute_full_at = min(max(account.minute_full_at, now), now + MINUTE)
    account = account.model_copy(update={"day": now.date(), "minute_full_at": minute_full_at})
    late = [each for each in account.reserved if abs(now - each.since) > limits.turn_lasts]
    return charge_estimates(account, late, limits)


def charge_estimates(account: Account, turns: Sequence[Reservation], limits: Limits) -> Account:
    """Return the account after these turns ended without saying what they used."""
    tokens = sum(each.estimate for each in turns)
    return account.model_copy(
        update={
            "tokens": account.tokens + tokens,
            "cost": account.cost + tokens * limits.token_price,
            "reserved": tuple(each for each in account.reserved if each not in turns),
        }
    )


def grant_tokens(
    account: Account | None, request: GrantRequest, now: datetime, limits: Limits
) -> tuple[Account, Grant]:
    """Return the account after a turn asked for tokens, and what it is granted. A refused turn costs nothing."""
    account = account_now(account, now, limits)
    if request.unanswered:
        return count_unanswered(account, now, limits)
    left = tokens_left(account, limits)
    refused = None if request.promised else refusal(account, request, now, limits, left)
    if refused is not None:
        return account, refused
    grant = granted(limits.tokens_per_turn or None, left)
    reservation = Reservation(turn_id=request.turn_id, tokens=grant.tokens or 0, estimate=request.estimate, since=now)
    account = account.model_copy(
        update={
            "sessions": account.sessions + request.new_session,
            "minute_full_at": account.minute_full_at + pause_between(limits),
            "reserved": (*account.reserved, reservation),
        }
    )
    return account, grant


def granted(of_turn: int | None, of_customer: int | None) -> Grant:
    """Return the smaller number of tokens with its limit; None is no limit."""
    if of_customer is None or (of_turn is not None and of_turn <= of_customer):
        return Grant(tokens=of_turn)
    return Grant(tokens=max(of_customer, 0), limited_by="customer")


def refusal(account: Account, request: GrantRequest, now: datetime, limits: Limits, left: int | None) -> Grant | None:
    """Return why a turn must not begin now, if so."""
    none_left = left is not None and left <= 0
    if spent(account, limits) or (none_left and not account.reserved):
        return Grant(refused="day", retry_after_s=seconds_until_next_day(now))
    if request.new_session and limits.sessions_per_day and account.sessions >= limits.sessions_per_day:
        return Grant(refused="sessions", retry_after_s=seconds_until_next_day(now))
    # If none are left, other turns have reserved them and may give some back.
    if len(account.reserved) >= limits.turns_max or none_left:
        return Grant(refused="turns", retry_after_s=round(RETRY_WHILE_BUSY.total_seconds()))
    return too_soon(account, now, limits)


def too_soon(account: Account, now: datetime, limits: Limits) -> Grant | None:
    """Return the refusal of a message that is one too many in a minute."""
    wait = account.minute_full_at + pause_between(limits) - MINUTE - now
    return Grant(refused="minute", retry_after_s=ceil(wait.total_seconds())) if wait > timedelta(0) else None


def count_unanswered(account: Account, now: datetime, limits: Limits) -> tuple[Account, Grant]:
    """Return the account after a message that no agent answers."""
    refused = too_soon(account, now, limits)
    if refused is not None:
        return account, refused
    later = account.minute_full_at + pause_between(limits)
    return account.model_copy(update={"minute_full_at": later}), Grant(tokens=0)


def spent(account: Account, limits: Limits) -> bool:
    """Whether the customer's tokens or money of the day are used up."""
    return (0 < limits.tokens_per_day <= account.tokens) or (0 < limits.cost_per_day <= account.cost)


def tokens_left(account: Account, limits: Limits) -> int | None:
    """Return the tokens that are neither used nor reserved; None if there is no limit. May be negative."""
    reserved = sum(each.tokens for each in account.reserved)
    left = []
    if limits.tokens_per_day:
        left.append(limits.tokens_per_day - account.tokens - reserved)
    if limits.cost_per_day and limits.token_price:
        left.append(int((limits.cost_per_day - account.cost) / limits.token_price) - reserved)
    return min(left, default=None)


def pause_between(limits: Limits) -> timedelta:
    """Return the mean time between two turns at the limit of a minute; 0 without that limit."""
    return MINUTE / limits.turns_per_minute if limits.turns_per_minute else timedelta(0)


def settle_turn(account: Account | None, settlement: Settlement, now: datetime, limits: Limits) -> Account:
    """Return the account after a turn reported what it used. What its grant reserved beyond that is free again."""
    account = account_now(account, now, limits)
    if settlement.estimated:
        own = [each for each in account.reserved if each.turn_id == settlement.turn_id]
        account = charge_estimates(account, own, limits)
    return account.model_copy(
        update={
            "tokens": account.tokens + settlement.tokens,
            "cost": account.cost + settlement.cost,
            "reserved": tuple(each for each in account.reserved if each.turn_id != settlement.turn_id),
        }
    )


def seconds_until_next_day(now: datetime) -> int:
    """Return the seconds until the next day in UTC, rounded up."""
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), tzinfo=UTC)
    return ceil((midnight - now).total_seconds())

"""What a customer may use: no order of turns, reports and clocks gives a customer more than the limits."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from switchboard.session.allowance import (
    Account,
    Grant,
    GrantRequest,
    Limits,
    Settlement,
    account_now,
    grant_tokens,
    settle_turn,
    tokens_left,
)

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
LASTS = timedelta(minutes=11)

JSON = dict[str, Any]


def limits(**given: Any) -> Limits:
    none = {
        "turns_max": 1_000,
        "turns_per_minute": 0,
        "sessions_per_day": 0,
        "tokens_per_day": 0,
        "tokens_per_turn": 0,
        "cost_per_day": 0,
        "turn_lasts": LASTS,
    }
    return Limits.model_validate({**none, **given})


def asks(turn: str, **more: Any) -> GrantRequest:
    return GrantRequest.model_validate({"turn_id": turn, "estimate": 100, **more})


def reports(turn: str, tokens: int, cost: str = "0", **more: Any) -> Settlement:
    return Settlement.model_validate({"turn_id": turn, "tokens": tokens, "cost": cost, **more})


def test_turns_side_by_side_share_one_day() -> None:
    """Of 300 turns at once, those are granted tokens that fit into the day, and the last one gets the rest."""
    day = limits(tokens_per_day=1_050_000, tokens_per_turn=100_000)
    account, grants = None, []
    for turn in range(300):
        account, grant = grant_tokens(account, asks(str(turn)), NOON, day)
        grants.append(grant)
    given = [grant for grant in grants if grant.refused is None]
    assert [grant.tokens for grant in given] == [100_000] * 10 + [50_000]
    assert [grant.limited_by for grant in given] == ["turn"] * 10 + ["customer"]
    assert {(grant.refused, grant.retry_after_s) for grant in grants[11:]} == {("turns", 5)}


def test_unused_tokens_of_a_grant_are_free_after_the_report() -> None:
    day = limits(tokens_per_day=1_000, tokens_per_turn=1_000)
    account, _ = grant_tokens(None, asks("a"), NOON, day)
    account = settle_turn(account, reports("a", 10), NOON, day)
    assert grant_tokens(account, asks("b"), NOON, day)[1] == Grant(tokens=990, limited_by="customer")


def test_turn_that_never_reports_is_charged_its_estimate() -> None:
    day = limits(tokens_per_day=1_000, tokens_per_turn=1_000, cost_per_day=5, token_price="0.01")
    account, _ = grant_tokens(None, asks("killed"), NOON, day)
    late = account_now(account, NOON + LASTS + timedelta(seconds=1), day)
    cancelled = settle_turn(account, reports("killed", 0, estimated=True), NOON, day)
    for charged in (late, cancelled):
        assert (charged.tokens, charged.cost, charged.reserved) == (100, Decimal(1), ())


@pytest.mark.parametrize(
    ("given", "account", "request_", "expected"),
    [
        ({"turns_max": 1}, {"reserved": 1}, {}, ("turns", 5)),
        ({"sessions_per_day": 2}, {"sessions": 2}, {"new_session": True}, ("sessions", 12 * 3600)),
        ({"sessions_per_day": 2}, {"sessions": 2}, {}, (None, 0)),
        ({"tokens_per_day": 10}, {"tokens": 10}, {}, ("day", 12 * 3600)),
        ({"cost_per_day": "2.50"}, {"cost": "2.50"}, {}, ("day", 12 * 3600)),
        ({"cost_per_day": "2.50"}, {"cost": "2.49"}, {}, (None, 0)),
        ({"cost_per_day": "2.50", "token_price": "0.02"}, {"cost": "2.49"}, {}, ("day", 12 * 3600)),
        ({"tokens_per_day": 10}, {"tokens": 10}, {"promised": True}, (None, 0)),
        ({}, {"tokens": 10**9, "cost": "100000", "sessions": 10**6}, {"new_session": True}, (None, 0)),
    ],
)
def test_message_beyond_a_limit_is_refused(
    given: JSON, account: JSON, request_: JSON, expected: tuple[str | None, int]
) -> None:
    had = Account.model_validate({"day": NOON.date(), **account, "reserved": ()})
    for turn in range(int(str(account.get("reserved", 0)))):
        had, _ = grant_tokens(had, asks(str(turn)), NOON, limits())
    after, grant = grant_tokens(had, asks("t", **request_), NOON, limits(**given))
    assert (grant.refused, grant.retry_after_s) == expected
    assert (len(after.reserved) == len(had.reserved)) == (expected[0] is not None)


def test_money_limits_the_tokens_that_are_granted() -> None:
    """At the highest price, what is left of the day pays for 2,000 tokens, of which another turn has reserved 500."""
    day = limits(cost_per_day="3", token_price="0.001", tokens_per_turn=500)
    account, _ = grant_tokens(Account(day=NOON.date(), cost=Decimal(1)), asks("a"), NOON, day)
    assert tokens_left(account, day) == 1_500
    wide = day.model_copy(update={"tokens_per_turn": 10_000})
    assert grant_tokens(account, asks("b"), NOON, wide)[1] == Grant(tokens=1_500, limited_by="customer")


def test_minute_allows_its_turns_and_then_one_after_another() -> None:
    minute, account, granted = limits(turns_per_minute=6), None, []
    for second in range(121):
        account, grant = grant_tokens(account, asks(str(second)), NOON + timedelta(seconds=second), minute)
        if grant.refused is None:
            granted.append(second)
        else:
            assert grant.refused == "minute"
            retried = NOON + timedelta(seconds=second + grant.retry_after_s)
            assert grant_tokens(account, asks("again"), retried, minute)[1].refused is None
    assert granted[:6] == [0, 1, 2, 3, 4, 5]
    assert granted[6:] == list(range(10, 121, 10))


def test_new_day_starts_empty_and_a_clock_set_back_gives_nothing_back() -> None:
    account = Account(day=NOON.date(), tokens=7, cost=Decimal(1), sessions=3)
    tomorrow = account_now(account, NOON + timedelta(days=1), limits())
    assert (tomorrow.tokens, tomorrow.cost, tomorrow.sessions) == (0, Decimal(0), 0)
    back = account_now(account, NOON - timedelta(days=3), limits())
    assert (back.day, back.tokens, back.cost, back.sessions) == (NOON.date() - timedelta(days=3), 7, Decimal(1), 3)


@pytest.mark.parametrize("ahead", [timedelta(hours=5), timedelta(days=400)])
def test_customer_is_not_locked_out_after_a_clock_was_ahead(ahead: timedelta) -> None:
    """Reservations and the minute's turns from the future count as over."""
    few = limits(turns_per_minute=1, turns_max=1)
    account, _ = grant_tokens(None, asks("ahead"), NOON + ahead, few)
    waited = account_now(account, NOON, few)
    assert grant_tokens(waited, asks("now"), NOON + timedelta(minutes=1), few)[1].refused is None


@pytest.mark.parametrize("seed", range(40))
def test_grants_never_exceed_the_day(seed: int) -> None:
    """Turns use at most what they were granted here, so used and reserved tokens always stay within the day."""
    chance = random.Random(seed)
    day = limits(tokens_per_day=10_000, tokens_per_turn=chance.choice([0, 700, 3_000]), turns_max=20)
    account, open_turns, now, used = Account(day=NOON.date()), dict[str, int](), NOON, 0
    for number in range(200):
        now += timedelta(seconds=chance.randrange(5))
        if open_turns and chance.random() < 0.5:
            turn = chance.choice(list(open_turns))
            tokens = chance.randint(0, open_turns.pop(turn))
            used += tokens
            account = settle_turn(account, reports(turn, tokens), now, day)
        else:
            account, grant = grant_tokens(account, asks(str(number)), now, day)
            if grant.refused is None:
                assert grant.tokens is not None
                open_turns[str(number)] = grant.tokens
        assert {each.turn_id for each in account.reserved} == open_turns.keys()
        assert account.tokens == used
        assert used + sum(open_turns.values()) <= 10_000

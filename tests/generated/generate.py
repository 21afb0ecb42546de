"""Strategies for conversations. They depend on no state, so a failure shrinks to the steps that matter."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from switchboard.testing import JSON
from tests.generated.script import (
    Asks,
    Call,
    Chats,
    Confirms,
    Conversation,
    Declines,
    Interrupts,
    Kills,
    No,
    Owner,
    Repeats,
    Step,
    Yes,
)

STEPS_MAX, CALLS_MAX = 10, 3

OWNERS: tuple[Owner, ...] = ("carol", "erin", "dave", "erin")

AMOUNTS = (
    "7.00",
    "250",
    "3500",
    "0.01",
    "87.45",
    "87.46",
    "100",
    "1204.37",
    "1204.38",
    "4999.99",
    "5000.00",
    "5000.01",
    "0",
    "-1",
)
"""Around the limits of a transfer and what Dave and Erin have. The first is the simplest."""

CURRENCIES = st.sampled_from(("EUR", "GBP", "USD"))
ACCOUNTS = st.sampled_from(("checking", "savings", "checking-usd"))
OUTSIDE, MISTYPED = "FR7630006000011234567890189", "FR7630006000011234567890188"
DAYS = ("{in60days}", "{in60days}", "{in2days}", "{yesterday}")
CARDS = st.sampled_from(("{card0}", "{card1}", "{card0}", "{card1}", "{card2}", "CD-0000"))
RESERVATIONS = st.sampled_from(
    ("{reservation0}", "{reservation1}", "{reservation0}", "{reservation1}", "{reservation2}", "ZZZZ99")
)
METHODS = st.sampled_from(("credit_card_5454", "credit_card_5454", "gift_card_4400", "credit_card_9999"))
CABINS = st.sampled_from(("economy", "basic_economy", "business"))
PEOPLE = (
    {"first_name": "Eve", "last_name": "Evans", "dob": "1987-02-18"},
    {"first_name": "Erin", "last_name": "Evans", "dob": "2001-09-23"},
    {"first_name": "Max", "last_name": "Moore", "dob": "1990-05-05"},
    {"first_name": "Mia", "last_name": "Moore", "dob": "1992-06-06"},
    {"first_name": "Ned", "last_name": "North", "dob": "1970-07-07"},
    {"first_name": "Ona", "last_name": "Olsen", "dob": "1999-08-08"},
)


def call(tool: str, /, optional: JSON | None = None, **arguments: Any) -> st.SearchStrategy[Call]:
    """Return calls of a tool, with these strategies or fixed values as arguments."""
    strategies = {name: as_strategy(value) for name, value in arguments.items()}
    maybe = {name: as_strategy(value) for name, value in (optional or {}).items()}
    return st.fixed_dictionaries(strategies, optional=maybe).map(lambda given: Call(tool, given))


def as_strategy(value: Any) -> st.SearchStrategy[Any]:
    return value if isinstance(value, st.SearchStrategy) else st.just(value)


def transfers(currency: str) -> dict[str, Any]:
    """Return the arguments of a transfer, most of them right."""
    right, outside = ("{payee}", "Bob Brandt"), (OUTSIDE, "Zoé Petit")
    wrong = [("{payee}", "Rob Brandt"), (MISTYPED, "Zoé Petit"), ("unknown-payee", "Bob Brandt")]
    return {
        "payee": st.sampled_from([right, outside, right, outside, right, outside, *wrong]),
        "amount": st.sampled_from(AMOUNTS),
        "currency": st.sampled_from((currency, currency, currency, "USD")),
        "account": st.sampled_from(("checking", "savings", "checking", "savings", "checking-usd")),
    }


def transfer(tool: str, currency: str, **more: Any) -> st.SearchStrategy[Call]:
    return st.fixed_dictionaries({**transfers(currency), **{name: as_strategy(one) for name, one in more.items()}}).map(
        lambda given: Call(tool, with_payee(given, tool))
    )


def with_payee(given: JSON, tool: str) -> JSON:
    recipient, name = given["payee"]
    rest = {key: value for key, value in given.items() if key != "payee"}
    # Payments to other banks are found again by their reference.
    reference = {"reference": "{customer}"} if tool == "transfer_money" else {}
    return {"recipient": recipient, "recipient_name": name, **rest, **reference}


ORDER_IDS = st.sampled_from(("S1", "S1", "S2", "S9"))
SCHEDULE_IDS = st.sampled_from(("T1", "T1", "T2", "T9"))
AMOUNT = st.sampled_from(AMOUNTS)


def bank_calls(owner: Owner) -> st.SearchStrategy[Call]:
    currency = {"carol": "EUR", "dave": "EUR", "erin": "GBP"}[owner]
    own = st.sampled_from((currency, currency, "USD"))
    limits = {
        "day_limit": st.sampled_from(("4000", "10000", "10000.01", "300", "-1")),
        "cash_limit": st.sampled_from(("250", "1500", "1500.01")),
    }
    loan = st.sampled_from(("1000", "5000", "5000.01", "500", "499.99", "100000", "100000.01", "20000"))
    disputed = st.sampled_from(("{small0}", "{small1}", "{small2}", "{small3}", "{large}", "{rent}", "{old}"))
    return st.one_of(
        call("get_balance"),
        call("list_cards"),
        call("list_scheduled"),
        call("list_standing_orders"),
        transfer("transfer_money", currency),
        transfer("transfer_money", currency),
        call("move_between_own_accounts", source=ACCOUNTS, target=ACCOUNTS, amount=AMOUNT, currency=own),
        transfer("schedule_transfer", currency, on=st.sampled_from(DAYS)),
        call("cancel_scheduled", schedule_id=SCHEDULE_IDS),
        transfer("create_standing_order", currency, every=st.sampled_from(("month", "week")), starts=st.just(DAYS[0])),
        call("change_standing_order", order_id=ORDER_IDS, amount=AMOUNT, currency=own),
        call("cancel_standing_order", order_id=ORDER_IDS),
        call("freeze_card", card_id=CARDS),
        call("unfreeze_card", card_id=CARDS),
        call("replace_card", card_id=CARDS, reason=st.sampled_from(("lost", "damaged"))),
        call("change_card_limits", optional=limits, card_id=CARDS, currency=own),
        call("apply_for_loan", amount=loan, term_months=st.sampled_from((60, 6, 120, 5, 121)), purpose="a kitchen"),
        call(
            "repay_loan_early",
            loan_id=st.sampled_from(("LN-1120", "LN-1544", "LN-0000")),
            amount=st.sampled_from(("500", "100", "99.99")),
            fee=st.sampled_from(("5.00", "1.00", "0")),
            currency="EUR",
        ),
        call(
            "open_dispute",
            transaction_id=disputed,
            amount=st.sampled_from(("24.50", "20", "25.01", "100")),
            currency="EUR",
            reason=st.sampled_from(("not_mine", "wrong_amount")),
        ),
    )


FARES = {"basic_economy": 189.0, "economy": 289.4, "business": 648.0}
FREE_BAGS = {"basic_economy": 0, "economy": 1, "business": 2}


@st.composite
def bookings(draw: st.DrawFn) -> Call:
    """Return a booking whose price, bags and payments are right, or wrong in one place."""
    cabin, people = draw(CABINS), draw(st.sampled_from((1, 2, 1, 3, 5, 6)))
    bags, insurance = draw(st.integers(0, 3)), draw(st.sampled_from(("no", "yes")))
    paid_bags = max(0, bags - FREE_BAGS[cabin] * people) + draw(st.sampled_from((0, 0, 0, 1)))
    price = (FARES[cabin] + (30 if insurance == "yes" else 0)) * people + 50 * paid_bags
    price = round(price + draw(st.sampled_from((0, 0, 0, 0.01))), 2)
    by_gift_card = draw(st.sampled_from((0, 100, 300, 300.01)))
    payments = [("gift_card_4400", by_gift_card)] if 0 < by_gift_card < price else []
    card = draw(st.sampled_from(("credit_card_5454", "credit_card_5454", "credit_card_5454", "credit_card_9999")))
    payments.append((card, round(price - sum(amount for _, amount in payments), 2)))
    return Call(
        "book_reservation",
        {
            "origin": draw(st.sampled_from(("BER", "BER", "BER", "OSL"))),
            "destination": "LIS",
            "flight_type": "one_way",
            "cabin": cabin,
            "flights": [{"flight_number": "SB245", "date": draw(st.sampled_from(("{day0}", "{day1}")))}],
            "passengers": list(PEOPLE[:people]),
            "payment_methods": [{"payment_id": method, "amount": amount} for method, amount in payments],
            "total_baggages": bags,
            "nonfree_baggages": paid_bags,
            "insurance": insurance,
        },
    )


def airline_calls() -> st.SearchStrategy[Call]:
    days = st.sampled_from(("{day0}", "{day1}")).map(lambda day: [{"flight_number": "SB245", "date": day}])
    people = st.integers(1, 3).map(lambda count: list(PEOPLE[:count]))
    return st.one_of(
        call("get_user_details"),
        call("get_reservation_details", reservation_id=RESERVATIONS),
        bookings(),
        bookings(),
        call("cancel_reservation", reservation_id=RESERVATIONS, reason=st.sampled_from(("health", "weather", "other"))),
        call("update_reservation_flights", reservation_id=RESERVATIONS, cabin=CABINS, flights=days, payment_id=METHODS),
        call("update_reservation_passengers", reservation_id=RESERVATIONS, passengers=people),
        call(
            "update_reservation_baggages",
            reservation_id=RESERVATIONS,
            total_baggages=st.integers(0, 4),
            nonfree_baggages=st.integers(0, 2),
            payment_id=METHODS,
        ),
        call(
            "send_certificate", reservation_id=RESERVATIONS, amount=st.sampled_from((50, 100)), reason="delayed_flight"
        ),
    )


SLOW_TO_SETTLE = {"apply_for_loan": "LoanApplications", "open_dispute": "Disputes"}
"""The tools that start a workflow, and the objects that store its outcome.

A workflow may overlap with other calls of the same step, so these calls are made alone.
"""


def messages(owner: Owner, sessions: st.SearchStrategy[int]) -> st.SearchStrategy[Asks]:
    kinds = [bank_calls(owner)] + ([airline_calls(), airline_calls()] if owner == "erin" else [])
    several = st.one_of(*(st.lists(kind, min_size=1, max_size=CALLS_MAX) for kind in kinds)).map(made_together)
    return st.builds(lambda calls, session: Asks(calls, session=session), several, sessions)


def made_together(calls: Sequence[Call]) -> tuple[Call, ...]:
    alone = next((one for one in calls if one.tool in SLOW_TO_SETTLE), None)
    return (alone,) if alone else tuple(calls)


def conversations(steps_max: int = STEPS_MAX, kills: bool = False) -> st.SearchStrategy[Conversation]:
    """Return conversations of one customer in up to two sessions. The simplest one is empty."""
    return st.sampled_from(OWNERS).flatmap(
        lambda owner: st.lists(steps(owner, kills), max_size=steps_max).map(
            lambda parts: Conversation(owner, tuple(step for part in parts for step in part)[:steps_max])
        )
    )


def steps(owner: Owner, kills: bool) -> st.SearchStrategy[tuple[Step, ...]]:
    """Return one or a few steps that belong together: a message, and often the answer to its question."""
    sessions = st.sampled_from((0, 0, 0, 1))
    asks = messages(owner, sessions)
    answers = st.sampled_from((Yes, Yes, Yes, Confirms, No, Declines, Chats))
    asked = st.builds(lambda ask, answer: (ask, answer(session=ask.session)), asks, answers)
    interrupted = st.builds(
        lambda ask, after: (ask, Interrupts(after, session=ask.session)), asks, st.sampled_from((0, 20, 60))
    )
    single = st.builds(
        lambda kind, session: (kind(session=session),),
        st.sampled_from((Yes, No, Chats, Confirms, Declines, Repeats)),
        sessions,
    )
    followed = st.one_of(*(confirmed(first, second, sessions) for first, second in follow_ups(owner)))
    found = [followed, asked, asked, asked, asked, asked, asks.map(lambda ask: (ask,)), single, interrupted]
    if kills:
        process = st.sampled_from(("tools", "bank", "airline", "triage", "restate"))
        found.append(st.builds(lambda name, after: (Kills(name, after),), process, st.sampled_from((0, 30, 100))))
    return st.one_of(*found)


def follow_ups(owner: Owner) -> list[tuple[st.SearchStrategy[Call], st.SearchStrategy[Call]]]:
    """Return pairs of calls of which the second changes what the first one did."""
    currency = "GBP" if owner == "erin" else "EUR"
    payment: JSON = {"recipient": OUTSIDE, "recipient_name": "Zoé Petit", "amount": "7.00", "currency": currency}
    order = call("create_standing_order", **payment, every="month", starts=DAYS[0])
    card: JSON = {"card_id": "{card0}"}
    own: JSON = {"reservation_id": "{reservation0}"}
    booking: JSON = {"reservation_id": "{reservation1}", "payment_id": "credit_card_5454"}
    bank = [
        (call("schedule_transfer", **payment, on=DAYS[0]), call("cancel_scheduled", schedule_id="T1")),
        (order, call("change_standing_order", order_id="S1", amount=AMOUNT, currency=currency)),
        (order, call("cancel_standing_order", order_id="S1")),
        (call("freeze_card", **card), call("unfreeze_card", **card)),
        (call("replace_card", **card, reason="lost"), call("freeze_card", card_id=CARDS)),
    ]
    flights = st.sampled_from(("{day0}", "{day1}")).map(lambda day: [{"flight_number": "SB245", "date": day}])
    airline = [
        (bookings(), call("cancel_reservation", reservation_id="{reservation1}", reason="other")),
        (bookings(), call("update_reservation_flights", **booking, cabin=CABINS, flights=flights)),
        (
            call("update_reservation_flights", **{**booking, **own}, cabin=CABINS, flights=flights),
            call("cancel_reservation", **own, reason="health"),
        ),
    ]
    return bank + (airline * 2 if owner == "erin" else [])


def confirmed(
    first: st.SearchStrategy[Call], second: st.SearchStrategy[Call], sessions: st.SearchStrategy[int]
) -> st.SearchStrategy[tuple[Step, ...]]:
    """Return two calls, each with the customer's yes."""
    return st.builds(
        lambda one, other, session: (
            Asks((one,), session=session),
            Yes(session=session),
            Asks((other,), session=session),
            Yes(session=session),
        ),
        first,
        second,
        sessions,
    )


def named_day(days: int) -> str:
    return (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=days)).isoformat()

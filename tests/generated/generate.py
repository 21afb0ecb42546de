"""Strategies for conversations. They depend on no state, so a failure shrinks to the steps that matter."""

import datetime as dt
from collections.abc import Sequence
from functools import cache
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

CALLS_MAX = 3

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
METHODS = st.sampled_from(
    (*("credit_card_5454", "gift_card_4400") * 3, "certificate_7700", "credit_card_9999"),
)
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
RIGHT = ("",)
FREE_BAGS = {"basic_economy": 0, "economy": 1, "business": 2}


@st.composite
def bookings(draw: st.DrawFn, faults: tuple[str, ...] = ("", "", "price", "bags", "card", "origin", "people")) -> Call:
    """Return a booking that is right, or wrong in one place: its price, bags, payments, route or passengers."""
    wrong, right = draw(st.sampled_from(faults)), faults == RIGHT
    cabin, people = draw(CABINS), 6 if wrong == "people" else draw(st.sampled_from((1, 2, 1, 3, 5)))
    bags, insurance = draw(st.integers(0, 3)), draw(st.sampled_from(("no", "yes")))
    paid_bags = max(0, bags - FREE_BAGS[cabin] * people) + (wrong == "bags")
    price = (FARES[cabin] + (30 if insurance == "yes" else 0)) * people + 50 * paid_bags
    left = round(price + (0.01 if wrong == "price" else 0), 2)
    payments: list[tuple[str, float]] = []
    for method, amounts in (("certificate_7700", (0, 150, 0, 100, 150.01)), ("gift_card_4400", (0, 100, 300, 300.01))):
        amount = draw(st.sampled_from(amounts[:-1] if right else amounts))
        if 0 < amount < left:
            payments.append((method, amount))
            left = round(left - amount, 2)
    payments.append(("credit_card_9999" if wrong == "card" else "credit_card_5454", left))
    return Call(
        "book_reservation",
        {
            "origin": "OSL" if wrong == "origin" else "BER",
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
    people = st.integers(1, 3).map(lambda count: list(PEOPLE[:count]))
    return st.one_of(
        call("get_user_details"),
        call("get_reservation_details", reservation_id=RESERVATIONS),
        bookings(),
        bookings(),
        call("cancel_reservation", reservation_id=RESERVATIONS, reason=st.sampled_from(("health", "weather", "other"))),
        call(
            "update_reservation_flights", reservation_id=RESERVATIONS, cabin=CABINS, flights=FLIGHTS, payment_id=METHODS
        ),
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


PARTS_MAX = 10
"""Of a long conversation: messages with their answers, and stories of several messages."""


@cache
def conversations(parts_max: int = PARTS_MAX, kills: bool = False) -> st.SearchStrategy[Conversation]:
    """Return conversations of one customer in up to two sessions. The simplest one is empty."""
    return st.one_of(*(conversations_of(owner, parts_max, kills) for owner in OWNERS))


@cache
def conversations_of(owner: Owner, parts_max: int, kills: bool) -> st.SearchStrategy[Conversation]:
    # On average, hypothesis generates half as many.
    return st.lists(parts(owner, kills), max_size=parts_max).map(
        lambda found: Conversation(owner, tuple(step for part in found for step in part))
    )


def parts(owner: Owner, kills: bool) -> st.SearchStrategy[tuple[Step, ...]]:
    """Return steps that belong together: a message and often the answer to its question, or a story."""
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
    told = [st.builds(story, st.tuples(*calls), sessions) for calls in stories(owner)]
    crossed = [st.builds(cross, first, second) for first, second in rivals(owner)]
    found = [asked, asked, asked, *told, *crossed, asks.map(lambda ask: (ask,)), single, interrupted]
    if kills:
        process = st.sampled_from(("tools", "bank", "airline", "triage", "restate"))
        found.append(st.builds(lambda name, after: (Kills(name, after),), process, st.sampled_from((0, 30, 100))))
    return st.one_of(*found)


def story(calls: Sequence[Call], session: int) -> tuple[Step, ...]:
    """Return calls after each other, each with the customer's yes."""
    return tuple(step for one in calls for step in (Asks((one,), session=session), Yes(session=session)))


def cross(first: Call, second: Call) -> tuple[Step, ...]:
    """Return a call that is made between the question about another one and its yes."""
    return (Asks((first,)), Asks((second,), session=1), Yes(session=1), Yes())


Calls = st.SearchStrategy[Call]


def stories(owner: Owner) -> list[tuple[Calls, ...]]:
    """Return calls that depend on each other, or that only several together reach a limit."""
    currency = "GBP" if owner == "erin" else "EUR"
    payment: JSON = {"recipient": OUTSIDE, "recipient_name": "Zoé Petit", "currency": currency}
    paid: JSON = {**payment, "reference": "{customer}", "account": "savings"}
    order = call("create_standing_order", **payment, amount="7.00", every="month", starts=DAYS[0])
    card: JSON = {"card_id": "{card0}"}
    found: list[tuple[Calls, ...]] = [
        (
            call("schedule_transfer", **payment, amount="7.00", on=DAYS[0]),
            call("cancel_scheduled", schedule_id=SCHEDULE_IDS),
        ),
        (order, call("change_standing_order", order_id="S1", amount=AMOUNT, currency=currency)),
        (order, call("cancel_standing_order", order_id=ORDER_IDS)),
        (
            call("replace_card", **card, reason="lost"),
            st.one_of(call("freeze_card", card_id=CARDS), call("unfreeze_card", card_id=CARDS)),
        ),
    ]
    found += {"carol": carols_stories(paid), "dave": daves_stories(payment), "erin": erins_stories()}[owner]
    return found


def carols_stories(paid: JSON) -> list[tuple[Calls, ...]]:
    disputed = [
        call("open_dispute", transaction_id=f"{{small{number}}}", amount="20", currency="EUR", reason="not_mine")
        for number in range(4)
    ]
    large = call("transfer_money", **paid, amount="5000.00")
    return [
        tuple(disputed),
        (large, large, call("transfer_money", **paid, amount=st.sampled_from(("0.01", "7.00")))),
        (call("transfer_money", **paid, amount=st.sampled_from(("5000.01", "5000.00"))),),
        (call("repay_loan_early", loan_id="LN-1120", amount="500", fee="5.00", currency="EUR"),),
        (call("apply_for_loan", amount=st.sampled_from(("5000.01", "5000")), term_months=60, purpose="a kitchen"),),
        (call("change_card_limits", card_id="{card0}", cash_limit=CASH_LIMITS, currency="EUR"),),
    ]


def daves_stories(payment: JSON) -> list[tuple[Calls, ...]]:
    everything = call("transfer_money", **payment, reference="{customer}", amount=st.sampled_from(("87.46", "87.45")))
    return [(everything,), (everything, call("transfer_money", **payment, reference="{customer}", amount="0.01"))]


CASH_LIMITS = st.sampled_from(("1500.01", "1500"))
FLIGHTS = st.sampled_from(("{day0}", "{day1}")).map(lambda day: [{"flight_number": "SB245", "date": day}])
OWN_METHODS = st.sampled_from(("credit_card_5454", "gift_card_4400"))
FIRST: JSON = {"reservation_id": "{reservation0}"}
NEW: JSON = {"reservation_id": "{reservation1}"}


def erins_stories() -> list[tuple[Calls, ...]]:
    """Return stories of bookings that are changed and cancelled, with refunds to each payment method."""
    booked = bookings(RIGHT)

    def rebooked(which: JSON) -> Calls:
        return call("update_reservation_flights", **which, cabin=CABINS, flights=FLIGHTS, payment_id=OWN_METHODS)

    def bags(which: JSON) -> Calls:
        return st.builds(with_bags, st.just(which), st.sampled_from((3, 2, 4)), st.sampled_from((0, 0, 0, 1)), METHODS)

    people = call(
        "update_reservation_passengers",
        **FIRST,
        passengers=st.sampled_from((2, 1)).map(lambda count: list(PEOPLE[:count])),
    )
    cancelled = call("cancel_reservation", **NEW, reason="other")
    reasons = st.sampled_from(("other", "health", "weather"))
    return [
        (booked, cancelled),
        (booked, rebooked(NEW), cancelled),
        (booked, rebooked(NEW)),
        (booked, booked),
        (bookings(),),
        (booked, bags(NEW), bags(NEW)),
        (rebooked(FIRST), call("cancel_reservation", **FIRST, reason=reasons)),
        (call("cancel_reservation", **FIRST, reason=reasons),),
        (bags(FIRST), bags(FIRST)),
        (people,),
    ]


def with_bags(which: JSON, total: int, more: int, method: str) -> Call:
    """Return a change of bags. Of one passenger in economy, all but one are paid; `more` is too many."""
    given = {**which, "total_baggages": total, "nonfree_baggages": total - 1 + more, "payment_id": method}
    return Call("update_reservation_baggages", given)


def rivals(owner: Owner) -> list[tuple[Calls, Calls]]:
    """Return pairs of calls of which the second changes what the first one's question says."""
    currency = "GBP" if owner == "erin" else "EUR"
    limits = call(
        "change_card_limits", card_id="{card0}", currency=currency, day_limit=st.sampled_from(("400", "700", "900"))
    )
    changed = call("update_reservation_flights", **FIRST, cabin="business", flights=FLIGHTS, payment_id=OWN_METHODS)
    cancelled = call("cancel_reservation", **FIRST, reason="health")
    return [(limits, limits), *([(cancelled, changed)] if owner == "erin" else [])]


def named_day(days: int) -> str:
    return (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=days)).isoformat()

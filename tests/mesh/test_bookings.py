"""Bookings on a real mesh: paid with several means, all or nothing, and as good as the shipped ones afterwards."""

import asyncio
from datetime import date
from decimal import Decimal

import pytest

from switchboard.testing import calls, says, scene
from tests.laboratory import Laboratory
from tests.mesh.booking_desk import (
    ALICES_THREE,
    DONE,
    TO_AIRLINE,
    YES,
    World,
    ahead,
    asks_for,
    booking,
    does,
    last_result,
    more,
    reads,
    states,
    told,
    world,
)


async def test_a_booking_paid_with_three_means(laboratory: Laboratory) -> None:
    day = ahead(40)
    before = await world(laboratory, "alice", "SB245", day)
    customer = laboratory.customer("alice")
    asked = await asks_for(laboratory, customer, booking("SB245", day, *ALICES_THREE, seat="10b"))
    assert asked.text == (
        f"Please confirm, with yes or no: Book SB245 on {day:%A %-d %B %Y} in economy for Alice Adler, seat 10B, and"
        " pay 289.40 EUR: 120.00 EUR from GC-1207, 50.00 EUR from TC-5001, 119.40 EUR from VISA-4242?"
    )
    assert await world(laboratory, "alice", "SB245", day) == before
    assert (await customer.says(YES)).text == DONE
    booked = told(await last_result(customer))
    number = booked["confirmation_number"]
    assert (booked["total"], booked["seats"]) == ("289.40", ["10B"])

    async def settled() -> bool:
        now = await world(laboratory, "alice", "SB245", day)
        return (now.unsettled, now.emails) == (0, before.emails + 1)

    await laboratory.until(settled)
    after = await world(laboratory, "alice", "SB245", day)
    assert more(after.spent, before.spent) == {means: Decimal(amount) for means, amount in ALICES_THREE}
    assert more(after.cards, before.cards) == {"tok-alice-4242": Decimal("119.40")}
    assert after.seats == {number: "10B"}
    assert after.made == before.made | {number}
    means = told(await reads(laboratory, "alice", ("list_payment_means", {})))
    assert [one["available"] for one in means["means"]] == ["0.00", "0.00", None]
    listed = told(await reads(laboratory, "alice", ("list_reservations", {})))
    assert number in [one["confirmation_number"] for one in listed["reservations"]]
    reservation = told(await reads(laboratory, "alice", ("get_reservation", {"confirmation_number": number})))
    assert (reservation["total"], reservation["status"]) == ("289.40", "confirmed")
    await gives_back(laboratory, number, before)


async def gives_back(laboratory: Laboratory, number: str, before: World) -> None:
    """Cancels Alice's booking: the card bears the fee, and the certificate is whole again."""
    customer = laboratory.customer("alice")
    cancelled = told(await does(laboratory, customer, ("cancel_booking", {"confirmation_number": number})))
    assert (cancelled["fee"], cancelled["refunded"]) == ("40.00", "249.40")

    async def refunded() -> bool:
        now = await world(laboratory, "alice", "SB245", ahead(40))
        spent = more(now.spent, before.spent) == {"VISA-4242": Decimal("40.00")}
        charged = more(now.cards, before.cards) == {"tok-alice-4242": Decimal("40.00")}
        return spent and charged and (now.seats, now.made) == (before.seats, before.made)

    await laboratory.until(refunded)
    again = await does(laboratory, laboratory.customer("alice"), ("cancel_booking", {"confirmation_number": number}))
    assert (again["ok"], again["content"]) == (False, f"Booking {number} is cancelled already.")
    bill = told(await reads(laboratory, "alice", ("email_invoice", {"confirmation_number": number})))
    assert bill["total"] == "40.00"


async def test_a_card_that_is_declined_last_undoes_all(laboratory: Laboratory) -> None:
    day = ahead(41)
    before = await world(laboratory, "bob", "SB245", day)
    payments = (("GC-2210", "60.00"), ("TC-5002", "40.00"), ("MC-0002", "189.40"))
    result = await does(laboratory, laboratory.customer("bob"), booking("SB245", day, *payments))
    assert (result["ok"], result["content"]) == (
        False,
        "Mastercard ending in 0002 (MC-0002) was declined: insufficient funds. Choose another means."
        " Nothing was booked, and nothing is charged.",
    )

    async def undone() -> bool:
        return await world(laboratory, "bob", "SB245", day) == before

    await laboratory.until(undone)
    charges = (await states(laboratory, "PaymentMeans"))["bob/wallet"]["charges"].values()
    assert [(one["means_id"], one["amount"], one["refunded"]) for one in charges] == [
        (means, amount, amount) for means, amount in payments
    ]


@pytest.mark.parametrize(
    ("customer_id", "flight", "payments", "why"),
    [
        (
            "alice",
            "SB245",
            (("GC-1207", "120.00"), ("VISA-4242", "169.39")),
            "The price is 289.40 EUR, and the payments add up to 289.39 EUR: 0.01 EUR too little.",
        ),
        (
            "alice",
            "SB245",
            (("VISA-4242", "300.00"),),
            "The price is 289.40 EUR, and the payments add up to 300.00 EUR: 10.60 EUR too much.",
        ),
        (
            "alice",
            "SB245",
            (("GC-2210", "60.00"), ("VISA-4242", "229.40")),
            "There is no GC-2210 among your means to pay. Yours: GC-1207, TC-5001, VISA-4242.",
        ),
        (
            "dave",
            "SB245",
            (("TC-5003", "75.00"), ("TC-5004", "25.00"), ("VISA-7777", "189.40")),
            "At most one travel certificate can be used for a booking. Pay the rest otherwise.",
        ),
        (
            "dave",
            "SB245",
            (("VISA-7777", "219.40"), ("TC-5003", "70.00")),
            "Travel certificate TC-5003 is used whole: pay exactly 75.00 EUR with it, or nothing."
            " Nothing was booked, and nothing is charged.",
        ),
        (
            "carol",
            "SB245",
            (("GC-3300", "200.00"), ("AMEX-1005", "89.40")),
            "Gift card GC-3300 is in USD, and the fare in EUR. Choose another means.",
        ),
        (
            "erin",
            "SB245",
            (("GC-4400", "289.40"), ("GC-4400", "0.01")),
            "A means to pay is named twice. Put its parts together.",
        ),
    ],
)
async def test_what_does_not_fit_is_refused_and_nothing_is_charged(
    laboratory: Laboratory, customer_id: str, flight: str, payments: tuple[tuple[str, str], ...], why: str
) -> None:
    day = ahead(42)
    before = await world(laboratory, customer_id, flight, day)
    result = await does(laboratory, laboratory.customer(customer_id), booking(flight, day, *payments))
    assert (result["ok"], result["content"]) == (False, why)

    async def undone() -> bool:
        return await world(laboratory, customer_id, flight, day) == before

    await laboratory.until(undone)


async def test_a_new_bookings_seat_can_be_changed_and_its_invoice_sent(laboratory: Laboratory) -> None:
    day = ahead(43)
    call = booking("SB101", day, ("MC-5454", "262.42"), passengers=["Erin Evans", "Eve Evans"], seat=None)
    booked = told(await does(laboratory, laboratory.customer("erin"), call))
    number, (first, second) = booked["confirmation_number"], booked["seats"]

    async def settled() -> bool:
        return (await world(laboratory, "erin", "SB101", day)).unsettled == 0

    await laboratory.until(settled)
    which = {"confirmation_number": number}
    vague = await reads(laboratory, "erin", ("get_seat_map", which))
    assert vague["content"] == f"Booking {number} has 2 passengers. Say whose seat: Erin Evans, Eve Evans."
    choice = told(await reads(laboratory, "erin", ("get_seat_map", {**which, "passenger": "Eve Evans"})))
    assert choice["seat"] == second
    wanted = {**which, "passenger": "Eve Evans", "seat": choice["free_aisle"][-1]}
    changed = told(await reads(laboratory, "erin", ("change_seat", wanted)))
    assert (changed["former_seat"], changed["seat"]) == (second, wanted["seat"])
    reservation = told(await reads(laboratory, "erin", ("get_reservation", which)))
    assert reservation["flights"][0]["seats"] == [first, wanted["seat"]]
    await laboratory.until(settled)
    assert (await world(laboratory, "erin", "SB101", day)).seats == {number: first, f"{number}/2": wanted["seat"]}
    invoice = told(await reads(laboratory, "erin", ("email_invoice", which)))
    assert invoice["total"] == "262.42"
    foreign = await does(laboratory, laboratory.customer("alice"), ("cancel_booking", which))
    unknown = f"There is no booking {number} among your bookings."
    assert (foreign["ok"], foreign["content"].startswith(unknown)) == (False, True)
    assert not (await reads(laboratory, "alice", ("get_reservation", which)))["ok"]
    cancelled = told(await does(laboratory, laboratory.customer("erin"), ("cancel_booking", which)))
    assert (cancelled["fee"], cancelled["refunded"]) == ("80.00", "182.42")

    async def vacated() -> bool:
        return not (await world(laboratory, "erin", "SB101", day)).seats

    await laboratory.until(vacated)


async def test_a_shipped_booking_cannot_be_cancelled_here(laboratory: Laboratory) -> None:
    call = ("cancel_booking", {"confirmation_number": "AB4568"})
    result = await does(laboratory, laboratory.customer("alice"), call)
    assert result["content"] == "Booking AB4568 was not made here. It can be cancelled only where it was bought."


async def test_flights_are_found_by_city_code_and_weekday(laboratory: Laboratory) -> None:
    search = {"origin": "ber", "destination": "London", "date": "monday"}
    found = told(await reads(laboratory, "alice", ("search_flights", search)))
    monday = next(ahead(days) for days in range(1, 8) if ahead(days).weekday() == 0)
    (flight,) = found["flights"]
    assert (flight["flight_number"], flight["date"]) == ("SB101", monday.isoformat())
    assert [(cabin["cabin"], cabin["price"]) for cabin in flight["cabins"]] == [
        ("economy", "131.21"),
        ("business", "316.85"),
    ]
    nowhere = await reads(laboratory, "alice", ("search_flights", {**search, "destination": "Atlantis"}))
    assert nowhere["content"].startswith("We do not fly to Atlantis. We fly to Berlin (BER)")


FREE = 5
PARTIES = 40
PRICE = Decimal("316.85")
CARDS = {"alice": "VISA-4242", "carol": "AMEX-1005", "dave": "VISA-7777", "erin": "MC-5454"}


async def test_of_forty_bookings_of_the_last_five_seats_five_succeed(laboratory: Laboratory) -> None:
    day = ahead(44)
    search = {"origin": "Berlin", "destination": "London", "date": day.isoformat()}
    (flight,) = told(await reads(laboratory, "carol", ("search_flights", search)))["flights"]
    free = flight["cabins"][1]["free_seats"]
    await fill(laboratory, free - FREE, day)
    before = await world(laboratory, "carol", "SB101", day)
    who = [list(CARDS)[index % len(CARDS)] for index in range(PARTIES)]
    customers = [laboratory.customer(customer_id) for customer_id in who]
    scenes = [
        scene(
            customer_id,
            TO_AIRLINE,
            calls(booking("SB101", day, (card, str(PRICE)), cabin="business", passengers=["One Guest"])),
        )
        for customer_id, card in CARDS.items()
    ]
    await laboratory.model.plays(*scenes, scene(YES, says("unsaid"), says(DONE)))
    await asyncio.gather(*(customer.says(customer.customer_id) for customer in customers))
    await asyncio.gather(*(customer.says(YES) for customer in customers))
    results = await asyncio.gather(*(last_result(customer) for customer in customers))
    assert sum(result["ok"] for result in results) == FREE
    assert {result["content"] for result in results if not result["ok"]} == {
        f"SB101 on {day:%-d %B} has no seat left in business. Nothing was booked, and nothing is charged."
    }

    async def settled() -> bool:
        return (await world(laboratory, "carol", "SB101", day)).unsettled == 0

    await laboratory.until(settled)
    after = await world(laboratory, "carol", "SB101", day)
    seats = list(after.seats.values())
    assert (len(seats) - len(before.seats), len(set(seats))) == (FREE, len(seats))
    assert sum(after.cards.values()) - sum(before.cards.values()) == FREE * PRICE


async def fill(laboratory: Laboratory, seats_total: int, day: date) -> None:
    """Carol books so many business seats, up to four at once."""
    while seats_total > 0:
        party = min(4, seats_total)
        names = [f"Guest {'ABCD'[index]}" for index in range(party)]
        price = str(PRICE * party)
        call = booking("SB101", day, ("AMEX-1005", price), cabin="business", passengers=names)
        told(await does(laboratory, laboratory.customer("carol"), call))
        seats_total -= party

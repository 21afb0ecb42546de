"""Which facts are right, however they are written; how often they may be wrong; and what the record says of it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.tools.airline.data.dataset import DEFAULT_DATA, read_data
from services.tools.airline.data.models import Address, Name, User
from services.tools.bank.data.people import read_people
from services.tools.known_customers import known_of, of_person, of_user
from switchboard.builtin.identity import policy
from switchboard.builtin.identity.contract import LOCKED_FOR, WRONG_A_DAY_MAX, NamedFacts
from switchboard.builtin.identity.facts import all_right
from switchboard.builtin.identity.policy import TRIES_KEPT, VERIFIED_FOR, Record

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PEOPLE = read_people()
RIGHT = {"date_of_birth": "1988-04-17", "email": "alice@example.com"}
WRONG = {"date_of_birth": "1988-04-18", "email": "alice@example.com"}


def named(session_id: str = "s", **facts: Any) -> NamedFacts:
    return NamedFacts.model_validate({"session_id": session_id, **facts})


@pytest.mark.parametrize(
    ("customer_id", "facts", "right"),
    [
        ("alice", RIGHT, True),
        ("alice", {"email": " Alice@Example.COM ", "phone": "030/555 01 01"}, True),
        ("alice", {"phone": "0049 30 5550101", "address": "10115 Berlin, Lindenstr. 12"}, True),
        ("alice", {"phone": "+49 (0)30 5550101", "address": "lindenstrasse 12 berlin 10115"}, True),
        ("carol", {"email": "carol@example.com", "address": "Am Stadtpark 48, 80331 Munchen"}, True),
        ("dave", {"date_of_birth": "1996-01-09", "address": "Bahnhofstraße 7b, 01067 Dresden"}, True),
        ("erin", {"phone": "+44 20 7946 0105", "address": "5 Quay St., Eastport EP1 4QS"}, True),
        ("alice", WRONG, False),
        ("alice", {**RIGHT, "phone": "+49 30 5550199"}, False),  # one that is wrong makes all wrong
        ("bob", RIGHT, False),
        ("nobody", RIGHT, False),
        ("alice", {"email": "alice@example.com", "address": "Lindenstraße 21, 10115 Berlin"}, False),
        ("alice", {"email": "alice@example.com", "phone": "5550101"}, False),
    ],
    ids=str,
)
def test_the_same_fact_is_right_however_it_is_written(customer_id: str, facts: dict[str, str], right: bool) -> None:
    assert all_right(known_of(PEOPLE.get(customer_id), None), named(**facts)) is right


UMA = User(
    user_id="uma_lee_1",
    name=Name(first_name="Uma", last_name="Lee"),
    address=Address(
        address1="12 Hill Street", address2="Suite 7", city="Austin", country="USA", state="TX", zip="78750"
    ),
    email="uma.lee1@example.com",
    dob="1990-04-05",
    payment_methods={},
    saved_passengers=(),
    membership="regular",
    reservations=(),
)
"""Known to the airline alone."""

BORN = {"date_of_birth": "1990-04-05"}


@pytest.mark.parametrize(
    ("facts", "right"),
    [
        ({**BORN, "email": "Uma.Lee1@example.com"}, True),
        ({**BORN, "address": "12 Hill St., Suite 7, 78750 Austin"}, True),
        ({**BORN, "address": "12 Hill Street, Suite 7, Austin, TX 78750"}, True),
        ({**BORN, "address": "12 Hill Street, Suite 7, Austin, TX 78750, USA"}, True),
        ({**BORN, "address": "12 Hill Street, Suite 7, Austin, CA 78750"}, False),
        ({**BORN, "address": "12 Hill Street, 78750 Austin"}, False),
        ({**BORN, "address": "Austin, TX, USA"}, False),
        ({"date_of_birth": "1990-04-06", "email": "uma.lee1@example.com"}, False),
        ({"date_of_birth": "1990-05-04", "email": "uma.lee1@example.com"}, False),
        # There is no phone number on the airline's record, so none is right, with digits or without.
        ({**BORN, "phone": "+1 512 5550100"}, False),
        ({**BORN, "phone": "none"}, False),
    ],
    ids=str,
)
def test_who_is_the_airlines_customer_alone_is_known_by_its_record(facts: dict[str, str], right: bool) -> None:
    assert all_right(known_of(PEOPLE.get(UMA.user_id), UMA), named(**facts)) is right


def test_what_is_empty_on_record_is_not_right() -> None:
    nowhere = Address(address1="", address2="", city="", country="", state="", zip="")
    blank = UMA.model_copy(update={"address": nowhere, "email": "", "dob": ""})
    known = known_of(None, blank)
    assert not all_right(known, named(address="-", email="-"))
    assert not all_right(known, named(address="-", phone="-"))


def test_a_record_of_the_airline_counts_for_nobody_who_is_on_record_elsewhere() -> None:
    alike = UMA.model_copy(update={"user_id": "alice"})
    known = known_of(PEOPLE["alice"], alike)
    assert not all_right(known, named(date_of_birth=UMA.dob, email=UMA.email))
    assert all_right(known, named(**RIGHT))


@pytest.mark.parametrize("customer_id", sorted(read_data(DEFAULT_DATA).users.keys() | PEOPLE.keys()))
def test_the_bank_and_the_airline_know_the_same_of_a_customer(customer_id: str) -> None:
    person, user = PEOPLE[customer_id], read_data(DEFAULT_DATA).users[customer_id]
    assert f"{user.name.first_name} {user.name.last_name}" == person.name
    facts = {"date_of_birth": user.dob, "email": user.email, "address": of_user(user)["address"][0]}
    assert all_right(of_person(person), named(**facts))


def test_a_passenger_of_that_name_was_born_on_that_day() -> None:
    born = {person.name: str(person.date_of_birth) for person in PEOPLE.values()}
    flying = [one for booked in read_data(DEFAULT_DATA).reservations.values() for one in booked.passengers]
    known = [(f"{one.first_name} {one.last_name}", one.dob) for one in flying]
    assert [pair for pair in known if born.get(pair[0], pair[1]) != pair[1]] == []


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"email": "alice@example.com"},
        {"email": "a", "phone": " "},
        {"email": "a", "phone": "b" * 201},
        {"name": "A"},
    ],
    ids=str,
)
def test_one_fact_is_not_enough(facts: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        named(**facts)


def tried(record: Record, right: bool, at: datetime = NOW, session_id: str = "s") -> Record:
    entry = policy.judge_try(record, named(session_id, **RIGHT), right, at)
    return policy.recorded(record, entry)


def outcomes(record: Record) -> list[str]:
    return [entry.outcome for entry in record.tries]


def test_what_was_proven_holds_in_its_session_for_a_time() -> None:
    record = tried(Record(), True)
    assert policy.proven(record, "s", NOW)
    assert not policy.proven(record, "other", NOW)
    assert policy.proven(record, "s", NOW + VERIFIED_FOR - timedelta(seconds=1))
    assert not policy.proven(record, "s", NOW + VERIFIED_FOR)


def test_after_three_wrong_tries_the_session_is_locked_for_a_time_and_no_longer() -> None:
    record = Record()
    left = []
    for _ in range(3):
        record = tried(record, False)
        left.append(policy.told(record, record.tries[-1]).tries_left)
    assert left == [2, 1, 0]
    record = tried(record, True, NOW + LOCKED_FOR - timedelta(seconds=1))
    assert outcomes(record)[-1] == "locked"  # the right facts, and still not taken
    assert not policy.proven(record, "s", NOW + LOCKED_FOR)
    told = policy.told(record, record.tries[-1])
    assert (
        told.summary == "There were too many wrong answers. You can try again after 2026-11-23 12:30 UTC, or sign in."
    )
    record = tried(record, True, NOW + LOCKED_FOR)
    assert policy.proven(record, "s", NOW + LOCKED_FOR)


def test_a_right_try_gives_three_new_ones() -> None:
    record = Record()
    for right in (False, False, True, False, False, True):
        record = tried(record, right)
    assert outcomes(record) == ["wrong", "wrong", "verified", "wrong", "wrong", "verified"]


def test_another_session_is_no_way_around_a_lock() -> None:
    record = Record()
    for number in range(WRONG_A_DAY_MAX):
        record = tried(record, False, NOW + timedelta(minutes=number), f"s{number}")
    assert outcomes(record) == ["wrong"] * WRONG_A_DAY_MAX
    assert outcomes(tried(record, True, NOW + timedelta(hours=1), "new"))[-1] == "locked"
    assert outcomes(tried(record, True, NOW + timedelta(days=1), "new"))[-1] == "verified"


def test_a_flood_of_locked_tries_does_not_wash_the_wrong_ones_away() -> None:
    record = Record()
    for number in range(WRONG_A_DAY_MAX):
        record = tried(record, False, session_id=f"s{number}")
    for number in range(TRIES_KEPT + 10):
        record = tried(record, False, NOW + timedelta(minutes=1), f"flood{number}")
    assert len(record.tries) == TRIES_KEPT
    assert outcomes(record).count("wrong") == WRONG_A_DAY_MAX
    assert outcomes(tried(record, True, NOW + timedelta(hours=1), "new"))[-1] == "locked"


def test_the_record_says_when_by_what_and_how_it_ended_and_never_what_was_said() -> None:
    entry = policy.judge_try(Record(), named(**RIGHT), True, NOW)
    listed = policy.listed(policy.recorded(Record(), entry))
    assert listed.summary == "1 tries: 1 verified, 0 wrong, 0 locked."
    assert listed.tries[0].facts == ("date_of_birth", "email")
    assert "1988" not in listed.model_dump_json()
    assert "alice@" not in listed.model_dump_json()


def test_what_was_wrong_is_not_said() -> None:
    record = tried(Record(), False)
    told = policy.told(record, record.tries[-1]).summary
    assert told == "That is not what we have on record. You have 2 more tries, or you can sign in."


def test_everybody_is_on_record() -> None:
    assert sorted(PEOPLE) == ["alice", "bob", "carol", "dave", "erin"]
    assert all(person.date_of_birth < date(2008, 1, 1) for person in PEOPLE.values())

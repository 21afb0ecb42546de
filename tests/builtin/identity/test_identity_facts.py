"""Matching facts in different spellings, limits on wrong tries, and the record of tries."""

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
from switchboard.builtin.identity.facts import all_facts_match
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
        ("alice", {"phone": "my number is 030 5550101", "date_of_birth": "1988-04-17"}, True),
        ("alice", {**RIGHT, "phone": "030 5550101 ext. 7"}, False),
        ("alice", {**RIGHT, "phone": "+44 30 5550101"}, False),
        ("erin", {"phone": "+44 20 7946 0105", "address": "5 Quay St., Eastport EP1 4QS"}, True),
        ("alice", WRONG, False),
        ("alice", {**RIGHT, "phone": "+49 30 5550199"}, False),  # one wrong fact makes the whole try wrong
        ("bob", RIGHT, False),
        ("nobody", RIGHT, False),
        ("alice", {"email": "alice@example.com", "address": "Lindenstraße 21, 10115 Berlin"}, False),
        ("alice", {"email": "alice@example.com", "phone": "5550101"}, False),
    ],
    ids=str,
)
def test_fact_matches_in_any_spelling(customer_id: str, facts: dict[str, str], right: bool) -> None:
    assert all_facts_match(known_of(PEOPLE.get(customer_id), None), named(**facts)) is right


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
"""A customer of the airline only."""

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
        # The airline has no phone number on record, so no number matches.
        ({**BORN, "phone": "+1 512 5550100"}, False),
        ({**BORN, "phone": "none"}, False),
    ],
    ids=str,
)
def test_airline_only_customer_is_verified_by_the_airlines_record(facts: dict[str, str], right: bool) -> None:
    assert all_facts_match(known_of(PEOPLE.get(UMA.user_id), UMA), named(**facts)) is right


def test_empty_fact_on_record_never_matches() -> None:
    nowhere = Address(address1="", address2="", city="", country="", state="", zip="")
    blank = UMA.model_copy(update={"address": nowhere, "email": "", "dob": ""})
    known = known_of(None, blank)
    assert not all_facts_match(known, named(address="-", email="-"))
    assert not all_facts_match(known, named(address="-", phone="-"))


def test_airline_record_does_not_count_for_customers_on_record_elsewhere() -> None:
    alike = UMA.model_copy(update={"user_id": "alice"})
    known = known_of(PEOPLE["alice"], alike)
    assert not all_facts_match(known, named(date_of_birth=UMA.dob, email=UMA.email))
    assert all_facts_match(known, named(**RIGHT))


@pytest.mark.parametrize("customer_id", sorted(read_data(DEFAULT_DATA).users.keys() | PEOPLE.keys()))
def test_bank_and_airline_have_the_same_facts_on_record(customer_id: str) -> None:
    person, user = PEOPLE[customer_id], read_data(DEFAULT_DATA).users[customer_id]
    assert f"{user.name.first_name} {user.name.last_name}" == person.name
    facts = {"date_of_birth": user.dob, "email": user.email, "address": of_user(user)["address"][0]}
    assert all_facts_match(of_person(person), named(**facts))


def test_passengers_have_the_same_date_of_birth_as_on_record() -> None:
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
def test_fewer_than_two_valid_facts_are_rejected(facts: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        named(**facts)


def tried(record: Record, right: bool, at: datetime = NOW, session_id: str = "s") -> Record:
    entry = policy.check_try(record, named(session_id, **RIGHT), right, at)
    return policy.add_try(record, entry)


def outcomes(record: Record) -> list[str]:
    return [entry.outcome for entry in record.tries]


def test_verification_is_valid_in_its_session_for_a_limited_time() -> None:
    record = tried(Record(), True)
    assert policy.is_proven(record, "s", NOW)
    assert not policy.is_proven(record, "other", NOW)
    assert policy.is_proven(record, "s", NOW + VERIFIED_FOR - timedelta(seconds=1))
    assert not policy.is_proven(record, "s", NOW + VERIFIED_FOR)


def test_session_is_locked_temporarily_after_three_wrong_tries() -> None:
    record = Record()
    left = []
    for _ in range(3):
        record = tried(record, False)
        left.append(policy.reply_to_try(record, record.tries[-1]).tries_left)
    assert left == [2, 1, 0]
    record = tried(record, True, NOW + LOCKED_FOR - timedelta(seconds=1))
    assert outcomes(record)[-1] == "locked"  # locked even with the right facts
    assert not policy.is_proven(record, "s", NOW + LOCKED_FOR)
    told = policy.reply_to_try(record, record.tries[-1])
    assert (
        told.summary == "There were too many wrong answers. You can try again after 2026-11-23 12:30 UTC, or sign in."
    )
    record = tried(record, True, NOW + LOCKED_FOR)
    assert policy.is_proven(record, "s", NOW + LOCKED_FOR)


def test_successful_try_resets_the_wrong_ones() -> None:
    record = Record()
    for right in (False, False, True, False, False, True):
        record = tried(record, right)
    assert outcomes(record) == ["wrong", "wrong", "verified", "wrong", "wrong", "verified"]


def test_new_session_does_not_reset_the_lock() -> None:
    record = Record()
    for number in range(WRONG_A_DAY_MAX):
        record = tried(record, False, NOW + timedelta(minutes=number), f"s{number}")
    assert outcomes(record) == ["wrong"] * WRONG_A_DAY_MAX
    assert outcomes(tried(record, True, NOW + timedelta(hours=1), "new"))[-1] == "locked"
    assert outcomes(tried(record, True, NOW + timedelta(days=1), "new"))[-1] == "verified"


def test_many_locked_tries_do_not_push_out_the_wrong_ones() -> None:
    record = Record()
    for number in range(WRONG_A_DAY_MAX):
        record = tried(record, False, session_id=f"s{number}")
    for number in range(TRIES_KEPT + 10):
        record = tried(record, False, NOW + timedelta(minutes=1), f"flood{number}")
    assert len(record.tries) == TRIES_KEPT
    assert outcomes(record).count("wrong") == WRONG_A_DAY_MAX
    assert outcomes(tried(record, True, NOW + timedelta(hours=1), "new"))[-1] == "locked"


def test_record_holds_fact_names_and_outcome_but_no_values() -> None:
    entry = policy.check_try(Record(), named(**RIGHT), True, NOW)
    listed = policy.list_tries(policy.add_try(Record(), entry))
    assert listed.summary == "1 try: 1 verified, 0 wrong, 0 locked."
    assert listed.tries[0].facts == ("date_of_birth", "email")
    assert "1988" not in listed.model_dump_json()
    assert "alice@" not in listed.model_dump_json()


def test_reply_does_not_say_which_fact_was_wrong() -> None:
    record = tried(Record(), False)
    told = policy.reply_to_try(record, record.tries[-1]).summary
    assert told == "That does not match our records. You have 2 more tries, or you can sign in."


def test_all_demo_customers_are_on_record() -> None:
    assert sorted(PEOPLE) == ["alice", "bob", "carol", "dave", "erin"]
    assert all(person.date_of_birth < date(2008, 1, 1) for person in PEOPLE.values())

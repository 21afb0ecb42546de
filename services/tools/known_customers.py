"""Looks up the facts on record with which the bank's and the airline's customers verify their identity."""

from collections.abc import Mapping

import restate

from services.tools.airline.data.models import User
from services.tools.bank.lookups import PeopleRecords
from services.tools.bank.records import Person
from switchboard.builtin.identity.facts import Known
from switchboard.builtin.identity.handlers import FactsOnRecord


def facts_on_record(people: PeopleRecords, users: Mapping[str, User]) -> FactsOnRecord:
    """Build the lookup of a customer's facts from the records of the bank and of the airline."""

    async def facts(ctx: restate.ObjectContext, customer_id: str) -> Known | None:
        return known_of(await people.person(ctx, customer_id), users.get(customer_id))

    return facts


def known_of(person: Person | None, user: User | None) -> Known | None:
    """Return a customer's facts. The airline's record is used only for customers that the bank does not have."""
    if person is not None:
        return of_person(person)
    return of_user(user) if user is not None else None


def of_person(person: Person) -> Known:
    return {
        "date_of_birth": (str(person.date_of_birth),),
        "email": (person.email,),
        "phone": (person.phone,),
        "address": (person.address,),
    }


def of_user(user: User) -> Known:
    """Return the facts in an airline record, which has no phone number.

    The address is accepted with or without its state and its country.
    """
    at = user.address
    place = f"{at.address1} {at.address2} {at.zip} {at.city}"
    return {
        "date_of_birth": (user.dob,),
        "email": (user.email,),
        "phone": (),
        "address": (place, f"{place} {at.state}", f"{place} {at.country}", f"{place} {at.state} {at.country}"),
    }

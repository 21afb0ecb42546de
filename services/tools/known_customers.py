"""The facts on record of the bank's and the airline's customers, by which they can verify their identity."""

from collections.abc import Mapping

from services.tools.airline.data.dataset import airline
from services.tools.airline.data.records import User
from services.tools.bank.data.people import Person, people
from switchboard.builtin.identity.facts import Known


def facts_on_record(customer_id: str) -> Known | None:
    """Return a customer's facts on record; None for an unknown customer."""
    return known_of(customer_id, people(), airline().users)


def known_of(customer_id: str, people: Mapping[str, Person], users: Mapping[str, User]) -> Known | None:
    """Return a customer's facts; the airline's record counts only for customers that the bank does not have."""
    if customer_id in people:
        return of_person(people[customer_id])
    return of_user(users[customer_id]) if customer_id in users else None


def of_person(person: Person) -> Known:
    return {
        "date_of_birth": (str(person.date_of_birth),),
        "email": (person.email,),
        "phone": (person.phone,),
        "address": (person.address,),
    }


def of_user(user: User) -> Known:
    """The airline's record has no phone number. State and country belong to an address, and are often left out."""
    at = user.address
    place = f"{at.address1} {at.address2} {at.zip} {at.city}"
    return {
        "date_of_birth": (user.dob,),
        "email": (user.email,),
        "phone": (),
        "address": (place, f"{place} {at.state}", f"{place} {at.country}", f"{place} {at.state} {at.country}"),
    }

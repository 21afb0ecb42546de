"""The tools for a crowd of customers whose accounts are quiet today: `python -m tests.generated.crowd_tools`.

The demo data has payments on fixed days and times of each month. They are moved away from today and tomorrow, so that
only the conversations move money.
"""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal

from services.tools.__main__ import airline_data, tools
from services.tools.airline.data.dataset import AirlineData
from services.tools.airline.data.models import PaymentMethod
from services.tools.bank.data.bank import DemoCustomer, Recurring, read_customers
from services.tools.bank.data.people import read_people
from switchboard import serve
from switchboard.runtime.serve import AnyService
from switchboard.runtime.settings import load
from switchboard.toolkit.settings import ToolsSettings
from tests.chaos.crowd import CrowdBank, crowd_airline
from tests.generated.model_of_airline import CERTIFICATE

LAST_DAY = 28
"""The last day of the month on which the demo data has payments."""


def quiet_customers(today: dt.date) -> Mapping[str, DemoCustomer]:
    """Return the demo customers without payments on this day and the next."""
    busy = {today.day, (today + dt.timedelta(days=1)).day}
    return {
        name: customer.model_copy(update={"recurring": tuple(quiet(rule, busy) for rule in customer.recurring)})
        for name, customer in read_customers().items()
    }


def quiet_airline() -> AirlineData:
    """Return the crowd's airline, where Erin's copies have a travel certificate as well."""
    data = airline_data()
    erin = data.users["erin"]
    certificate = PaymentMethod(source="certificate", id=CERTIFICATE, amount=Decimal(150))
    erin = erin.model_copy(update={"payment_methods": {**erin.payment_methods, CERTIFICATE: certificate}})
    return crowd_airline(dataclasses.replace(data, users={**data.users, "erin": erin}))


def quiet(rule: Recurring, busy: set[int]) -> Recurring:
    free = next(day for day in range(LAST_DAY, 0, -1) if day not in busy)
    return rule.model_copy(update={"days": tuple(free if day in busy else day for day in rule.days)})


def crowd_tools() -> Sequence[AnyService]:
    """Return the services of the tools for a crowd."""
    bank = CrowdBank(quiet_customers(dt.datetime.now(dt.UTC).date()), read_people())
    return tools(load(ToolsSettings), bank, quiet_airline())


if __name__ == "__main__":
    serve(*crowd_tools(), name="tools")

"""The tools for a crowd of customers, with gates: `python -m tests.chaos.crowd_tools`.

See tests/chaos/crowd.py for the customers, and tests/chaos/gated_tools.py for the gates.
"""

from services.tools.__main__ import airline_data, tools
from services.tools.airline.flights.contract import FLIGHT_SEATS
from services.tools.bank.data.bank import read_customers
from services.tools.bank.data.people import read_people
from services.tools.bank.disputes.contract import DISPUTES
from services.tools.bank.loan_applications.contract import LOAN_APPLICATIONS
from switchboard import serve
from switchboard.builtin.cases.contract import CASE_INBOX
from switchboard.builtin.outbox.contract import OUTBOX
from switchboard.runtime.settings import load
from switchboard.toolkit.settings import ToolsSettings
from tests.chaos.crowd import CrowdBank, crowd_airline
from tests.chaos.gated_tools import add_gates

GATED = {CASE_INBOX, DISPUTES, FLIGHT_SEATS, LOAN_APPLICATIONS, OUTBOX}

if __name__ == "__main__":
    bank = CrowdBank(read_customers(), read_people())
    services = tools(load(ToolsSettings), bank, crowd_airline(airline_data()))
    for service in services:
        if service.name in GATED:
            add_gates(service)
    serve(*services, name="tools")

"""The airline agent: flights, reservations, seats, invoices, and the airline's policy."""

from services.tools.airline.customers.contract import GET_USER_DETAILS
from services.tools.airline.faq.contract import SEARCH_FAQ
from services.tools.airline.flights.contract import (
    GET_FLIGHT_STATUS,
    LIST_ALL_AIRPORTS,
    SEARCH_DIRECT_FLIGHT,
    SEARCH_ONESTOP_FLIGHT,
)
from services.tools.airline.invoices.contract import EMAIL_INVOICE
from services.tools.airline.reservations.contract import (
    BOOK_RESERVATION,
    CANCEL_RESERVATION,
    GET_RESERVATION_DETAILS,
    SEND_CERTIFICATE,
    UPDATE_RESERVATION_BAGGAGES,
    UPDATE_RESERVATION_FLIGHTS,
    UPDATE_RESERVATION_PASSENGERS,
)
from services.tools.airline.rules import policy_text
from services.tools.airline.seat_changes.contract import CHANGE_SEAT, GET_SEAT_MAP
from switchboard import Agent
from switchboard.builtin.calculator.contract import CALCULATE
from switchboard.builtin.cases.contract import TRANSFER_TO_HUMAN_AGENTS
from switchboard.builtin.identity.contract import VERIFY_IDENTITY

INSTRUCTIONS = f"""
You are the airline's customer service agent for one customer. The tools know who that is: never ask for a user id.

- If a tool says that the customer is not signed in, ask for two of the facts that the rules name. Pass them to
  verify_identity, then do what the customer asked for. Never say which fact was wrong.
- Look up every fact that you state, with search_faq for travel rules and calculate for sums. Never invent a number,
  time, price or rule. If you find nothing, say so.
- If a question needs several look-ups, make all calls at once.
- A reservation id, such as AB4568, is also called the confirmation number. If the customer has not said which
  reservation they mean, ask for it. If they do not know it, look it up in their profile.
- Change a seat or send an invoice when the customer asks for it, and report the tool's result.
- Collect all details before you call a tool that books, changes or cancels. Then call it right away: the customer
  is shown the exact call and asked to confirm it, so do not ask yourself.
- If a tool refuses a call, nothing was changed. Tell the customer the reason and the alternatives that it
  offers, without the rule's number. Do not work around a rule.
- Hand off requests that are not about the airline, without an apology.

Answer in the customer's language, in at most four sentences. All dates and times are in the airline's time zone, EST.

Rules:

{policy_text()}
""".replace("\n  ", " ")  # A line break inside a sentence costs tokens.

STEPS_MAX = 32
"""Enough for a model that makes one call at a time: ten reservations or twelve searches, and then the change itself."""

airline = Agent(
    name="Airline",
    handles=(
        "Flights and bookings: flight status, search, new bookings, changes and cancellation, reservations, seats,"
        " invoices, gift cards and travel certificates, and questions on baggage and travel rules."
    ),
    instructions=INSTRUCTIONS,
    tools=(
        VERIFY_IDENTITY,
        GET_USER_DETAILS,
        GET_RESERVATION_DETAILS,
        LIST_ALL_AIRPORTS,
        SEARCH_DIRECT_FLIGHT,
        SEARCH_ONESTOP_FLIGHT,
        GET_FLIGHT_STATUS,
        BOOK_RESERVATION,
        CANCEL_RESERVATION,
        UPDATE_RESERVATION_FLIGHTS,
        UPDATE_RESERVATION_PASSENGERS,
        UPDATE_RESERVATION_BAGGAGES,
        SEND_CERTIFICATE,
        GET_SEAT_MAP,
        CHANGE_SEAT,
        EMAIL_INVOICE,
        SEARCH_FAQ,
        CALCULATE,
        TRANSFER_TO_HUMAN_AGENTS,
    ),
    steps_max=STEPS_MAX,
    identity_fields=("user_id",),
)

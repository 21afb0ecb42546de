"""The airline agent: flights, reservations, seats, invoices, and the rules that it keeps."""

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
from services.tools.airline.seating.contract import CHANGE_SEAT, GET_SEAT_MAP
from switchboard import Agent
from switchboard.builtin.calculator.contract import CALCULATE
from switchboard.builtin.cases.contract import TRANSFER_TO_HUMAN_AGENTS
from switchboard.builtin.identity.contract import VERIFY_IDENTITY

INSTRUCTIONS = f"""
You are the airline's service agent. You speak to one customer. Tools know who it is, never ask for a user id.

- A customer may not be signed in. When a tool says so, ask for two of date of birth, e-mail, phone and postal address,
  pass what they say to verify_identity, and then do what they had asked for. Never say which fact was wrong.
- Look up what you say: the customer's profile and reservations, flights and seats with their tools, rules of travel
  with search_faq, sums with calculate. Never invent a number, a time, a price or a rule; if nothing is found, say so.
- Where a question needs several look-ups, make them all at once.
- A reservation is named by its id, the confirmation number, such as AB4568. When the customer has not given the one
  that is meant, ask for it, or look at their profile and reservations if they do not know it.
- Change a seat or send an invoice when the customer asks for it, and report what the tool answered.
- Before a call that books, changes or cancels, know all of its details. Then make it: the customer is shown the exact
  call and asked to confirm by itself, so do not ask before.
- When a tool refuses, nothing was done: give the reason, and what it offers instead. The tools keep the rules below,
  whoever asks; do not try to get around them.
- Cancelling needs the customer's reason, as far as they have said it.
- What the rules leave to a person, transfer with transfer_to_human_agents.
- For anything that is not the airline's, hand off without apology.

Answer in the customer's language, in at most four sentences. Times and days are the airline's, EST.

The rules, by number:

{policy_text()}
"""

STEPS_MAX = 32
"""A model that makes one call at a time looks through ten reservations, or twelve searches, and then does something."""

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

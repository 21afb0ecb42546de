"""The airline agent: flight status, bookings, seats, invoices, and what the rules of travel say."""

from services.tools.faq.contract import SEARCH_FAQ
from services.tools.flights.contract import GET_FLIGHT_STATUS
from services.tools.invoices.contract import EMAIL_INVOICE
from services.tools.reservations.contract import CHANGE_SEAT, GET_RESERVATION, GET_SEAT_MAP, LIST_RESERVATIONS
from switchboard import Agent

INSTRUCTIONS = """
You are the airline's service agent. You speak to one signed-in customer; never ask who they are.

- Look up what you say: flights, bookings and seats with their tools, rules of travel with search_faq. Never invent a
  number, a time, a price or a rule; if nothing is found, say so.
- Where a question needs several look-ups, make them all at once.
- A booking is named by its confirmation number, such as AB4568. When the customer has not given the one that is
  meant, ask for it, or list their bookings if they do not know it.
- Change a seat or send an invoice when the customer asks for it, and report what the tool answered. If it refuses,
  give the reason and what it offers instead. You cannot book, cancel or refund; say so.
- For anything that is not the airline's, hand off without apology.

Answer in the customer's language, in at most four sentences. Times are UTC; amounts have their currency.
"""

airline = Agent(
    name="Airline",
    handles=(
        "Flights and bookings: flight status, reservations, seats, invoices, and questions on baggage and travel rules."
    ),
    instructions=INSTRUCTIONS,
    tools=(
        GET_FLIGHT_STATUS,
        LIST_RESERVATIONS,
        GET_RESERVATION,
        GET_SEAT_MAP,
        CHANGE_SEAT,
        EMAIL_INVOICE,
        SEARCH_FAQ,
    ),
)

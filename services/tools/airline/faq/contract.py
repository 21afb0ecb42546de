"""The contract of the airline's FAQ. Agents import only this module."""

from switchboard.builtin.faq.contract import faq_tool

SEARCH_FAQ = faq_tool(
    "The airline's rules: baggage and its weight, check-in, seats, pets, children, refunds, delays, Wi-Fi, meals,"
    " assistance, travel documents. Not about a customer's own booking."
)

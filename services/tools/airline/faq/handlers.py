"""Serve the airline's FAQ from the articles in articles.json."""

from pathlib import Path

from services.tools.airline.faq.contract import SEARCH_FAQ
from switchboard.builtin.faq.handlers import faq_service
from switchboard.builtin.faq.search import STOP_WORDS, Articles, read_entries

ARTICLES = Articles(
    entries=read_entries(Path(__file__).with_name("articles.json")),
    stop_words=STOP_WORDS | frozenset("airline fly flight flights policy rules take".split()),
    nothing_fits="I could not find anything about that in the airline's rules. Try asking in other words.",
)

airline_faq = faq_service(SEARCH_FAQ, "The airline's rules on baggage, travel and refunds.", ARTICLES)

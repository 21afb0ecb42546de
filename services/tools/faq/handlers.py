"""Serves the airline's rules to whoever asks."""

import restate

from services.tools.faq import search
from services.tools.faq.contract import SEARCH_FAQ, Answers, Question
from switchboard.declare import tool_service

faq = tool_service(SEARCH_FAQ.service, "The airline's rules on baggage, travel and refunds.")


@faq.handler()
async def search_faq(_ctx: restate.Context, request: Question) -> Answers:
    """The one or two articles that fit a question; a question that nothing fits is answered with that."""
    return search.search(request.question, search.entries())

"""Serve an FAQ: find the articles that match a question."""

import restate

from switchboard.builtin.faq import search
from switchboard.builtin.faq.contract import Answers, Question
from switchboard.builtin.faq.search import Articles
from switchboard.contract import Tool
from switchboard.toolkit.declare import tool_service
from switchboard.toolkit.implement import implements


def faq_service(tool: Tool[Question, Answers], description: str, articles: Articles) -> restate.Service:
    """Build the service that answers `tool` from these articles."""
    faq = tool_service(tool.service, description)

    @implements(faq, tool)
    async def search_faq(_ctx: restate.Context, request: Question) -> Answers:
        """Return one or two articles that match a question, or a note that none does."""
        return search.search(request.question, articles)

    return faq

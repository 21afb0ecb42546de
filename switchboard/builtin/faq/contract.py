"""The contract of an FAQ: articles that answer a general question."""

from typing import Annotated

from pydantic import Field

from switchboard import Tool, ToolInput
from switchboard.messages import WireModel
from switchboard.text import PlainText
from switchboard.words import OurWords

QUESTION_MAX_CHARS = 500


class Question(ToolInput):
    question: Annotated[str, PlainText(QUESTION_MAX_CHARS, min_chars=1)] = Field(
        description="The question in English, about one subject",
    )


class Article(WireModel):
    title: OurWords
    answer: OurWords


class Answers(WireModel):
    """The matching articles, best first; empty if none matches."""

    answer: OurWords = Field(description="The best article's text, or a note that none was found")
    articles: tuple[Article, ...]


FAQ = "Faq"


def faq_tool(purpose: str, service: str = FAQ) -> Tool[Question, Answers]:
    """Build the FAQ's tool. `purpose` tells the model which subjects the articles cover."""
    return Tool(service=service, handler="search_faq", purpose=purpose, input=Question, output=Answers, read_only=True)

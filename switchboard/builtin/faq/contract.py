"""The contract of an FAQ: articles that answer a general question."""

from pydantic import Field

from switchboard import Tool, ToolInput
from switchboard.messages import WireModel

QUESTION_MAX_CHARS = 500


class Question(ToolInput):
    question: str = Field(
        min_length=1,
        max_length=QUESTION_MAX_CHARS,
        description="What the customer wants to know, in English, one subject",
        examples=["How heavy may a checked bag be?"],
    )


class Article(WireModel):
    title: str
    answer: str


class Answers(WireModel):
    """The articles that fit, the best first; `articles` is empty when none fits."""

    answer: str = Field(description="The best article's text, or that there is none")
    articles: tuple[Article, ...]


FAQ = "Faq"


def faq_tool(purpose: str, service: str = FAQ) -> Tool[Question, Answers]:
    """Build the FAQ's tool. `purpose` tells the model which subjects the articles cover."""
    return Tool(service=service, handler="search_faq", purpose=purpose, input=Question, output=Answers)

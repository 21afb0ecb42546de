"""What the FAQ promises: what the airline's rules say about a question. Agents import this and nothing else of it."""

from pydantic import Field

from switchboard import Tool, ToolInput
from switchboard.messages import Wire

QUESTION_MAX_CHARS = 500


class Question(ToolInput):
    question: str = Field(
        min_length=1,
        max_length=QUESTION_MAX_CHARS,
        description="What the customer wants to know, in English, one subject",
        examples=["How heavy may a checked bag be?"],
    )


class Article(Wire):
    title: str
    answer: str


class Answers(Wire):
    """What the rules say, the best fit first; `articles` is empty when nothing fits."""

    answer: str = Field(description="The best article's text, or that there is none")
    articles: tuple[Article, ...]


SEARCH_FAQ = Tool(
    service="Faq",
    handler="search_faq",
    purpose=(
        "The airline's rules: baggage and its weight, check-in, seats, pets, children, refunds, delays, Wi-Fi, meals,"
        " assistance, travel documents. Not about a customer's own booking."
    ),
    input=Question,
    output=Answers,
)

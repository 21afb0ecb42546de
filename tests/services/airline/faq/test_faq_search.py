"""The airline's FAQ finds the right article for a question."""

import pytest

from services.tools.airline.faq.handlers import ARTICLES
from switchboard.builtin.faq.contract import Answers
from switchboard.builtin.faq.search import ANSWERS_MAX, NOTHING_FITS, Articles, search
from switchboard.stems import stem


def found(question: str) -> Answers:
    return search(question, ARTICLES)


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("What is the carry-on weight limit?", "Carry-on baggage"),
        ("How heavy may my checked bag be?", "Checked baggage"),
        ("How much does an extra suitcase cost?", "Checked baggage"),
        ("baggage allowance", "Checked baggage"),
        ("How much luggage is allowed?", "Checked baggage"),
        ("My suitcase is lost", "Lost, late and damaged baggage"),
        ("When does check-in close?", "Check-in and boarding"),
        ("when can I check in", "Check-in and boarding"),
        ("May I change my seat?", "Choosing and changing a seat"),
        ("refund policy", "Refunds and cancellation by you"),
        ("What am I owed for a delayed flight?", "Delayed and cancelled flights"),
        ("Can I bring my dogs?", "Pets"),
        ("Is there Wi-Fi?", "Wi-Fi and power on board"),
        ("IS THERE WIFI", "Wi-Fi and power on board"),
        ("Can we travel with babies?", "Infants and children"),
        ("I need a wheelchair", "Special assistance"),
        ("do you serve vegan food", "Meals on board"),
        ("taking my bicycle", "Sports equipment and instruments"),
        ("Do I need a visa?", "Passports and visas"),
    ],
)
def test_question_finds_its_article(question: str, title: str) -> None:
    answers = found(question)
    assert answers.articles[0].title == title
    assert answers.answer == answers.articles[0].answer


@pytest.mark.parametrize("question", ["What is the capital of France?", "quantum physics", "?!", "what is my flight"])
def test_question_without_a_matching_article_gets_the_fallback(question: str) -> None:
    assert found(question) == Answers(answer=ARTICLES.nothing_fits, articles=())


def test_equally_good_articles_are_both_returned() -> None:
    titles = [article.title for article in found("How many kilos may my luggage weigh?").articles]
    assert titles == ["Checked baggage", "Carry-on baggage"]


def test_number_of_articles_is_limited() -> None:
    everything = " ".join(entry.keywords for entry in ARTICLES.entries)
    assert len(search(everything, ARTICLES).articles) <= ANSWERS_MAX


def test_empty_faq_returns_the_fallback() -> None:
    assert search("pets", Articles(())).answer == NOTHING_FITS


@pytest.mark.parametrize(
    "words",
    [("bag", "bags"), ("delay", "delayed", "delays"), ("baby", "babies"), ("board", "boarding"), ("seat", "seats")],
)
def test_forms_of_a_word_share_a_stem(words: tuple[str, ...]) -> None:
    assert len({stem(word) for word in words}) == 1

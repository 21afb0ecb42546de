"""The result of a summary: which answers are used, and that each one is charged."""

import pytest

from switchboard.loop.attempts import NO_MODEL, GiveUp, Plan
from switchboard.loop.decisions import Asking, Decided
from switchboard.messages import Identity, ModelReply, Spent, TurnRequest, Usage, UserText
from switchboard.session.summaries import SUMMARIES, SummaryRequest, summarizer, summary_result

IDENTITY = Identity(session_id="s", customer_id="alice")
REQUEST = SummaryRequest(identity=IDENTITY, summary="", messages=(UserText(text="hi"),), through_turn=3)
COST = Usage(input_tokens=900, output_tokens=40)
FAILED = Spent(agent=SUMMARIES, model="m", usage=Usage(input_tokens=500))


def asking(plan: Plan) -> Asking:
    return Asking(summarizer, [], TurnRequest(identity=IDENTITY, transcript=()), plan=plan, spent=[FAILED])


@pytest.mark.parametrize(
    ("plan", "text", "summary"),
    [
        (Plan(), " They said hi. ", "They said hi."),
        (Plan(), "  ", None),
        (Plan(withheld=(0,)), "Nothing was said.", None),
        (Plan(skipped=1), "Nothing was said.", None),
    ],
)
def test_every_answer_is_charged_also_if_it_is_not_used(plan: Plan, text: str, summary: str | None) -> None:
    answer = ModelReply(agent=SUMMARIES, model="m", text=text, usage=COST)
    result = summary_result(REQUEST, Decided(answer, 0), asking(plan))
    assert result.summary == summary
    assert [reply.usage for reply in result.replies] == [COST]
    assert all(not reply.text for reply in result.replies)
    assert result.attempts == (FAILED,)


def test_summary_that_no_model_makes_costs_its_attempts() -> None:
    result = summary_result(REQUEST, GiveUp(NO_MODEL), asking(Plan()))
    assert (result.summary, result.replies, result.attempts) == (None, (), (FAILED,))

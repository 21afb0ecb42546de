"""What a client is told of what the session, or Restate, has said."""

import pytest

from switchboard.gateway.sessions import problem_of
from switchboard.ingress import HandlerFailed
from switchboard.session.contract import NO_AGENTS, QUESTION_CLOSED, QUESTION_EXPIRED

TOLD = [
    (409, QUESTION_CLOSED, 409, "nothing_to_decide"),
    (409, QUESTION_EXPIRED, 409, "nothing_to_decide"),
    (409, "cancelled", 409, "stopped"),
    (409, "killed", 500, "turn_lost"),
    (409, "secret words of a defect", 500, "turn_lost"),
    (503, NO_AGENTS, 503, "no_agents"),
    (503, "secret words of a defect", 500, "turn_lost"),
    (500, "secret words of a defect", 500, "turn_lost"),
]


@pytest.mark.parametrize(("status", "message", "told", "code"), TOLD)
def test_only_the_sessions_own_sentences_are_told(status: int, message: str, told: int, code: str) -> None:
    problem = problem_of(HandlerFailed(status, message))
    assert (problem.status, problem.code) == (told, code)
    assert "secret" not in problem.detail

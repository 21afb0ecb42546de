"""Which errors of sessions and of Restate clients get to see."""

import pytest

from switchboard.gateway.sessions import NO_AGENTS_0_1, QUESTION_CLOSED_0_1, QUESTION_EXPIRED_0_1, problem_of
from switchboard.ingress import HandlerFailed
from switchboard.session.contract import NO_AGENTS, QUESTION_CLOSED, QUESTION_EXPIRED

ERRORS = [
    (409, QUESTION_CLOSED, 409, "nothing_to_decide"),
    (409, QUESTION_CLOSED_0_1, 409, "nothing_to_decide"),
    (409, QUESTION_EXPIRED_0_1, 409, "nothing_to_decide"),
    (409, QUESTION_EXPIRED, 409, "nothing_to_decide"),
    (409, "cancelled", 409, "stopped"),
    (409, "killed", 500, "turn_lost"),
    (409, "secret words of a bug", 500, "turn_lost"),
    (503, NO_AGENTS, 503, "no_agents"),
    (503, NO_AGENTS_0_1, 503, "no_agents"),
    (503, "secret words of a bug", 500, "turn_lost"),
    (500, "secret words of a bug", 500, "turn_lost"),
]


@pytest.mark.parametrize(("status", "message", "shown", "code"), ERRORS)
def test_client_sees_only_the_refusals_of_sessions(status: int, message: str, shown: int, code: str) -> None:
    problem = problem_of(HandlerFailed(status, message))
    assert (problem.status, problem.code) == (shown, code)
    assert "secret" not in problem.detail

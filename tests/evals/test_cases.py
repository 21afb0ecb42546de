"""Every case on a real mesh, without a language model: by the demo model's rules, or by the case's own script."""

from collections.abc import AsyncIterator

import pytest

from cli.restate_server import find_binary
from evals.cases.form import Case, read_cases
from evals.cases.play import mesh_for_cases, play_case, player_of
from evals.mesh import EvalMesh
from tests.parts import need

CASES = read_cases()
CASES_MIN = 20


@pytest.fixture(scope="module")
async def mesh() -> AsyncIterator[EvalMesh]:
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    async with mesh_for_cases() as opened:
        yield opened


def test_there_are_enough_of_each_kind() -> None:
    assert len(CASES) >= CASES_MIN
    assert sum(case.demo for case in CASES) >= CASES_MIN // 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_case_ends_as_it_says(mesh: EvalMesh, case: Case) -> None:
    await mesh.forget()
    assert (await play_case(mesh, case, player_of(case))).wrong == []


async def test_a_case_that_does_not_end_as_it_says_fails(mesh: EvalMesh) -> None:
    await mesh.forget()
    told = {"says": "how much is my balance?", "agent": "Airline", "reply": {"must": ["1,000,000"]}}
    looks = [{"agent": "Bank", "call": {"tool": "get_balance"}, "result": {"accounts.0.balance": 0}}]
    wrong = Case.model_validate(
        {
            "name": "wrong",
            "about": "all of it is",
            "demo": True,
            "turns": [told],
            "writes": [{"tool": "transfer_money"}],
            "looks": looks,
            "emails": {"count": 3},
        }
    )
    complaints = (await play_case(mesh, wrong, player_of(wrong))).wrong
    expected = ("expected Airline", "has no /1,000,000/", "not done: transfer_money", "accounts.0.balance", "e-mails")
    assert len(complaints) == len(expected)
    assert all(part in "\n".join(complaints) for part in expected)

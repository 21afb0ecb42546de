"""Every case on a real mesh without a language model, by the demo model's rules or the case's script."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from evals.cases.__main__ import main
from evals.cases.form import Case, read_cases
from evals.cases.play import mesh_for_cases, play_case, player_of
from evals.mesh import EvalMesh
from switchboard.local.restate_server import find_binary
from tests.parts import at_night, need

CASES = read_cases()
CASES_MIN = 20


@pytest.fixture(scope="module")
async def mesh() -> AsyncIterator[EvalMesh]:
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    async with mesh_for_cases() as opened:
        yield opened


def test_there_are_enough_cases_of_each_kind() -> None:
    assert len(CASES) >= CASES_MIN
    assert sum(case.demo for case in CASES) >= CASES_MIN // 2


CHANGING = [case for case in CASES if not case.changes_nothing]
SAMPLE = CHANGING[::3]
"""A case that changes something needs an empty Restate. Nightly runs and `make evals` play all of them."""

PLAYED = [
    *(case for case in CASES if case.changes_nothing),
    *SAMPLE,
    *at_night(*(case for case in CHANGING if case not in SAMPLE)),
]


@pytest.mark.parametrize("case", PLAYED, ids=lambda case: case.name)
async def test_case_passes(mesh: EvalMesh, case: Case) -> None:
    if not case.changes_nothing:
        await mesh.reset()
    assert (await play_case(mesh, case, player_of(case))).wrong == []


async def test_any_endpoint_can_be_used_and_failed_cases_are_reported(
    mesh: EvalMesh, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The demo model stands in for an endpoint. By its rules it can look up a balance but not make a transfer.
    await mesh.control("DELETE", "script")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    endpoint = ["--model", "some-model", "--base-url", f"{mesh.mesh.addresses.service_url('demo_model')}/v1"]
    status = await asyncio.to_thread(main, [*endpoint, "balance", "transfer-confirmed"])
    said = capsys.readouterr().out
    assert status == 1
    assert "1 of 2 passed" in said
    assert "transfer-confirmed: missing write: transfer_money" in said
    assert said.count("some-model") == 2


def test_openai_model_needs_a_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main(["--model", "gpt-5-mini"]) == 2
    assert "OPENAI_API_KEY" in capsys.readouterr().err
    assert main(["no-such-case"]) == 2
    assert "no-such-case" in capsys.readouterr().err


async def test_case_with_wrong_expectations_fails(mesh: EvalMesh) -> None:
    await mesh.reset()
    turn = {"says": "how much is my balance?", "agent": "Airline", "reply": {"must": ["1,000,000"]}}
    looks = [{"agent": "Bank", "call": {"tool": "get_balance"}, "result": {"accounts.0.balance": 0}}]
    wrong = Case.model_validate(
        {
            "name": "wrong",
            "about": "every expectation is wrong",
            "demo": True,
            "turns": [turn],
            "writes": [{"tool": "transfer_money"}],
            "looks": looks,
            "emails": {"count": 3},
        }
    )
    complaints = (await play_case(mesh, wrong, player_of(wrong))).wrong
    expected = (
        "expected Airline",
        "does not match /1,000,000/",
        "missing write: transfer_money",
        "accounts.0.balance",
        "e-mails",
    )
    assert len(complaints) == len(expected)
    assert all(part in "\n".join(complaints) for part in expected)

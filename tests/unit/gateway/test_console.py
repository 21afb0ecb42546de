"""The console's files: their size, their headers, nothing inline, nothing from elsewhere, and no way to parse HTML."""

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from switchboard.gateway.console import PAGES, add_console
from switchboard.gateway.problems import Problem, on_problem
from switchboard.gateway.settings import ConsoleSettings
from tests.parts import PROJECT

FOLDER = PROJECT / "switchboard/console"
FILES = sorted(file for file in FOLDER.iterdir() if file.is_file() and file.suffix != ".py")
SCRIPTS = [file for file in FILES if file.suffix == ".js"]
MAX_BYTES = 100 * 1000

PARSES_TEXT = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML|createContextualFragment|srcdoc"
    r"|eval|Function\()|\bsetTimeout\(\s*[\"'`]"
)
"""Ways to turn a text into HTML or code."""

ADDRESS = re.compile(r"https?://(?!www\.w3\.org/2000/svg)[\w.]")


def test_console_is_small() -> None:
    assert sum(file.stat().st_size for file in FILES) <= MAX_BYTES


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_parses_no_text_as_html_or_code(script: Path) -> None:
    assert PARSES_TEXT.findall(script.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_file_names_no_other_site(file: Path) -> None:
    assert ADDRESS.findall(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", sorted(PAGES.values()))
def test_page_has_no_inline_script_or_style(page: str) -> None:
    text = (FOLDER / page).read_text(encoding="utf-8")
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", text) == []
    assert re.findall(r"<script[^>]*>", text) == [
        f'<script type="module" src="/console/{"staff" if page == "staff.html" else "customer"}.js">'
    ]


def client(**settings: object) -> AsyncClient:
    app = FastAPI()
    app.add_exception_handler(Problem, on_problem)
    add_console(app, ConsoleSettings.model_validate(settings))
    return AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1:8000")


async def test_every_file_has_the_policy_and_its_type() -> None:
    async with client() as http:
        for path in (*PAGES, *(f"/console/{file.name}" for file in FILES), "/console/sign-in.json"):
            answer = await http.get(path)
            assert answer.status_code == 200
            policy = answer.headers["content-security-policy"].split("; ")
            assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(
                policy
            )
            assert not any("unsafe" in part or "*" in part or "data:" in part for part in policy)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-type"].split(";")[0] in {
                *("text/html", "text/css", "text/javascript", "image/svg+xml", "application/json"),
            }


@pytest.mark.parametrize("name", ["..%2fsettings.py", "%2e%2e/settings.py", "__init__.py", "index.html.bak"])
async def test_no_other_file_is_served(name: str) -> None:
    async with client() as http:
        answer = await http.get(f"/console/{name}")
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("settings", "learned"),
    [
        ({"GATEWAY_CONSOLE_TOKEN_PATH": "/auth/token"}, ("site", "/auth/token", [])),
        ({"GATEWAY_LOCAL_SIGN_IN": "alice,bob"}, ("local", "/console/token", ["alice", "bob"])),
        ({}, ("paste", "", [])),
    ],
)
async def test_page_learns_how_to_sign_in(settings: dict[str, str], learned: tuple[str, str, list[str]]) -> None:
    async with client(**settings) as http:
        answer = (await http.get("/console/sign-in.json")).json()
        assert (answer["sign_in"], answer["token_path"], answer["customers"]) == learned


@pytest.mark.parametrize("path", ["//evil.example/token", "https://evil.example/token", "auth", "/a?b", "/\\evil"])
def test_token_path_stays_on_the_own_origin(path: str) -> None:
    with pytest.raises(ValueError, match="GATEWAY_CONSOLE_TOKEN_PATH"):
        ConsoleSettings.model_validate({"GATEWAY_CONSOLE_TOKEN_PATH": path})

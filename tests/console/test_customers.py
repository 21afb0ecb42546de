"""Customers at the console: progress, consent, reloads and hostile ids."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import expect

from switchboard.testing import calls, says, scene
from tests.console.browser import Console, Person, chromium, console

__all__ = ["chromium", "console"]

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))

HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"> <script>document.title='owned'</script>"
    ' <a href="javascript:document.title=1">x</a> {{7*7}} </li></ol><h1>big</h1>'
)
LONG = "word " * 700


def wait(name: str, milliseconds: int) -> tuple[str, dict[str, Any]]:
    return ("wait", {"name": name, "milliseconds": milliseconds})


def pay(amount: str, to: str = "Bob") -> tuple[str, dict[str, Any]]:
    return ("pay", {"to": to, "amount": amount})


SCENES = (
    scene(
        "three at once",
        TO_PROBE,
        calls(wait("a", 2500), wait("b", 1200), wait("c", 2500)),
        says("all three are done " * 12),
    ),
    scene("slowly please", calls(wait("slow", 60_000)), says("never said")),
    scene("pay Bob", calls(pay("5"))),
    scene("pay Eve", calls(pay("7", "Eve"))),
    scene("pay both", calls(pay("1"), pay("2", "Eve"))),
    scene("refuse it", calls(("refuse", {})), says("That is not allowed.")),
    scene(HOSTILE, calls(pay("3", HOSTILE))),
    scene("tell me a lot", says(LONG)),
    scene("Yes.", says("never said"), says("The money is on its way.")),
    scene("hello", says("Hello to you.")),
    scene("", says(HOSTILE)) | {"user": {"matches": "^hostile"}},
)


@pytest.fixture
async def alice(console: Console) -> AsyncIterator[Person]:
    await console.laboratory.model.plays(*SCENES)
    async with console.customer() as person:
        yield person


async def test_customer_watches_three_tools_side_by_side(alice: Person) -> None:
    await alice.accessible("welcome")
    await alice.says("three at once")
    await expect(alice.tool("running")).to_have_count(3)
    await expect(alice.page.locator(".step.agent").last).to_have_text("Probe")
    await alice.accessible("tools-running")
    # One of them ends while the others still run.
    await expect(alice.tool("done")).to_have_count(1)
    await expect(alice.tool("running")).to_have_count(2)
    written = alice.page.locator(".words.writing")
    await expect(written).to_contain_text("all three")
    await alice.sees(alice.replies, "all three are done all three")
    await expect(alice.tool("done")).to_have_count(3)
    await expect(written).to_have_count(0)
    await expect(alice.button("Stop")).to_be_hidden()
    await alice.accessible("replied")


async def test_yes_makes_exactly_the_call_that_the_card_shows(alice: Person, console: Console) -> None:
    await alice.says("three at once")
    await alice.sees(alice.replies, "all three are done")
    await alice.says("pay Bob")
    card = alice.page.get_by_role("region", name="Please confirm")
    await expect(card).to_contain_text("Bob")
    await expect(card.locator("time")).to_be_visible()
    await expect(alice.tool("held")).to_have_count(1)
    await alice.accessible("confirmation")
    await alice.button("Yes, do this").click()
    await alice.sees(alice.replies, "The money is on its way.")
    await expect(card).to_have_count(0)
    before = console.laboratory.probed('paid {"to":"Eve","amount":"7"}')
    await alice.says("pay Eve")
    await expect(card).to_contain_text("Eve")
    await alice.button("No").click()
    await alice.sees(alice.replies, "Okay, I won't do that.")
    await expect(card).to_have_count(0)
    assert console.laboratory.probed('paid {"to":"Eve","amount":"7"}') == before


async def test_card_shows_all_calls_that_one_yes_makes(alice: Person) -> None:
    await alice.says("three at once")
    await alice.sees(alice.replies, "all three are done")
    await alice.says("pay both")
    card = alice.page.get_by_role("region", name="Please confirm")
    await expect(card.get_by_role("listitem")).to_have_count(2)
    await alice.button("Yes, do all of this").click()
    await alice.sees(alice.replies, "The money is on its way.")


@pytest.mark.parametrize("after", ["at once", "tools", "reply"])
async def test_reload_in_the_middle_loses_and_repeats_nothing(alice: Person, after: str) -> None:
    await alice.says("three at once")
    if after == "tools":
        await expect(alice.tool("running")).to_have_count(3)
    elif after == "reply":
        await alice.sees(alice.page.locator(".words.writing"), "all three")
    await alice.page.reload()
    await alice.sees(alice.replies, "all three are done all three")
    await expect(alice.turns).to_have_count(1)
    await expect(alice.page.locator(".words.mine")).to_have_count(1)
    await expect(alice.tool("done")).to_have_count(3)
    unanswered = await alice.page.evaluate("() => JSON.stringify(sessionStorage)")
    assert "three at once" not in unanswered


async def test_reload_while_a_question_is_open_shows_the_card_again(alice: Person) -> None:
    await alice.says("three at once")
    await alice.sees(alice.replies, "all three are done")
    await alice.says("pay Bob")
    card = alice.page.get_by_role("region", name="Please confirm")
    await expect(card).to_contain_text("Bob")
    await alice.page.reload()
    await expect(card).to_contain_text("Bob")
    await alice.button("Yes, do this").click()
    await alice.sees(alice.replies, "The money is on its way.")


@pytest.mark.parametrize("session", ["../../staff", "javascript:alert(1)", "<b>x</b>"])
async def test_hostile_stored_ids_open_nothing(console: Console, session: str) -> None:
    async with console.customer() as person:
        await expect(person.button("New conversation")).to_be_visible()
        stored = json.dumps([{"id": session, "title": "<b>old</b>", "at": "x"}])
        await person.page.evaluate("([k, v]) => localStorage.setItem(k, v)", ["switchboard.sessions.alice", stored])
        await person.page.evaluate("v => sessionStorage.setItem('switchboard.open', v)", session)
        await person.page.reload()
        await expect(person.page.get_by_role("heading", name="How can we help?")).to_be_visible()
        await expect(person.page.locator("#sessions li")).to_have_count(0)


async def test_keyboard_alone_is_enough(alice: Person) -> None:
    await expect(alice.page.get_by_label("Your message")).to_be_visible()
    await alice.page.reload()
    await expect(alice.page.get_by_label("Your message")).to_be_visible()
    await alice.page.keyboard.press("Tab")
    await expect(alice.page.locator(".skip")).to_be_focused()
    await alice.page.keyboard.press("Enter")
    await expect(alice.page.get_by_label("Your message")).to_be_focused()
    await alice.page.keyboard.type("hello")
    await alice.page.keyboard.press("Enter")
    await alice.sees(alice.replies, "Hello to you.")
    await expect(alice.page.locator("#announcer")).to_contain_text("Hello to you.")

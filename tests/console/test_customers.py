"""Customers at the console: progress, consent, interruptions, ratings, reloads and hostile texts."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Error, Route, expect

from switchboard.testing import JSON, calls, says, scene
from tests.console.browser import PHONE, Console, Person
from tests.laboratory import LONG_MS, Laboratory
from tests.lines import open_line
from tests.parts import at_night

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))

HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"> <script>document.title='owned'</script>"
    ' <a href="javascript:document.title=1">x</a> {{7*7}} </li></ol><h1>big</h1>'
)
LONG = "word " * 100
UNBROKEN = "x" * 300

TURNS_A_PAGE = 20
"""How many turns the page loads at once."""


def wait(name: str, milliseconds: int) -> tuple[str, dict[str, Any]]:
    return ("wait", {"name": name, "milliseconds": milliseconds})


def pay(amount: str, to: str = "Bob") -> tuple[str, dict[str, Any]]:
    return ("pay", {"to": to, "amount": amount})


THREE = ("a", "b", "c")
HELD = "hold three"
"""A message whose three tools run until the test releases them. The reply is written for seconds."""

SCENES = (
    scene("three at once", TO_PROBE, calls(*(wait(name, 0) for name in THREE)), says("all three are done " * 2)),
    scene("slowly please", calls(wait("slow", LONG_MS)), says("never said")),
    scene("pay Bob", calls(pay("5"))),
    scene("pay Eve", calls(pay("7", "Eve"))),
    scene("pay both", calls(pay("1"), pay("2", "Eve"))),
    scene("refuse it", calls(("refuse", {})), says("That is not allowed.")),
    scene(HOSTILE, calls(pay("3", HOSTILE))),
    scene("tell me a lot", says(LONG)),
    scene("Yes.", says("never said"), says("The money is on its way.")),
    scene("hello", says("Hello to you.")),
    scene(UNBROKEN, says(UNBROKEN)),
    scene("hello again", says("Hello again to you.")),
    scene("", says(HOSTILE)) | {"user": {"matches": "^hostile"}},
)


@dataclass(frozen=True)
class Held:
    """The tools of one message HELD."""

    laboratory: Laboratory
    mark: str = field(default_factory=lambda: uuid4().hex)

    def scene(self) -> JSON:
        three = (("hold", {"name": f"{name} {self.mark}"}) for name in THREE)
        return scene(HELD, TO_PROBE, calls(*three), says("all three are done " * 30))

    def release(self, *names: str) -> None:
        """Let these tools end, or all three."""
        self.laboratory.release(*(f"{name} {self.mark}" for name in names or THREE))


@pytest.fixture
async def held(console: Console) -> Held:
    return Held(console.laboratory)


@pytest.fixture
async def alice(console: Console, held: Held) -> AsyncIterator[Person]:
    await console.laboratory.model.plays(held.scene(), *SCENES)
    async with console.customer() as person:
        yield person


async def greets(person: Person) -> None:
    """Begin a conversation. Its page then sees a turn from the beginning, also on a mesh that suspends at once."""
    await person.says("hello")
    await person.sees(person.replies, "Hello to you.")


async def test_customer_watches_three_tools_side_by_side(alice: Person, held: Held) -> None:
    await alice.accessible("welcome")
    await greets(alice)
    await alice.says(HELD)
    await expect(alice.tool("running")).to_have_count(3)
    await expect(alice.page.locator(".step.agent").last).to_have_text("Probe")
    await alice.accessible("tools-running")
    # One of them ends while the others still run.
    held.release("b")
    await expect(alice.tool("done")).to_have_count(1)
    await expect(alice.tool("running")).to_have_count(2)
    written = alice.page.locator(".words.writing")
    held.release("a", "c")
    await expect(written).to_contain_text("all three")
    await alice.sees(alice.replies, "all three are done")
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


@pytest.mark.parametrize("after", ["at once", *at_night("tools"), "reply"])
async def test_reload_in_the_middle_loses_and_repeats_nothing(alice: Person, held: Held, after: str) -> None:
    await greets(alice)
    await alice.says(HELD)
    if after == "tools":
        await expect(alice.tool("running").first).to_be_visible()
    elif after == "reply":
        held.release()
        await alice.sees(alice.page.locator(".words.writing"), "all three")
    await alice.page.reload()
    held.release()
    await alice.sees(alice.replies, "all three are done all three")
    await expect(alice.turns).to_have_count(2)
    await expect(alice.page.locator(".words.mine")).to_have_count(2)
    await expect(alice.tool("done")).to_have_count(3)
    unanswered = await alice.page.evaluate("() => JSON.stringify(sessionStorage)")
    assert HELD not in unanswered


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


@asynccontextmanager
async def held_back(person: Person, path: str) -> AsyncIterator[list[str]]:
    """Hold this page's requests to a path back while the block runs. Yields the ones that have come."""
    come, let = list[str](), asyncio.Event()

    async def hold(route: Route) -> None:
        come.append(route.request.post_data or "")
        await let.wait()
        with suppress(Error):  # The page was reloaded, and the request is gone.
            await route.continue_()

    await person.page.route(path, hold)
    try:
        yield come
    finally:
        let.set()
        await person.page.unroute(path, hold)


async def any_of(requests: list[str]) -> bool:
    """Return whether one of the requests that are held back has come."""
    return bool(requests)


async def test_answer_to_a_question_is_given_once_by_keyboard_and_with_a_reload(alice: Person) -> None:
    await alice.says("three at once")
    await alice.sees(alice.replies, "all three are done")
    await alice.says("pay Bob")
    yes = alice.button("Yes, do this")
    async with held_back(alice, "**/confirm"):
        await yes.focus()
        await alice.page.keyboard.press("Enter")
        await expect(yes).to_be_disabled()
        await expect(alice.page.get_by_role("region", name="Messages")).to_be_focused()
        await alice.page.reload()
        # It is sent again, so nothing else can be answered.
        await expect(yes).to_be_disabled()
        await expect(alice.button("No")).to_be_disabled()
    await alice.sees(alice.replies, "The money is on its way.")
    await expect(alice.page.locator(".words.mine")).to_have_text(["three at once", "pay Bob", "Yes."])


async def test_messages_are_sent_one_after_another_and_stay_until_they_are_taken(
    alice: Person, console: Console
) -> None:
    await greets(alice)
    elsewhere = console.gateway.visitor("alice", session=await alice.session())
    waiting = alice.page.locator(".sending .mine")
    async with held_back(alice, "**/messages") as come:
        await alice.says("hello\u200b again")
        await alice.says("tell me a lot")
        await console.laboratory.until(lambda: any_of(come))
        assert (await elsewhere.says("hello")).status == 200
        await expect(alice.replies).to_have_count(2)
        await expect(waiting).to_have_count(2)
        assert [json.loads(each)["text"] for each in come] == ["hello\u200b again"]
    await expect(waiting).to_have_count(0)
    await expect(alice.page.locator(".words.mine")).to_have_text(["hello", "hello", "hello again", "tell me a lot"])
    # A message that is too long is not lost.
    long = "€" * 3000
    await alice.says(long)
    await expect(alice.page.get_by_role("alert")).to_contain_text("The limit is")
    await alice.button("Change").click()
    await expect(alice.page.get_by_label("Your message")).to_have_value(long)
    await expect(alice.page.locator(".sending")).to_have_count(0)


@pytest.mark.slow
async def test_hidden_tab_gives_its_connection_back(alice: Person, console: Console) -> None:
    await alice.page.clock.install()
    await alice.page.reload()
    await greets(alice)

    async def watches(count: int) -> bool:
        return f"switchboard_gateway_viewers {count}.0" in (await console.gateway.metrics()).splitlines()

    async def hide(hidden: bool) -> None:
        script = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true }); "
        await alice.page.evaluate(script + "document.dispatchEvent(new Event('visibilitychange')) }", hidden)

    await console.laboratory.until(lambda: watches(1))
    await hide(True)
    await alice.page.clock.fast_forward(30_000)
    assert await watches(1)
    await alice.page.clock.fast_forward(31_000)
    await console.laboratory.until(lambda: watches(0))
    elsewhere = console.gateway.visitor("alice", session=await alice.session())
    assert (await elsewhere.says("tell me a lot")).status == 200
    await alice.page.clock.fast_forward(60_000)
    assert await watches(0)
    await hide(False)
    await alice.sees(alice.replies, "word word")
    await expect(alice.page.locator("#connection")).to_be_empty()


@pytest.mark.slow
async def test_proxy_that_holds_events_back_delays_messages_and_loses_none(alice: Person, console: Console) -> None:
    await alice.page.clock.install()
    await alice.page.reload()
    async with held_back(alice, "**/events*"):
        await greets(alice)
        elsewhere = console.gateway.visitor("alice", session=await alice.session())
        assert (await elsewhere.says("tell me a lot")).status == 200
        await alice.page.clock.fast_forward(10_000)
        await alice.sees(alice.replies, "word word")
        await expect(alice.page.locator("#connection")).to_contain_text("Live updates do not arrive")
    await alice.page.clock.fast_forward(20_000)
    await expect(alice.page.locator("#connection")).to_be_empty()
    await expect(alice.turns).to_have_count(2)


async def test_hostile_stored_ids_open_nothing(console: Console) -> None:
    async with console.customer() as person:
        await expect(person.button("New conversation")).to_be_visible()
        for session in ("../../staff", "javascript:alert(1)", "<b>x</b>"):
            stored = json.dumps([{"id": session, "title": "<b>old</b>", "at": "x"}])
            key = "switchboard.sessions.alice"
            await person.page.evaluate("([k, v]) => localStorage.setItem(k, v)", [key, stored])
            await person.page.evaluate("v => sessionStorage.setItem('switchboard.open', v)", session)
            await person.page.reload()
            await expect(person.page.get_by_role("heading", name="How can we help?")).to_be_visible()
            await expect(person.page.locator("#sessions li")).to_have_count(0)


async def test_customer_interrupts_and_rates_a_reply(alice: Person, console: Console) -> None:
    await alice.says("three at once")
    await alice.sees(alice.replies, "all three are done")
    await alice.says("slowly please")
    await expect(alice.tool("running")).to_have_count(1)
    await alice.button("Stop").click()
    await alice.sees(alice.replies, "Stopped.")
    await expect(alice.page.locator(".tag", has_text="interrupted")).to_be_visible()
    helpful = alice.button("Helpful").first
    await helpful.click()
    await expect(helpful).to_have_attribute("aria-pressed", "true")
    await alice.rated(console, 1, "up")
    await alice.page.reload()
    await expect(helpful).to_have_attribute("aria-pressed", "true")
    await alice.button("Not helpful").first.click()
    await alice.rated(console, 1, "down")
    await expect(helpful).to_have_attribute("aria-pressed", "false")


async def test_connection_that_breaks_is_resumed(console: Console, held: Held) -> None:
    await console.laboratory.model.plays(held.scene(), *SCENES)
    async with open_line(console.gateway.ports.http) as line, console.customer(url=line.url) as alice:
        await greets(alice)
        await alice.says(HELD)
        await expect(alice.tool("running").first).to_be_visible()
        # A browser that is offline makes no new connections. Those that are open stay so until something breaks them.
        await alice.page.context.set_offline(True)
        line.cut()
        await expect(alice.page.locator("#connection")).to_contain_text("No connection")
        await alice.accessible("offline")
        await alice.page.context.set_offline(False)
        await expect(alice.page.locator("#connection")).to_be_empty()
        # Also after a stream that broke before its first event, the page says which run of the turn it has seen.
        async with alice.page.expect_request(re.compile(r"/events[?]run=\w+$")):
            line.cut()
        held.release()
        await alice.sees(alice.replies, "all three are done all three")
        await expect(alice.page.locator("#connection")).to_be_empty()
        await expect(alice.turns).to_have_count(2)
        await expect(alice.page.locator(".words.mine")).to_have_count(2)


async def test_scripts_in_every_text_are_text(alice: Person, console: Console) -> None:
    await alice.says("three at once")
    await alice.sees(alice.replies, "all three are done")
    await alice.says(HOSTILE)
    card = alice.page.get_by_role("region", name="Please confirm")
    await expect(card).to_contain_text("<img src=x")
    await alice.button("Yes, do this").click()
    await alice.sees(alice.replies, "The money is on its way.")
    await alice.says("hostile")
    await alice.sees(alice.replies, "<script>")
    assert await alice.page.title() == "Switchboard"
    assert await alice.page.locator(".log img, .log script, .log h1, #question img, #side img").count() == 0
    await alice.accessible("hostile")


async def test_conversations_are_listed_and_found(alice: Person) -> None:
    for text in ("hello", "tell me a lot"):
        await alice.button("New conversation").click()
        await alice.says(text)
        await expect(alice.replies).to_have_count(1)
    names = alice.page.locator("#sessions .title")
    await expect(names).to_have_text(["tell me a lot", "hello"])
    await alice.page.get_by_label("Search").fill("HELL")
    await expect(names).to_have_text(["hello"])
    await names.first.click()
    await alice.sees(alice.replies, "Hello to you.")
    await alice.page.get_by_label("Search").fill("nothing")
    await expect(alice.page.locator("#none")).to_have_text("No conversation with these words.")


@pytest.mark.slow
async def test_long_conversation_loads_in_pages(alice: Person, console: Console) -> None:
    await alice.says("hello")
    await expect(alice.replies).to_have_count(1)
    elsewhere = console.gateway.visitor("alice", session=await alice.session())
    for _ in range(TURNS_A_PAGE + 1):
        assert (await elsewhere.says("hello")).status == 200
    await expect(alice.replies).to_have_count(TURNS_A_PAGE + 2)
    await alice.page.reload()
    await expect(alice.turns).to_have_count(TURNS_A_PAGE)
    await alice.button("Show earlier messages").click()
    await expect(alice.turns).to_have_count(TURNS_A_PAGE + 2)
    await expect(alice.button("Show earlier messages")).to_be_hidden()


async def test_phone_shows_everything_in_its_width(console: Console) -> None:
    await console.laboratory.model.plays(*SCENES)
    async with console.customer(viewport=PHONE, has_touch=True) as person:
        await person.says("three at once")
        await person.sees(person.replies, "all three are done")
        await person.says(UNBROKEN)
        await expect(person.replies).to_have_count(2)
        await person.says("pay Bob")
        await expect(person.page.get_by_role("region", name="Please confirm")).to_be_visible()
        assert await person.page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
        await person.accessible("phone")
        await person.button("Conversations").click()
        await expect(person.button("New conversation")).to_be_visible()
        await person.accessible("phone-list")
        await person.page.keyboard.press("Escape")
        await expect(person.button("New conversation")).to_be_hidden()


@pytest.mark.slow
async def test_times_are_in_the_readers_zone(console: Console) -> None:
    await console.laboratory.model.plays(*SCENES)
    texts = {}
    for zone in ("Asia/Tokyo", "America/New_York"):
        async with console.customer(timezone_id=zone, locale="en-GB") as person:
            await person.says("hello")
            await expect(person.replies).to_have_count(1)
            at = person.page.locator(".tail time")
            texts[zone] = int(str(await at.text_content()).split(":")[0])
            assert re.search("Z|00:00", str(await at.get_attribute("datetime")))
    assert (texts["Asia/Tokyo"] - texts["America/New_York"]) % 24 in {12, 13, 14}


async def test_two_pages_of_one_conversation_show_the_same(alice: Person, console: Console, held: Held) -> None:
    await alice.says("hello")
    await expect(alice.replies).to_have_count(1)
    other = await alice.page.context.new_page()
    second = Person(other, console.gateway.ports.url)
    await second.signs_in("alice")
    await other.locator("#sessions .session").first.click()
    await expect(second.replies).to_have_count(1)
    await alice.says(HELD)
    await expect(second.tool("running").first).to_be_visible()
    held.release()
    await asyncio.gather(
        alice.sees(alice.replies, "all three are done"), second.sees(second.replies, "all three are done")
    )

    async def same() -> bool:
        first, other = [await page.locator("#turns").inner_text() for page in (alice.page, second.page)]
        return first == other

    await console.laboratory.until(same)


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

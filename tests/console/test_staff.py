"""Staff at the console: approvals, take-over, and a look into a turn."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from playwright.async_api import expect

from switchboard.session_ids import public_part
from switchboard.testing import calls, says, scene
from tests.console.browser import PHONE, Console, Person
from tests.console.test_customers import HELD, HOSTILE, SCENES, TO_PROBE, Held, any_of, greets, held, held_back

__all__ = ["held"]

TO_BANK = calls(("handoff_to_Bank", {"reason": "a loan"}))


@pytest.fixture
async def alice(console: Console, held: Held) -> AsyncIterator[Person]:
    """A customer who can ask for a loan with a purpose that no other request has, and for a person."""
    purpose = f"kitchen {uuid4().hex[:8]} {HOSTILE}"
    loan = {"amount": "8000", "term_months": 48, "purpose": purpose}
    await console.laboratory.model.plays(
        scene("a loan", TO_BANK, calls(("apply_for_loan", loan))),
        scene("a person please", TO_PROBE, says("One moment.")),
        scene("are you a machine?", says("Yes, the agents answer again.")),
        held.scene(),
        *SCENES,
    )
    async with console.customer("alice", locale="en-US") as person:
        person.said = purpose
        yield person


async def opens(staff: Person, session: str) -> None:
    """Open a conversation from the list."""
    await staff.page.get_by_role("link", name="Conversations").click()
    await staff.page.get_by_role("link", name=public_part(session), exact=True).click()


PAYMENTS = ('paid {"to":"Bob","amount":"5"}', 'paid {"to":"Eve","amount":"7"}')


async def finds(staff: Person, session: str) -> None:
    """Open a conversation by its customer and a part of its id."""
    await staff.page.get_by_role("link", name="Conversations").click()
    for customer in ("bob", "alice"):
        await staff.page.get_by_label("Customer").fill(customer)
        await staff.page.get_by_label("Part of the conversation's id").fill(public_part(session)[3:])
        await staff.button("Search").click()
        links = staff.page.get_by_role("cell").get_by_role("link")
        await expect(links).to_have_count(1 if customer == "alice" else 0)
    await links.click()


async def test_walk_with_reloads_everywhere(alice: Person, console: Console, held: Held) -> None:
    """A customer and staff reload their pages at every step. Nothing that was said or paid is lost or done twice."""
    before = [console.laboratory.probed(line) for line in PAYMENTS]
    await watches_and_pays(alice, held)
    await interrupts_and_rates(alice, console)
    await alice.says("a loan")
    await alice.button("Yes, do this").click()
    await alice.sees(alice.replies, "on its way")
    async with console.staff() as mia:
        await approves(mia, alice.said[:16], "Welcome to your kitchen.")
        await alice.sees(alice.page.locator(".words.notice"), "Welcome to your kitchen.")
        await answers_in_person(mia, alice)
    await alice.page.reload()
    await alice.says("are you a machine?")
    await alice.sees(alice.replies, "the agents answer again")
    said = [
        "hello",
        HELD,
        "pay Bob",
        "Yes.",
        "pay Eve",
        "No.",
        "slowly please",
        "a loan",
        "Yes.",
        "thank you",
    ]
    await expect(alice.page.locator(".words.mine")).to_have_text([*said, "are you a machine?"])
    assert [console.laboratory.probed(line) for line in PAYMENTS] == [before[0] + 1, before[1]]


async def watches_and_pays(alice: Person, held: Held) -> None:
    """Watch three tools, confirm a payment, decline another one."""
    card = alice.page.get_by_role("region", name="Please confirm")
    await greets(alice)
    await alice.says(HELD)
    await expect(alice.tool("running").first).to_be_visible()
    await alice.page.reload()
    held.release()
    await alice.sees(alice.replies, "all three are done")
    await expect(alice.tool("done")).to_have_count(3)
    await alice.says("pay Bob")
    await expect(card).to_contain_text("Bob")
    await alice.page.reload()
    await alice.button("Yes, do this").click()
    await alice.page.reload()
    await alice.sees(alice.replies, "The money is on its way.")
    await alice.says("pay Eve")
    await expect(card).to_contain_text("Eve")
    await alice.page.reload()
    await alice.button("No").click()
    await alice.page.reload()
    await alice.sees(alice.replies, "Okay, I won't do that.")


async def interrupts_and_rates(alice: Person, console: Console) -> None:
    await alice.says("slowly please")
    await expect(alice.tool("running")).to_have_count(1)
    await alice.page.reload()
    # While a turn is suspended, no process can tell a new viewer about its tools.
    await alice.sees(alice.page.locator(".words.mine"), "slowly please")
    await alice.button("Stop").click()
    await alice.page.reload()
    await expect(alice.page.locator(".tag", has_text="interrupted")).to_be_visible()
    await alice.button("Helpful").first.click()
    await alice.rated(console, 1, "up")
    await alice.page.reload()
    await expect(alice.button("Helpful").first).to_have_attribute("aria-pressed", "true")


async def approves(staff: Person, words: str, reason: str) -> None:
    """Approve the request with these words."""
    request = staff.page.get_by_role("article").filter(has_text=words)
    await expect(request).to_contain_text("8,000.00 EUR")
    await staff.page.reload()
    await expect(request).to_contain_text("Decide by")
    await expect(request).to_contain_text("<script>")
    await staff.accessible("approvals")
    await request.get_by_role("button", name="Approve").click()
    await expect(request.get_by_role("alert")).to_have_text("Please write this text first.")
    await request.get_by_label("Reason").fill(reason)
    await request.get_by_role("button", name="Approve").click()
    # The button is gone, and the focus is where it was.
    await expect(request.get_by_role("status")).to_be_focused()


async def answers_in_person(staff: Person, alice: Person) -> None:
    """Take the conversation over, write, read an answer, hand back."""
    await opens(staff, await alice.session())
    await staff.button("Take over").click()
    await expect(alice.page.locator("#who")).to_have_text("A person from our staff answers")
    await staff.page.reload()
    await staff.page.get_by_label("Your message to the customer").fill("Congratulations from me.")
    await staff.button("Send").click()
    await alice.page.reload()
    await alice.sees(alice.page.locator(".words.person"), "Congratulations from me.")
    await alice.says("thank you")
    await staff.page.reload()
    await staff.sees(staff.page.locator(".words.mine"), "thank you")
    await staff.button("Hand back to the agents").click()
    await expect(staff.button("Take over")).to_be_visible()


async def test_staff_take_over_write_and_hand_back(alice: Person, console: Console) -> None:
    await alice.says("a person please")
    await alice.sees(alice.replies, "One moment.")
    session = await alice.session()
    async with console.staff() as mia, console.staff("noah") as noah:
        await opens(mia, session)
        await mia.sees(mia.replies, "One moment.")
        await mia.accessible("conversation")
        await mia.button("Take over").click()
        await expect(alice.page.locator("#who")).to_have_text("A person from our staff answers")
        await expect(mia.page.get_by_label("Your message to the customer")).to_be_focused()
        words = mia.page.get_by_label("Your message to the customer")
        await words.fill(HOSTILE)
        async with held_back(mia, "**/messages") as come:
            for _ in range(3):
                await words.press("Enter")
            await expect(mia.button("Send")).to_be_disabled()
            await console.laboratory.until(lambda: any_of(come))
            assert len(come) == 1
        await alice.sees(alice.page.locator(".words.person"), "<script>")
        await alice.says("thank you")
        await expect(mia.page.locator(".words.mine").last).to_have_text("thank you")
        await noah.page.goto(mia.page.url)
        await expect(noah.button("Take over from mia")).to_be_visible()
        await expect(noah.page.get_by_label("Your message to the customer")).to_have_count(0)
        await mia.page.get_by_label("Note for colleagues").fill("Knows her way around.")
        await mia.button("Add note").click()
        await expect(mia.page.locator(".notebook")).to_contain_text("Knows her way around.")
        await mia.accessible("taken-over")
        await mia.page.reload()
        await mia.page.get_by_label("Note for the agents").fill("She only wanted to say hello.")
        await mia.button("Hand back to the agents").click()
        await expect(mia.button("Take over")).to_be_visible()
        await loses_no_words(noah, mia)
    await expect(alice.page.locator("#who")).not_to_contain_text("person")
    await alice.says("are you a machine?")
    await alice.sees(alice.replies, "the agents answer again")
    assert "Knows her way" not in await alice.page.locator("#turns").inner_text()
    assert await alice.page.title() == "Switchboard"


async def loses_no_words(one: Person, colleague: Person) -> None:
    """Begin to write, and lose the conversation to a colleague, who hands it back."""
    await one.button("Take over").click()
    await one.page.get_by_label("Your message to the customer").fill("I was about to write")
    await colleague.button(f"Take over from {one.name}").click()
    lost = f"{colleague.name} answers now. This was not sent: I was about to write"
    await one.sees(one.page.get_by_role("alert"), lost)
    await colleague.button("Hand back to the agents").click()
    await expect(colleague.button("Take over")).to_be_visible()


async def test_staff_watch_a_turn_and_look_into_it(alice: Person, console: Console, held: Held) -> None:
    await alice.says("hello")
    await expect(alice.replies).to_have_count(1)
    session = await alice.session()
    async with console.staff() as mia:
        await finds(mia, session)
        await expect(mia.replies).to_have_count(1)
        await alice.says(HELD)
        await expect(mia.tool("running").first).to_be_visible()
        held.release()
        await mia.sees(mia.replies, "all three are done")
        await alice.says("refuse it")
        await mia.sees(mia.replies, "That is not allowed.")
        await mia.page.get_by_role("link", name="Inspect turn 2").click()
        spans = mia.page.locator(".span")
        await expect(spans.filter(has_text="ProbeTools.hold")).to_have_count(3)
        await expect(spans.filter(has_text="Agent Probe")).to_contain_text(re.compile(r"\d ms|\d s"))
        link = mia.page.get_by_role("link", name="Invocation in the Restate UI")
        await expect(link).to_have_attribute("href", re.compile(r"/ui/invocations/inv_\w+$"))
        await expect(mia.page.get_by_text(re.compile(r"\d in, \d+ out")).first).to_be_visible()
        await mia.accessible("inspector")
        await mia.page.get_by_role("link", name="Next turn").click()
        await expect(mia.page.get_by_role("heading", name="Refusals")).to_be_visible()
        await expect(mia.page.locator(".item", has_text="against the rules").first).to_be_visible()


async def test_staff_pages_fit_a_phone(alice: Person, console: Console) -> None:
    await alice.says("hello")
    await expect(alice.replies).to_have_count(1)
    session = public_part(await alice.session())
    async with console.staff(viewport=PHONE, has_touch=True) as mia:
        views = {
            "approvals": mia.page.get_by_role("heading", name="Requests for approval"),
            "cases": mia.page.get_by_role("heading", name="Open cases"),
            "sessions": mia.page.get_by_role("link", name=session, exact=True),
            f"sessions/{session}": mia.page.get_by_role("link", name="Inspect turn 1"),
            f"sessions/{session}/turns/1": mia.page.get_by_role("heading", name="Timeline"),
        }
        for path, loaded in views.items():
            await mia.page.goto(f"{mia.url}#/{path}")
            await expect(loaded).to_be_visible()
            assert await mia.page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"], path
            await mia.accessible(f"phone-staff-{path.replace(session, 'one').replace('/', '-')}")


async def test_address_of_another_view_shows_no_script(console: Console) -> None:
    async with console.staff() as mia:
        await mia.page.goto(f"{mia.url}#/sessions/%3Cimg%20src=x%20onerror=document.title=1%3E")
        await expect(mia.page.get_by_role("alert")).to_be_visible()
        assert await mia.page.title() == "Switchboard for staff"

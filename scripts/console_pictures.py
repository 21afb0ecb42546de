"""Takes the pictures of the console for docs/images, with the Chromium that `make test` installs.

`python -m scripts.console_pictures` opens the pages of a mesh that `make up` has just started. Look at the pictures
before you commit them.
"""

import argparse
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from switchboard.local.observe import find_tool

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
ADDRESS = "http://127.0.0.1:8000"
WIDTH = 960
PATIENCE_MS = 60_000

QUESTIONS = (
    "which loans do I have?",
    "how much can my bag weigh?",
    "what is my balance, how much did I spend on groceries last month and which loans do I have?",
)
"""Each begins a conversation."""

APPLICATION = ("I want to apply for a loan of 8000 EUR over 48 months", "a new kitchen")


def opened(browser: Browser, address: str, name: str, height: int, colours: str = "light") -> Page:
    """Open a page of the console in a window of its own, and sign in."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": height},
        color_scheme="dark" if colours == "dark" else "light",
        locale="en-US",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(address)
    page.locator("#name").fill(name)
    page.get_by_role("button", name="Sign in").click()
    return page


def says(page: Page, text: str) -> None:
    """Send a message and wait for its reply."""
    replies = page.locator(".words.reply")
    before = replies.count()
    page.get_by_label("Your message").fill(text)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(replies).to_have_count(before + 1)


def customer(browser: Browser, address: str) -> None:
    """A conversation up to the card that asks for a yes. The yes then sends a request to staff."""
    page = opened(browser, address, "alice", height=640)
    for question in QUESTIONS:
        page.get_by_role("button", name="New conversation").click()
        says(page, question)
    for text in APPLICATION:
        says(page, text)
    yes = page.get_by_role("button", name="Yes, do this")
    expect(yes).to_be_visible()
    page.screenshot(path=FOLDER / "console.png")
    yes.click()
    expect(yes).to_have_count(0)
    expect(page.locator(".words.reply").last).to_contain_text("was received")


def staff(browser: Browser, address: str) -> None:
    """The request in dark, and the timeline of the turn whose tools ran side by side."""
    page = opened(browser, f"{address}/staff", "mia", height=700, colours="dark")
    expect(page.get_by_role("article")).to_have_count(1)
    page.screenshot(path=FOLDER / "console-staff.png")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": WIDTH, "height": 800})
    page.get_by_role("link", name="Conversations").click()
    page.get_by_role("cell").get_by_role("link").first.click()
    page.get_by_role("link", name="Inspect turn 1", exact=True).click()
    expect(page.locator(".span").first).to_be_visible()
    page.screenshot(path=FOLDER / "console-turn.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="?", default=ADDRESS, help=f"of the gateway; {ADDRESS} unless it is given")
    address = parser.parse_args().address
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        # Its own sandbox needs user namespaces, which root has not in a container. It only opens pages of this mesh.
        browser = playwright.chromium.launch(executable_path=find_tool("chromium"), args=["--no-sandbox"])
        customer(browser, address)
        staff(browser, address)
        browser.close()


if __name__ == "__main__":
    main()

"""The console in a real Chromium: people who open its pages, and what they see."""

import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright, expect

from switchboard.local.gateway import console_environment
from tests.gateway.front import Gateway, open_gateway
from tests.laboratory import Laboratory
from tests.parts import PROJECT, need, need_tool

SECONDS = 1000
PATIENCE = 180 * SECONDS
"""How long a page may take to show something: a mesh that replays at every await is slow."""

AXE = PROJECT / "node_modules/axe-core/axe.min.js"
RULES = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    # The same page in other colours.
    "dark": {"type": "rule", "values": ["color-contrast"]},
}

SCREENSHOTS = "CONSOLE_SCREENSHOTS"
"""A folder for pictures of the pages, to be looked at."""

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1200, "height": 800}

MISSING = re.compile("Failed to load resource")
"""What a browser writes for every response of 400 and more."""

expect.set_options(timeout=PATIENCE)


@dataclass
class Person:
    """A person with a page of the console. `errors` are the page's own errors, and violations of its policy."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    name: str = ""
    said: str = ""

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _hear(self, message: Any) -> None:
        if message.type == "error" and not MISSING.search(message.text):
            self.errors.append(message.text)

    async def signs_in(self, name: str) -> None:
        """Sign in to the local mesh, as a customer or, at `/staff`, as a staff member."""
        self.name = name
        await self.page.goto(self.url)
        await self.page.locator("#name").fill(name)
        await self.page.get_by_role("button", name="Sign in").click()

    async def says(self, text: str) -> None:
        await self.page.get_by_label("Your message").fill(text)
        await self.page.get_by_role("button", name="Send", exact=True).click()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def turns(self) -> Locator:
        return self.page.locator(".turn")

    @property
    def replies(self) -> Locator:
        return self.page.locator(".words.reply")

    def tool(self, state: str) -> Locator:
        return self.page.locator(f".tool[data-state={state}]")

    async def sees(self, locator: Locator, text: str) -> None:
        await expect(locator.last).to_contain_text(text)

    async def session(self) -> str:
        return str(await self.page.evaluate("() => sessionStorage.getItem('switchboard.open')"))

    async def rated(self, console: "Console", turn: int, rating: str) -> None:
        """Wait until the mesh has stored the customer's rating of a turn."""
        customer = console.gateway.visitor(self.name, session=await self.session())

        async def stored() -> bool:
            turns = (await customer.gets(f"transcript?after={turn - 1}&limit=1")).body["turns"]
            return bool(turns[0].get("rating", {}).get("rating") == rating)

        await console.laboratory.until(stored)

    async def accessible(self, state: str) -> None:
        """Assert that axe finds no fault in the page as it is, in light and in dark, and take a picture of both."""
        for scheme, rules in RULES.items():
            await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            if not await self.page.evaluate("() => 'axe' in window"):
                await evaluate(self.page, AXE.read_text(encoding="utf-8"))
            options = json.dumps({"runOnly": rules})
            found = json.loads(await evaluate(self.page, f"axe.run(document, {options}).then(JSON.stringify)"))
            faults = [(fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in found["violations"]]
            assert faults == [], (state, scheme)
            await self.picture(f"{state}-{scheme}")

    async def picture(self, name: str) -> None:
        folder = os.environ.get(SCREENSHOTS)
        if folder:
            await self.page.screenshot(path=Path(folder) / f"{name}.png")


async def evaluate(page: Page, script: str) -> Any:
    """Run a script as the browser's developer tools do, which the page's policy does not concern."""
    session = await page.context.new_cdp_session(page)
    answer = await session.send("Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True})
    assert "exceptionDetails" not in answer, answer["exceptionDetails"]
    return answer["result"].get("value")


@dataclass
class Console:
    """A gateway that serves the console, and a browser."""

    gateway: Gateway
    browser: Browser

    @property
    def laboratory(self) -> Laboratory:
        return self.gateway.laboratory

    @asynccontextmanager
    async def person(
        self, path: str = "/", viewport: dict[str, int] = DESK, url: str = "", **more: Any
    ) -> AsyncIterator[Person]:
        """Open a page in a browser of its own, at another address if `url` is given. It must have had no errors."""
        context: BrowserContext = await self.browser.new_context(viewport=viewport, **more)  # type: ignore[arg-type]
        person = Person(await context.new_page(), (url or self.gateway.ports.url) + path)
        try:
            yield person
        except BaseException:
            await person.picture("failed")
            raise
        finally:
            await context.close()
        assert person.errors == []

    @asynccontextmanager
    async def customer(self, name: str = "alice", **more: Any) -> AsyncIterator[Person]:
        async with self.person("/", **more) as person:
            await person.signs_in(name)
            yield person

    @asynccontextmanager
    async def staff(self, name: str = "mia", **more: Any) -> AsyncIterator[Person]:
        async with self.person("/staff", **more) as person:
            await person.signs_in(name)
            await expect(person.page.get_by_role("navigation", name="Sections")).to_be_visible()
            yield person


@pytest.fixture(scope="package")
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium, which the tests share."""
    path = need_tool("chromium", "Chromium")
    need("axe-core", AXE.exists() or None, "`make setup` installs it with npm")
    async with async_playwright() as playwright:
        # Its own sandbox needs user namespaces, which root has not in a container. It only opens pages of this mesh.
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture(scope="package")
async def console(
    laboratory: Laboratory, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Console]:
    """The console of a local mesh, with the sign-in that only such a mesh has."""
    environment = console_environment(("alice", "bob"), f"{laboratory.mesh.addresses.admin_url}/ui/", "")
    async with open_gateway(laboratory, tmp_path_factory.mktemp("console"), environment) as gateway:
        yield Console(gateway, chromium)

"""Web pages in a browser on the machine of a local mesh: none but Restate's own UI can use Restate's ports."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import ViewportSize, async_playwright, expect

from switchboard.local.process import free_ports
from tests.attacks.mesh import VICTIM, VICTIMS_SESSION, Attacked
from tests.parts import at_night, need

EVIL = "evil.example"
ACT = "/StaffDoor/act"
"""A handler that the ingress does not hide. It refuses what is not signed, but each call is an invocation."""

QUERY = json.dumps({"query": "SELECT * FROM state"})
REGISTER = json.dumps({"uri": "http://127.0.0.1:9"})
SEND = json.dumps({"customer_id": VICTIM, "text": "yes"})

REQUESTS = {
    "ingress: a message": ("ingress", "POST", f"/Session/{VICTIMS_SESSION}/send", SEND),
    "ingress: a call": ("ingress", "POST", ACT, "{}"),
    "ingress: a call without a body": ("ingress", "GET", ACT, None),
    "ingress: the names of all services": ("ingress", "GET", "/restate/health", None),
    "admin: a query of all state": ("admin", "POST", "/query", QUERY),
    "admin: a deployment": ("admin", "POST", "/deployments", REGISTER),
    "admin: a kill": ("admin", "PATCH", "/invocations/inv_1/kill", None),
    "admin: a purge": ("admin", "DELETE", "/invocations/inv_1?mode=Purge", None),
    "admin: the services": ("admin", "GET", "/services", None),
    "node: the metrics": ("node", "GET", "/metrics", None),
}
"""A port, a method, a path and a body."""

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "x" * 24,
    "Sec-WebSocket-Version": "13",
}

PAGES: Mapping[str, Mapping[str, str]] = {
    "foreign page": {"Origin": f"https://{EVIL}", "Sec-Fetch-Site": "cross-site"},
    "foreign page in an old browser": {"Origin": f"https://{EVIL}"},
    "page without an origin": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "simple request": {"Origin": f"https://{EVIL}", "Content-Type": "text/plain", "Sec-Fetch-Mode": "no-cors"},
    "image or link": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    "page of another port": {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
    "rebound name": {"Host": "{name}:{port}", "Origin": "http://{name}:{port}", "Sec-Fetch-Site": "same-origin"},
    "rebound name without an origin": {"Host": "{name}:{port}"},
    "preflight": {"Origin": f"https://{EVIL}", "Access-Control-Request-Method": "POST"},
    "WebSocket": {"Origin": f"https://{EVIL}", **UPGRADE},
}
"""The headers of a browser. In those of a rebound name, the name and the port are filled in."""


def url_of(attacked: Attacked, port: str) -> str:
    return f"http://127.0.0.1:{getattr(attacked.laboratory.mesh.addresses.restate, port)}"


async def send(
    attacked: Attacked, request: tuple[str, str, str, str | None], headers: Mapping[str, str]
) -> tuple[int, str, list[str]]:
    """Return status, text and the names of CORS headers."""
    port, method, path, body = request
    sent = {"Content-Type": "application/json", "Accept": "application/json", **headers}
    async with attacked.laboratory.http.request(
        method, url_of(attacked, port) + path, data=body, headers=sent
    ) as response:
        cors = [name for name in response.headers if name.lower().startswith("access-control-")]
        return response.status, await response.text(), cors


async def registered(attacked: Attacked) -> object:
    """Return all deployments, and the ids of all calls of ACT."""
    admin = attacked.laboratory.mesh.admin
    deployments = await admin.query("SELECT id, endpoint FROM sys_deployment ORDER BY id")
    return deployments, await admin.query(f"SELECT id FROM sys_invocation WHERE target = '{ACT[1:]}' ORDER BY id")


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_no_web_page_can_use_a_port_of_restate(
    attacked: Attacked, request_: tuple[str, str, str, str | None]
) -> None:
    before = await registered(attacked)
    async with attacked.nothing_changes():
        for page, headers in PAGES.items():
            port = url_of(attacked, request_[0]).rpartition(":")[2]
            filled = {name: value.format(name=EVIL, port=port) for name, value in headers.items()}
            method = "OPTIONS" if page == "preflight" else request_[1]
            status, text, cors = await send(attacked, (request_[0], method, *request_[2:]), filled)
            assert (status, cors) == (403, []), page
            assert json.loads(text)["message"].startswith("Refused: "), page
    assert await registered(attacked) == before


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_clients_without_a_browser_reach_restate(
    attacked: Attacked, request_: tuple[str, str, str, str | None]
) -> None:
    status, text, _ = await send(attacked, request_, {})
    assert status not in (403, 502), text


async def test_restate_listens_on_no_port(attacked: Attacked) -> None:
    restate = psutil.Process(attacked.laboratory.mesh.restate.pid)
    listening = [each for each in restate.net_connections("inet") if each.status == psutil.CONN_LISTEN]
    assert listening == []


async def test_restates_ui_can_call_the_ingress(attacked: Attacked) -> None:
    origin = url_of(attacked, "admin")
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-site"}
    status, _, cors = await send(attacked, REQUESTS["ingress: the names of all services"], headers)
    assert status == 200
    assert "Access-Control-Allow-Origin" in cors


PAGE = """<!doctype html><script>
const targets = TARGETS, act = ACT, found = {};
async function attempt(name, action) {
  try { found[name] = String(await action()); } catch (error) { found[name] = "failed: " + error.name; }
}
async function all() {
  for (const [port, url] of Object.entries(targets)) {
    const post = (body, more) => fetch(url + act, {method: "POST", body, ...more});
    await attempt(port + " read", async () => (await fetch(url + "/health")).status);
    await attempt(port + " simple", async () => (await post("{}", {mode: "no-cors"})).type);
    await attempt(port + " json", async () =>
      (await post("{}", {headers: {"content-type": "application/json"}})).status);
    await attempt(port + " beacon", async () => navigator.sendBeacon(url + act, "{}"));
    await attempt(port + " image", () => new Promise(done => {
      const image = new Image(); image.onload = () => done("loaded"); image.onerror = () => done("failed");
      image.src = url + act;
    }));
    await attempt(port + " socket", () => new Promise(done => {
      const socket = new WebSocket(url.replace("http", "ws") + act);
      socket.onopen = () => done("open"); socket.onerror = () => done("failed");
    }));
  }
  await fetch("/found", {method: "POST", body: JSON.stringify(found)});
}
all();
</script>"""

READS = ("read", "json", "socket", "image")
"""What a page would learn something from. The others are sent without an answer."""

CHROMIUM = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage")
SMALL: ViewportSize = {"width": 400, "height": 300}
BROWSER_SECONDS = 180

EVIL_IS_LOCAL = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"


def chromium(folder: Path, *options: str) -> list[str]:
    return [*CHROMIUM, f"--user-data-dir={folder}", EVIL_IS_LOCAL, *options]


@asynccontextmanager
async def foreign_page(attacked: Attacked) -> AsyncIterator[tuple[str, "asyncio.Future[dict[str, str]]"]]:
    """Serve a page of another site that tries to use the mesh. Yields its URL, and what it will have found."""
    found: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
    targets = {port: url_of(attacked, port) for port in ("ingress", "admin")}

    async def page(_: web.Request) -> web.Response:
        text = PAGE.replace("TARGETS", json.dumps(targets)).replace("ACT", json.dumps(ACT), 1)
        return web.Response(text=text, content_type="text/html")

    async def note(request: web.Request) -> web.Response:
        found.set_result(json.loads(await request.text()))
        return web.Response()

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_post("/found", note)
    async with TestServer(app, port=free_ports(1)[0]) as server:
        yield f"http://{EVIL}:{server.port}/", found


async def test_page_in_chromium_reads_nothing_and_calls_nothing(attacked: Attacked, tmp_path: Path) -> None:
    need("chromium", shutil.which("chromium"), "Debian's package chromium has it")
    before = await registered(attacked)
    async with attacked.nothing_changes(), foreign_page(attacked) as (url, found):
        browser = await asyncio.create_subprocess_exec(
            *chromium(tmp_path, "--remote-debugging-port=0", url), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(BROWSER_SECONDS):
                seen = await found
        finally:
            browser.terminate()
            await browser.wait()
    for port in ("ingress", "admin"):
        assert {seen[f"{port} {name}"].partition(":")[0] for name in READS} == {"failed"}, seen
    assert await registered(attacked) == before


@pytest.mark.parametrize(
    ("host", "path", "shown"),
    [
        # The number of services comes from the admin API. Of their names, the page has only those in view.
        ("127.0.0.1", "/ui/overview", r"Services\s*[1-9]"),
        # The proxy's own tests ask it under both names, without a browser.
        *at_night(("localhost", "/ui/overview", r"Services\s*[1-9]")),
        (EVIL, "/ui/", "Refused: "),
    ],
)
async def test_chromium_shows_restates_ui_at_its_own_address_only(
    attacked: Attacked, host: str, path: str, shown: str
) -> None:
    need("chromium", program := shutil.which("chromium"), "Debian's package chromium has it")
    url = url_of(attacked, "admin").replace("127.0.0.1", host) + path
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", EVIL_IS_LOCAL])
        # Chromium draws without a graphics card, and the page moves: a small window takes a third of the time.
        page = await browser.new_page(viewport=SMALL)
        page.set_default_timeout(BROWSER_SECONDS * 1_000)
        await page.goto(url, wait_until="domcontentloaded")
        await expect(page.locator("body")).to_contain_text(re.compile(shown), timeout=BROWSER_SECONDS * 1_000)
        await browser.close()

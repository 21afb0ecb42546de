"""Which requests of a browser a server on this machine accepts."""

import pytest

from switchboard.web_pages import OwnPages

UI_PORT = 9070
PAGES = OwnPages(frozenset({"mesh.example.org"}), UI_PORT)
HOST = ("Host", "127.0.0.1:8080")

ACCEPTED = {
    "a client that is no browser": [HOST],
    "a host name": [("host", "LocalHost:8080")],
    "IPv6": [("Host", "[::1]:8080")],
    "a forwarded port": [("Host", "localhost:18080"), ("Origin", "http://localhost:18080")],
    "the default port": [("Host", "localhost"), ("Origin", "http://localhost")],
    "its own page": [HOST, ("Origin", "http://127.0.0.1:8080"), ("Sec-Fetch-Site", "same-origin")],
    "an address that was typed": [HOST, ("Sec-Fetch-Site", "none")],
    "the UI": [HOST, ("Origin", f"http://127.0.0.1:{UI_PORT}"), ("Sec-Fetch-Site", "same-site")],
    "the UI by its other name": [HOST, ("Origin", f"http://localhost:{UI_PORT}"), ("Sec-Fetch-Site", "cross-site")],
    "a name of this machine": [("Host", "mesh.example.org:8080"), ("Origin", "http://mesh.example.org:8080")],
    "TLS in front of it": [("Host", "mesh.example.org"), ("Origin", "https://mesh.example.org")],
}

REFUSED = {
    "no Host": [],
    "an empty Host": [("Host", "")],
    "another name (DNS rebinding)": [("Host", "evil.example:8080"), ("Origin", "http://evil.example:8080")],
    "another name of the same page": [("Host", "evil.example:8080"), ("Sec-Fetch-Site", "same-origin")],
    "a name that begins like ours": [("Host", "localhost.evil.example:8080")],
    "a name that ends like ours": [("Host", "evil.localhost:8080")],
    "another address": [("Host", "192.168.1.7:8080")],
    "a number of 127.0.0.1": [("Host", "2130706433:8080")],
    "a Host with a user": [("Host", "localhost:8080@evil.example")],
    "two Hosts": [HOST, ("Host", "evil.example")],
    "a foreign Origin": [HOST, ("Origin", "https://evil.example")],
    "an Origin that begins like ours": [HOST, ("Origin", "http://127.0.0.1:8080.evil.example")],
    "the Origin null": [HOST, ("Origin", "null")],
    "an empty Origin": [HOST, ("Origin", "")],
    "two Origins": [HOST, ("Origin", "http://127.0.0.1:8080"), ("Origin", "https://evil.example")],
    "a page of another port": [HOST, ("Origin", "http://127.0.0.1:3000"), ("Sec-Fetch-Site", "same-site")],
    "the other name of its own page": [HOST, ("Origin", "http://localhost:8080"), ("Sec-Fetch-Site", "cross-site")],
    "an image of another site": [HOST, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", "image")],
    "a link of another site": [HOST, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")],
    "an image of another port": [HOST, ("Sec-Fetch-Site", "same-site")],
    "the UI's port at another name": [HOST, ("Origin", f"http://evil.example:{UI_PORT}")],
}


@pytest.mark.parametrize("headers", ACCEPTED.values(), ids=ACCEPTED)
def test_request_of_an_own_page_is_accepted(headers: list[tuple[str, str]]) -> None:
    assert PAGES.refusal(headers) is None


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_request_of_another_page_is_refused(headers: list[tuple[str, str]]) -> None:
    assert (PAGES.refusal(headers) or "").startswith("Refused: ")


def test_page_of_the_ui_port_is_foreign_without_a_ui() -> None:
    headers = [HOST, ("Origin", f"http://127.0.0.1:{UI_PORT}")]
    assert PAGES.refusal(headers) is None
    assert OwnPages().refusal(headers) is not None

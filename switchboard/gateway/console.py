"""Serves the console: static pages for customers and for staff, which use the same API as every other client."""

from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from switchboard.console import FILES
from switchboard.gateway.problems import Problem
from switchboard.gateway.settings import ConsoleSettings

PAGES = {"/": "index.html", "/staff": "staff.html"}
ASSETS = "/console"

TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No code can turn a text into HTML or a script, not even by mistake.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class SignIn(BaseModel):
    """How the pages get a token: from the site that they are part of, from a local mesh's picker, or pasted by hand."""

    sign_in: Literal["site", "local", "paste"]
    token_path: str = ""
    customers: tuple[str, ...] = ()


def add_console(app: FastAPI, settings: ConsoleSettings) -> None:
    """Add the pages and their files to the API."""
    pages = APIRouter(include_in_schema=False)
    for path, name in PAGES.items():
        pages.add_api_route(path, page(name, FILES[name]))

    @pages.get(f"{ASSETS}/sign-in.json")
    async def sign_in() -> Response:
        """Say how the pages get a token."""
        return JSONResponse(sign_in_of(settings).model_dump(), headers=HEADERS)

    @pages.get(ASSETS + "/{name}")
    async def asset(request: Request, name: str) -> Response:
        """Return a file of the pages."""
        if name not in FILES:
            raise Problem(404, "not_found", "The console has no such file.")
        return file_response(name, FILES[name])

    app.include_router(pages)


def sign_in_of(settings: ConsoleSettings) -> SignIn:
    if settings.local_sign_in:
        return SignIn(sign_in="local", token_path=f"{ASSETS}/token", customers=settings.local_sign_in)
    if settings.console_token_path:
        return SignIn(sign_in="site", token_path=settings.console_token_path)
    return SignIn(sign_in="paste")


def page(name: str, content: bytes) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        return file_response(name, content)

    return serve


def file_response(name: str, content: bytes) -> Response:
    return Response(content, media_type=TYPES[name.rpartition(".")[2]], headers=HEADERS)

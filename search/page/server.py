"""The live pages: a read-only server that tells a browser when a search has changed."""

import asyncio
import gzip
import secrets
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from urllib.parse import quote

from aiohttp import web

from architectures.errors import HpsearchError, one_line
from search.history.store import StoreError
from search.page.guard import Guard, policy
from search.page.library import Library, Version
from search.page.page import SCRIPTS, WEB, as_live, embedded, index_page, plotly_script, update_of

POLL_SECONDS = 1.0
_HEARTBEAT_POLLS = 15  # polls without news, after which a sign of life is sent
_FILES = (*SCRIPTS, "live.js")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ServerError(HpsearchError):
    """A server that cannot listen at its address; the message is one line."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free port. Raises ServerError."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a host name"
        raise ServerError(f"cannot listen on {host}, port {port}: {reason}; give another --port or --host") from error


def serve(library: Library, listening: socket.socket, host: str, token: str) -> None:
    """Serve until Ctrl-C or SIGTERM. host: as the user gave it."""
    guard = Guard(token, host, listening.getsockname()[1])
    web.run_app(application(library, guard), sock=listening, print=None, access_log=None, shutdown_timeout=1)


def address_of(listening: socket.socket, host: str, token: str) -> str:
    """The address to open, with its token."""
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{listening.getsockname()[1]}/?token={token}"


def application(library: Library, guard: Guard) -> web.Application:
    """The server with all its addresses; none of them changes anything."""
    pages = _Pages(library)
    app = web.Application(middlewares=[_guarded(guard), _explained])
    app.add_routes(
        [
            web.get("/", pages.index),
            web.get("/search/{name}", pages.search),
            web.get("/search/{name}/update", pages.update),
            web.get("/search/{name}/events", pages.events),
            web.get("/static/{file}", _static),
        ]
    )
    app.on_shutdown.append(pages.close)
    return app


def _guarded(guard: Guard) -> Callable[..., Awaitable[web.StreamResponse]]:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        reason = guard.refusal(request.headers)
        if reason is not None:
            return web.Response(status=403, text=f"{reason}\n", headers=_HEADERS)
        if guard.knows(request.query.get("token")):
            # The token moves from the address into a cookie, so that no browser history and no link contains it.
            moved = web.Response(status=303, headers=_HEADERS | {"Location": "/" + quote(request.path.lstrip("/"))})
            moved.set_cookie(guard.cookie, guard.token, httponly=True, samesite="Lax", path="/")
            return moved
        if not guard.knows(request.cookies.get(guard.cookie)):
            text = "the token is missing or wrong; open the address that hpsearch serve printed\n"
            return web.Response(status=403, text=text, headers=_HEADERS)
        answer = await handler(request)
        if not answer.prepared:
            answer.headers.update({name: value for name, value in _HEADERS.items() if name not in answer.headers})
        return answer

    return middleware


_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


@web.middleware
async def _explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors with one line that says what is wrong."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.Response(status=error.status, text=f"{error.reason}\n")
    except StoreError as error:
        return web.Response(status=404, text=f"{one_line(error)}\n")
    except (HpsearchError, OSError) as error:
        return web.Response(status=500, text=f"{one_line(error)}\n")


class _Pages:
    """The answers of each address; reading and drawing run in threads, so that other requests need not wait."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._closing = asyncio.Event()

    async def index(self, request: web.Request) -> web.Response:
        rows = await asyncio.to_thread(self._library.rows)
        linked = [row | {"link": f"/search/{quote(row['name'])}" if row["link"] else ""} for row in rows]
        return _html(lambda nonce: index_page(linked, nonce=nonce))

    async def search(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        page = await asyncio.to_thread(self._library.page, name)
        base = f"/search/{quote(name)}"
        links = {
            "index": "/",
            "update": f"{base}/update",
            "events": f"{base}/events",
            "scripts": ["/static/plotly.js", *(f"/static/{file}" for file in _FILES)],
        }
        return _html(lambda nonce: as_live(page, nonce=nonce, links=links))

    async def update(self, request: web.Request) -> web.Response:
        page = await asyncio.to_thread(self._library.page, request.match_info["name"])
        answer = web.Response(text=embedded(await asyncio.to_thread(update_of, page)), content_type="application/json")
        answer.enable_compression()
        return answer

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send an event for each poll that found something new, until the browser disconnects."""
        name = request.match_info["name"]
        version = await asyncio.to_thread(self._library.version, name)
        answer = web.StreamResponse(headers=_HEADERS | {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await answer.prepare(request)
        silent = 0
        with suppress(ConnectionError, HpsearchError, OSError):
            await answer.write(_event(version))  # news since the page was made
            while not self._closing.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), POLL_SECONDS)
                now = await asyncio.to_thread(self._library.version, name)
                silent = 0 if now != version else silent + 1
                if now != version:
                    version = now
                    await answer.write(_event(version))
                elif silent % _HEARTBEAT_POLLS == 0:
                    await answer.write(b": alive\n\n")
        return answer

    async def close(self, app: web.Application) -> None:
        self._closing.set()


def _event(version: Version) -> bytes:
    return f"event: changed\ndata: {version.generation}.{version.events}.{int(version.running)}\n\n".encode()


def _html(make: Callable[[str], str]) -> web.Response:
    nonce = secrets.token_urlsafe(16)
    answer = web.Response(
        text=make(nonce), content_type="text/html", headers={"Content-Security-Policy": policy(nonce)}
    )
    answer.enable_compression()
    return answer


async def _static(request: web.Request) -> web.Response:
    """Send Plotly or one of the page's own scripts, by name; other names are not found."""
    name = request.match_info["file"]
    if name == "plotly.js":
        headers = {"Content-Encoding": "gzip", "Cache-Control": "private, max-age=86400"}
        return web.Response(body=await asyncio.to_thread(_plotly), content_type="text/javascript", headers=headers)
    if name in _FILES:
        return web.Response(text=(WEB / name).read_text(encoding="utf-8"), content_type="text/javascript")
    raise web.HTTPNotFound


@cache
def _plotly() -> bytes:
    return gzip.compress(plotly_script(), 6)

"""The console: one page, its data as JSON and a stream of updates; it reads the board and changes nothing."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.board import CONNECTED, Board

#: Data older than this make the gateway not ready [s].
MAX_DATA_AGE_S = 60.0
#: Browsers that may follow the stream at once; one more is turned away with 503.
MAX_FOLLOWERS = 100

_WEB = Path(__file__).parent / "web"
_PUSH_INTERVAL_S = 1.0
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Console:
    """Serve a board over HTTP from a thread of its own.

    Parameters
    ----------
    board
        What is shown; the console knows nothing else of the gateway.
    host, port
        Where to listen; port 0 takes a free one. The default host is this machine only: there is no login,
        so anything wider belongs behind a proxy that has one.

    Examples
    --------
    >>> from edge.board import Board
    >>> board = Board(
    ...     "site", [("L1", "L1-001")], simulated=True, speed=1.0,
    ...     time_zone="UTC", benchmark_kwh_per_t=13000.0, baseline_kwh_per_t=13350.0,
    ... )
    >>> console = Console(board, port=0)
    >>> console.start()
    >>> console.url.startswith("http://127.0.0.1:")
    True
    >>> console.stop()
    """

    def __init__(self, board: Board, host: str = "127.0.0.1", port: int = 8080) -> None:
        self._host = host
        self._port = port
        self._app = _application(board)
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Address of the page; the port is known once started."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/"

    def start(self) -> None:
        """Listen and serve.

        Raises
        ------
        OSError
            The address cannot be listened on.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.create_server((self._host, self._port), family=family, backlog=128)
        self._port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="console", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End every stream, close the socket and wait for the thread; harmless when not started."""
        if self._server is None or self._thread is None or self._socket is None:
            return
        self._app.state.stopping.set()
        self._server.should_exit = True
        self._thread.join(timeout=10.0)
        self._socket.close()
        self._server = self._thread = self._socket = None


class _Headers:
    """Put the security headers on every answer, streams included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, adding the headers at the start of the answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class _Stream:
    """The update stream: every follower gets the newest state each second, encoded once for all of them."""

    def __init__(self, board: Board, stopping: threading.Event) -> None:
        self._board = board
        self._stopping = stopping
        self._encoded = b""
        self._revision = -1
        self._followers = 0

    @property
    def full(self) -> bool:
        """True when no further follower is taken."""
        return self._followers >= MAX_FOLLOWERS

    async def follow(self) -> AsyncIterator[bytes]:
        """Yield server-sent events until the client leaves or the console stops."""
        self._followers += 1
        sent = -1
        try:
            yield b"retry: 2000\n\n"
            while not self._stopping.is_set():
                revision = self._board.revision
                if revision != sent:
                    sent = revision
                    yield self._state(revision)
                yield _event("figures", self._board.figures())
                await asyncio.sleep(_PUSH_INTERVAL_S)
        finally:
            self._followers -= 1

    def _state(self, revision: int) -> bytes:
        if revision != self._revision:
            self._encoded = _event("line", self._board.line()) + _event("alarms", self._board.alarms())
            self._revision = revision
        return self._encoded


def _event(name: str, data: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


def _json(data: object, status_code: int = 200) -> Response:
    return Response(msgspec.json.encode(data), status_code, media_type="application/json")


def _application(board: Board) -> Starlette:
    """Route every address to the board; all of them only read."""
    stopping = threading.Event()
    stream = _Stream(board, stopping)

    async def page(request: Request) -> Response:
        return FileResponse(_WEB / "index.html")

    async def line(request: Request) -> Response:
        return _json(board.line())

    async def alarms(request: Request) -> Response:
        return _json(board.alarms())

    async def figures(request: Request) -> Response:
        return _json(board.figures())

    async def trends(request: Request) -> Response:
        cell = request.path_params["cell"]
        since = request.query_params.get("since_us", "0")
        if not since.isdecimal():
            return _json({"error": f"since_us must be UTC microseconds, not {since!r}"}, 400)
        try:
            return _json(board.trends(cell, int(since)))
        except KeyError:
            return _json({"error": f"there is no cell {cell!r} on this console"}, 404)

    async def events(request: Request) -> Response:
        if stream.full:
            return _json({"error": f"{MAX_FOLLOWERS} pages are open already; close one"}, 503)
        return StreamingResponse(stream.follow(), media_type="text/event-stream")

    async def livez(request: Request) -> Response:
        return _json({"live": True})

    async def readyz(request: Request) -> Response:
        reasons = _not_ready(board)
        return _json({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/api/line", line),
            Route("/api/alarms", alarms),
            Route("/api/cell/{cell}/trends", trends),
            Route("/api/figures", figures),
            Route("/events", events),
            Route("/livez", livez),
            Route("/readyz", readyz),
            Mount("/static", StaticFiles(directory=_WEB)),
        ]
    )
    app.add_middleware(_Headers)
    app.state.stopping = stopping
    return app


def _not_ready(board: Board) -> list[str]:
    """Say what keeps the gateway from being ready."""
    figures = board.figures()
    reasons: list[str] = []
    if figures.get("broker") != CONNECTED:
        reasons.append(f"broker is {figures.get('broker', 'not connected')}")
    age_s = figures["data_age_s"]
    if age_s is None:
        reasons.append("no data yet")
    elif isinstance(age_s, float) and age_s > MAX_DATA_AGE_S:
        reasons.append(f"no data for {age_s:.0f} s")
    return reasons

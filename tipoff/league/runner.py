"""Runs an ASGI server, the league's above all, in a thread of this process, on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from tipoff.errors import InputError
from tipoff.league.server import LeagueApp


@contextlib.contextmanager
def league_server(app: LeagueApp, port: int = 0) -> Iterator[str]:
    """Serve the league on 127.0.0.1 until the block ends; gives the base URL. Port 0 takes a free one."""
    with served(app.asgi, port) as url:
        yield f"{url}/v1"


@contextlib.contextmanager
def served(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve `app` on 127.0.0.1 until the block ends; gives its address. Port 0 takes a free one.

    The socket listens before the thread starts, so the first request waits rather than fails.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(f"port {port} on 127.0.0.1 cannot be used: {error.strerror}") from error
        listening.listen(128)
        config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="league", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)

"""Dashboard and API inside another command: served by a thread of this process; and the key a laptop gets."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import uvicorn

from tipoff.api.access import Scope, hashed
from tipoff.app import create_app
from tipoff.cli.keys import made
from tipoff.cli.output import err
from tipoff.cli.worker import say
from tipoff.errors import InputError
from tipoff.settings import Settings
from tipoff.storage import keys
from tipoff.storage.pool import Pool

READY = 5.0
"""seconds in which it should see its database before anybody is told the address"""
STREAMS_END = 3
"""seconds that open requests get when it stops"""


@contextlib.contextmanager
def serving(settings: Settings, port: int) -> Iterator[str]:
    """Serve dashboard and API while the block runs; raises InputError where the port is taken."""
    app = create_app(settings.model_copy(update={"one_service": False}))  # who serves like this has its own worker
    config = uvicorn.Config(
        app, host=settings.host, port=port, log_level="warning", proxy_headers=False,
        timeout_graceful_shutdown=STREAMS_END, log_config=None,
    )  # fmt: skip
    try:
        listening = config.bind_socket()
    except SystemExit as error:
        raise InputError(f"port {port} of {settings.host} cannot be used: choose another one with --port") from error
    listening.listen(config.backlog)  # whoever is told the address may connect at once
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="web")
    thread.start()
    app.state.backend.seen.wait(READY)
    try:
        yield f"http://{settings.host}:{listening.getsockname()[1]}"
    finally:
        app.state.told_to_stop()  # no signal reaches a thread: open streams would be cut with a trace
        server.should_exit = True
        thread.join()
        listening.close()


def until_told() -> threading.Event:
    """Set by SIGINT and SIGTERM from now on."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def laptop_key(settings: Settings, pool: Pool, *, shown: bool) -> None:
    """Say which key there is; make one, once, and keep it in the data directory where only its owner reads it.

    The key itself is `shown` to whoever sits before a terminal, and never to a log.
    """
    path = settings.home / "api-key"
    with pool.connection() as connection:
        if path.exists() and keys.usable(connection, hashed(path.read_text().strip())) is not None:
            say(f"the API key of this machine is in {path}")
            return
        key, _ = made(connection, "tipoff up", Scope.ADMIN, None)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(key + "\n")
    if shown:
        err.print(f"API key (also in {path}): {key}", highlight=False, markup=False, soft_wrap=True)
    else:
        say(f"an API key was made: it is in {path}")

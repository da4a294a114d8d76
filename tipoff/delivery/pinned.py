"""One POST to addresses that were checked before: no redirect, no proxy, no second look-up, an end at the deadline.

TLS, its certificate and the Host header keep the name. httpcore (what httpx is made of) is used bare because its
network backend is the documented place to say where a connection goes.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpcore
import httpx

from tipoff.delivery.guard import Target

SocketOptions = Iterable[Any] | None


class TimedStream(httpcore.NetworkStream):
    """A stream that ends at a monotonic moment, however slowly the other side drips."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self._stream, self._end = stream, end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read within the time left."""
        return self._stream.read(max_bytes, _left(self._end, timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write within the time left."""
        self._stream.write(buffer, _left(self._end, timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same over TLS."""
        left = _left(self._end, timeout, httpcore.ConnectTimeout)
        return TimedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._end)

    def get_extra_info(self, info: str) -> Any:
        """What the stream knows of itself."""
        return self._stream.get_extra_info(info)


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to the target's addresses, in their order, whatever its name means by now."""

    def __init__(self, target: Target, end: float) -> None:
        self._target, self._end = target, end
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        """A connection; raises httpcore.ConnectError for any host but the target's."""
        place = self._target.place
        if (host, port) != (place.host, place.port):
            raise httpcore.ConnectError("this connection is for another host")
        failure: Exception = httpcore.ConnectError("there is no address")
        for address in self._target.addresses:
            try:
                left = _left(self._end, timeout, httpcore.ConnectTimeout)
                return TimedStream(
                    self._sockets.connect_tcp(address, port, left, local_address, socket_options), self._end
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def _left(end: float, timeout: float | None, late: type[Exception]) -> float:
    """Seconds that may still be waited; raises `late` where there are none."""
    left = end - time.monotonic()
    if left <= 0:
        raise late("it took too long altogether")
    return left if timeout is None else min(left, timeout)


def post(
    target: Target, headers: Mapping[str, str], body: bytes, seconds: float, tls: ssl.SSLContext | None = None
) -> int:
    """The status of the answer, of which no more is read; raises httpcore's errors."""
    place = target.place
    url = httpcore.URL(
        scheme=place.scheme.encode(), host=place.host.encode(), port=place.port, target=place.path.encode()
    )
    own = {"Host": place.authority, "Content-Length": str(len(body)), "Connection": "close"}
    backend = PinnedBackend(target, time.monotonic() + seconds)
    patience = {"connect": min(5.0, seconds), "read": seconds, "write": seconds, "pool": seconds}
    with (
        httpcore.ConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(), network_backend=backend, retries=0, max_connections=1
        ) as pool,
        pool.stream(
            "POST", url, headers=list({**own, **headers}.items()), content=body, extensions={"timeout": patience}
        ) as answer,
    ):
        return int(answer.status)

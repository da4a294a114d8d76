"""Where a delivery really connects to, and what it lets the other side do to it."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.delivery import SECRET, notice
from tests.receiver import Receiver
from tests.unit.test_guard import PUBLIC, resolver
from tipoff.delivery import webhook
from tipoff.storage.outbox import Message, Tried
from tipoff.storage.webhooks import Webhook

NOW = dt.datetime.now(dt.UTC)
MESSAGE = Message(7, "webhook", "webhook:ops", {"notice": notice().as_json()}, 1, NOW)


def hook(url: str) -> Webhook:
    """A webhook of that address."""
    return Webhook(uuid.uuid4(), "ops", url, SECRET, True, NOW)


def deliver(url: str, **more: Any) -> Tried:
    """Post a message there; private addresses are allowed unless told otherwise."""
    return webhook.deliver(hook(url), MESSAGE, **{"allow_private": True, **more})


@contextlib.contextmanager
def raw(talk: Callable[[socket.socket], None], address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A server that says to its first client what `talk` says; its port."""
    with socket.create_server((address, port)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                client, _ = server.accept()
                with client, contextlib.suppress(OSError):
                    talk(client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """A public receiver that sends the message on to this machine."""
    with Receiver() as trap, Receiver(lambda _: status, {"Location": trap.url}) as receiver:
        tried = deliver(receiver.url)
        assert (tried.error, tried.final) == (f"HTTP {status}: redirects are not followed", False)
        assert (len(receiver.got), trap.got) == (1, [])


def test_a_name_is_resolved_once_and_its_addresses_are_pinned() -> None:
    """DNS rebinding: a name that leads elsewhere between the check and the connection."""
    asked: list[str] = []

    def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return resolver("127.0.0.2" if len(asked) == 1 else "127.0.0.1")(host, port)

    def ok(client: socket.socket) -> None:
        request(client)
        client.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with Receiver() as trap, raw(ok, "127.0.0.2", trap.port):
        tried = deliver(f"http://rebound.example:{trap.port}/", resolver=rebinding)
        assert (tried.error, tried.status) == ("", 204)
        assert (asked, trap.got) == (["rebound.example"], [])


def test_the_connection_goes_to_what_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was public when it was checked and is this machine when it is connected to."""
    answers = iter([[PUBLIC, "2606:2800::1"], ["127.0.0.1"], ["127.0.0.1"]])
    connected: list[Any] = []

    def refuse(address: Any, *_: Any, **__: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError(111, "refused")

    def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        return resolver(*next(answers))(host, port)

    monkeypatch.setattr(socket, "create_connection", refuse)
    tried = deliver("https://rebound.example/", allow_private=False, resolver=rebinding)
    assert connected == [(PUBLIC, 443), ("2606:2800::1", 443)]
    assert "ConnectError" in tried.error


def test_an_inner_address_is_never_connected_to() -> None:
    """A guard that is asked and not obeyed."""
    with Receiver() as trap:
        for url, answers in (
            (f"https://127.0.0.1:{trap.port}/", ["127.0.0.1"]), (f"https://a.example:{trap.port}/", ["127.0.0.1"]),
            (f"https://a.example:{trap.port}/", [PUBLIC, "127.0.0.1"]), (trap.url, ["127.0.0.1"]),
        ):  # fmt: skip
            tried = deliver(url, allow_private=False, resolver=resolver(*answers))
            assert "webhook" in tried.error
            assert tried.status is None
        assert trap.got == []


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that resolves the name again, where nobody has checked it."""
    with Receiver() as proxy, Receiver() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert deliver(receiver.url).error == ""
        assert (len(receiver.got), proxy.got) == (1, [])


def test_a_receiver_that_drips_is_cut_off() -> None:
    """A receiver that sends a byte now and then, and holds up the job for ever."""

    def drip(client: socket.socket) -> None:
        request(client)
        client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(400):
            client.sendall(b"x")
            time.sleep(0.02)

    with raw(drip) as port:
        begun = time.monotonic()
        tried = deliver(f"http://127.0.0.1:{port}/", patience=0.4)
        assert "no answer within 0.4 s" in tried.error
        assert time.monotonic() - begun < 2


def test_a_body_without_end_is_not_read() -> None:
    """A receiver that answers with all the memory there is."""

    def flood(client: socket.socket) -> None:
        request(client)
        client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            client.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with raw(flood) as port:
        tried = deliver(f"http://127.0.0.1:{port}/", patience=3)
        assert tried.error == ""
        assert tried.milliseconds < 2000


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 nonsense\r\n\r\n", b"\0" * 100, b"HTTP/1.1 200 OK\r\nA"]
)
def test_what_is_no_http_is_a_failure_that_says_nothing_secret(said: bytes) -> None:
    """Any other server behind the port; an error that repeats the address."""

    def talk(client: socket.socket) -> None:
        request(client)
        client.sendall(said)

    with raw(talk) as port:
        tried = deliver(f"http://127.0.0.1:{port}/token-in-path?key=token-in-query", patience=3)
        assert tried.error
        assert "token" not in tried.error
        assert SECRET not in tried.error


def request(client: socket.socket) -> bytes:
    """A whole request: whoever closes with some of it unread resets the connection, and the answer is lost."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += client.recv(65536)
    head, _, body = said.partition(b"\r\n\r\n")
    [length] = [
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    ]
    while len(body) < length:
        more = client.recv(65536)
        said, body = said + more, body + more
    return said


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of hooks.example in one file."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
         "2", "-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example", "-keyout", "key.pem",
         "-out", "cert.pem"], check=True, cwd=folder, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize(("name", "good"), [("hooks.example", True), ("other.example", False)])
def test_tls_is_verified_for_the_name_although_the_address_is_pinned(
    certificate: Path, name: str, good: bool
) -> None:
    """A connection to a pinned address whose certificate is not looked at, or is looked at for the address."""
    seen: list[Any] = []
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server.sni_callback = lambda _, asked, __: seen.append(asked)

    def talk(client: socket.socket) -> None:
        with server.wrap_socket(client, server_side=True) as tls:
            seen.append(request(tls).decode())
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    ours = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    with raw(talk) as port:
        tried = deliver(f"https://{name}:{port}/", resolver=resolver("127.0.0.1"), tls=ours)
    assert seen[0] == name
    if good:
        assert (tried.error, tried.status) == ("", 200)
        assert f"Host: {name}:{port}\r\n" in seen[1]
    else:
        assert "CERTIFICATE_VERIFY_FAILED" in tried.error
        assert len(seen) == 1


def test_an_unknown_authority_is_refused(certificate: Path) -> None:
    """A default that verifies nothing."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with raw(lambda client: server.wrap_socket(client, server_side=True).close()) as port:
        tried = deliver(f"https://hooks.example:{port}/", resolver=resolver("127.0.0.1"))
    assert "CERTIFICATE_VERIFY_FAILED" in tried.error

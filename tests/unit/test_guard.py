"""Where webhooks may not lead, however the address is written or resolved."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from tipoff.delivery import guard
from tipoff.delivery.guard import checked, parsed
from tipoff.errors import AddressError

PUBLIC = "93.184.215.14"


def resolver(*addresses: str) -> guard.Resolver:
    """A resolver that answers these."""
    return lambda _, port, **__: [
        (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
        for one in addresses
    ]


def fooled(host: str, port: int, **_: Any) -> list[Any]:
    """What a lenient resolver makes of a trick: it always says that it is a public address."""
    return resolver(PUBLIC)(host, port)


NOTATIONS = [
    "https://2130706433/", "https://017700000001/", "https://0x7f000001/", "https://0x7f.1/", "https://0x7f.0.0.0x1/",
    "https://127.1/", "https://127.0.1/", "https://0177.0.0.1/", "https://127.0.0.01/", "https://1/", "https://0/",
    "https://0.0.0.0/", "https://127.0.0.1./", "https://127.0.0.1/", "https://127.8.8.8/", "https://256.0.0.1/",
    "https://[::1]/", "https://[::]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/", "https://[::ffff:8.8.8.8]/", "https://[::127.0.0.1]/", "https://[::7f00:1]/",
    "https://[64:ff9b::127.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/", "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/", "https://[fe80::1]/",
    "https://[fe80::1%25lo]/", "https://[fe80::1%lo]/", "https://[::1%250]/", "https://[fc00::1]/",
    "https://[fd00:ec2::254]/", "https://[ff02::1]/", "https://[100::1]/", "https://[2001:db8::1]/",
    "https://[::1", "https://::1/", "https://[127.0.0.1]/", "https://[v1.fe80::1]/",
]  # fmt: skip
NETWORKS = [
    "https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/",
    "https://100.64.0.1/", "https://100.127.255.255/", "https://100.100.100.200/", "https://169.254.169.254/",
    "https://169.254.0.1/", "https://168.63.129.16/", "https://192.0.0.192/", "https://192.0.2.1/",
    "https://198.18.0.1/", "https://198.51.100.1/", "https://203.0.113.1/", "https://192.88.99.1/",
    "https://224.0.0.1/", "https://239.255.255.255/", "https://240.0.0.1/", "https://255.255.255.255/",
    "https://0.1.2.3/",
]  # fmt: skip
WRITINGS = [
    "https://good.example@127.0.0.1/", "https://user:word@good.example/", "https://127.0.0.1:443@good.example/",
    "https://good.example\\@127.0.0.1/", "https:\\\\127.0.0.1/", "https:/127.0.0.1/", "https:127.0.0.1",
    "https:///127.0.0.1/", "//127.0.0.1/", "127.0.0.1", "", "https://", "https://:443/",
    "https://good.example\t.evil.example/", "https://good.example\n127.0.0.1/", "https://good.example\r\nHost: x/",
    " https://good.example/", "https://good.example/ x", "https://good.example/\x00", "https://good.example/a\\b", "https://good.example/ü",
    "https://good.example/?１",
    "https://127.0.0.1#@good.example/", "https://good.example#@127.0.0.1/", "https://good.example/#x",
    "https://good.example?@127.0.0.1/#", "https://127%2e0%2e0%2e1/", "https://%31%32%37.0.0.1/",
    "https://good.example%00.evil.example/", "https://good.example%2f@evil/", "https://good.example;127.0.0.1/",
    "https://good.example,127.0.0.1/", "https://good..example/", "https://.good.example/", "https://good.example./",
    "https://-good.example/", "https://good-.example/", f"https://{'a' * 64}.example/",
    f"https://{'a.' * 127}example/",
    "https://good.example:0/", "https://good.example:65536/", "https://good.example:99999/",
    "https://good.example:/", "https://good.example:+443/", "https://good.example:0443/",
    "https://good.example:4 43/",
    "https://good.example:443:80/", "https://good.example:22/", "https://good.example:25/", "https://good.example:١/",
    f"https://good.example/{'a' * 2000}",
]  # fmt: skip
ALPHABETS = [
    "https://１２７.０.０.１/", "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/", "https://127．0．0．1/",
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "https://ｌｏｃａｌｈｏｓｔ/", "https://loc\u00adalhost/", "https://١٢٧.٠.٠.١/",
    "https://[：：１]/", "https://good.example／@127.0.0.1/", "https://ﬀ.example/", "https://bücher.example/",
]  # fmt: skip
NAMES = [
    "https://localhost/", "https://LOCALHOST/", "https://localhost:8443/", "https://a.localhost/",
    "https://localhost.localdomain/", "https://printer.local/", "https://metadata.google.internal/",
    "https://router.lan/", "https://intranet/", "https://fileserver/", "https://1.0.0.127.in-addr.arpa/", "https://db.corp/",
]  # fmt: skip
SCHEMES = [
    "http://good.example/", "HTTPS://good.example/", "ftp://good.example/", "file:///etc/passwd", "gopher://good.example/",
    "javascript:alert(1)", "data:text/plain,x", "unix:///var/run/docker.sock", "ws://good.example/", "httpss://a.example/",
    "https+unix://a.example/", "dict://127.0.0.1:11211/",
]  # fmt: skip
TRICKS = NOTATIONS + NETWORKS + WRITINGS + ALPHABETS + NAMES + SCHEMES
RESOLVED = [
    ["127.0.0.1"], ["10.1.2.3"], ["192.168.0.1"], ["169.254.169.254"], ["100.64.1.1"], ["0.0.0.1"], ["::1"],
    ["fe80::1%eth0"], ["fd12:3456::1"], ["::ffff:10.0.0.1"], ["64:ff9b::c0a8:1"], [PUBLIC, "127.0.0.1"],
    [PUBLIC, "2606:2800::1", "fd00:ec2::254"], ["2606:2800::1", "::"], ["nonsense"], ["2002:a00:1::1"],
]  # fmt: skip


@pytest.mark.parametrize("url", TRICKS)
def test_a_trick_is_refused(url: str) -> None:
    """An address that one reader takes for a public name and another for this machine.

    The resolver is fooled, so that the address itself has to be refused.
    """
    with pytest.raises(AddressError):
        checked(url, resolver=fooled)


def test_there_are_enough_tricks() -> None:
    """A list that was cut short by accident."""
    assert len(TRICKS) == len(set(TRICKS)) > 120


@pytest.mark.parametrize("addresses", RESOLVED)
@pytest.mark.parametrize("name", ["hooks.example", "127.0.0.1.nip.io", "7f000001.rbndr.us"])
def test_a_name_that_leads_inside_is_refused(name: str, addresses: list[str]) -> None:
    """A name with one inner address among its public ones."""
    with pytest.raises(AddressError):
        checked(f"https://{name}/", resolver=resolver(*addresses))


@pytest.mark.parametrize(
    ("url", "host", "authority"),
    [
        ("https://hooks.example.com/a/b?c=%2F..%40", "hooks.example.com", "hooks.example.com"),
        ("https://Hooks.Example.com:8443", "hooks.example.com", "hooks.example.com:8443"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://8.8.8.8/", "8.8.8.8", "8.8.8.8"),
        ("https://[2606:2800::0001]:443/", "2606:2800::1", "[2606:2800::1]"),
        ("https://[64:ff9b::808:808]/", "64:ff9b::808:808", "[64:ff9b::808:808]"),
        ("https://1and1.example/", "1and1.example", "1and1.example"),
        ("https://a_b.example:80/", "a_b.example", "a_b.example:80"),
    ],
)
def test_public_addresses_are_taken(url: str, host: str, authority: str) -> None:
    """A guard that refuses everything."""
    target = checked(url, resolver=resolver(PUBLIC, "2606:2800::1"))
    assert (target.place.host, target.place.authority) == (host, authority)
    assert target.addresses == (PUBLIC, "2606:2800::1")


def test_what_is_shown_hides_path_and_query() -> None:
    """A token in a path that is shown in a list."""
    assert parsed("https://hooks.example.com/T0/secret?key=1").shown == "https://hooks.example.com/..."


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/", "http://[::1]/", "https://10.0.0.7:22/", "http://db/"])
def test_private_addresses_are_taken_where_the_operator_says_so(url: str) -> None:
    """A receiver in the operator's own network that cannot be told."""
    assert checked(url, allow_private=True, resolver=resolver("10.0.0.7", "127.0.0.1", "fd12::1"))


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://0.0.0.0/", "http://[::ffff:127.0.0.1]/",
            "http://100.100.100.200/", "http://224.0.0.1/", "http://127.1/", "http://a@b/"],
)  # fmt: skip
def test_the_clouds_own_services_are_refused_even_then(url: str) -> None:
    """Credentials of a machine, read through a webhook that may lead into the private network."""
    with pytest.raises(AddressError):
        checked(url, allow_private=True, resolver=fooled)


def test_a_resolver_that_hangs_is_left() -> None:
    """A name server that never answers and holds up every message."""
    hang, begun = threading.Event(), time.monotonic()
    with pytest.raises(TimeoutError, match=r"hooks\.example was not resolved within 0\.05 s"):
        checked("https://hooks.example/", resolver=lambda *_, **__: [hang.wait(20)], patience=0.05)
    hang.set()
    assert time.monotonic() - begun < 2


def test_a_name_that_is_not_there_is_no_refusal() -> None:
    """A name server that is away for a moment: the message has to be tried again."""

    def away(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    for ask in (away, resolver()):
        with pytest.raises(OSError, match=r"try again|has no address"):
            checked("https://hooks.example/", resolver=ask)


def test_the_machines_own_resolver_is_the_default() -> None:
    """A guard whose real resolver is never asked."""
    assert checked("http://localhost:9/", allow_private=True).addresses[0] in ("127.0.0.1", "::1")

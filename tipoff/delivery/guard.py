"""Where a webhook may lead: parsed strictly, resolved once, and refused unless every address is a public one.

What is refused, with the registries it is from, is in docs/decisions/0013-delivery.md. The addresses found here are
those that are connected to (`pinned`), so that a name which answers differently a moment later changes nothing.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import queue
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

from tipoff.errors import AddressError

Resolver = Callable[..., list[Any]]
"""like socket.getaddrinfo"""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LONGEST = 2000
FORM = re.compile(r"(https?)://([^/?#]*)(/[^?#]*)?(\?[^#]*)?", re.ASCII)
AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([1-9][0-9]{0,4}))?", re.ASCII)
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
ENDS_IN_NUMBER = re.compile(r"([0-9]+|0x[0-9a-f]*)", re.ASCII)
OWN_NAMES = ("localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp", "arpa")
"""last labels of names that mean this machine or this network"""
WEB_PORTS = (80, 443)

PRIVATE = [
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
]
"""this machine, private networks, carriers' networks: allowed where the operator says so"""
NEVER = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.100.100.200/32", "168.63.129.16/32", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24",
        "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "fd00:ec2::254/128", "fd20:ce::254/128", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48",
        "3fff::/20",
    )
]  # fmt: skip
"""the cloud's own services, link-local, multicast, documentation, tunnels, reserved"""
GLOBAL_V6 = ipaddress.ip_network("2000::/3")
NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What an address names; `host` is a lower-case name or an IP address (IPv6 without brackets)."""

    scheme: str
    host: str
    port: int
    path: str
    allow_private: bool

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """What may be shown of it: not the path, which often holds a secret."""
        return f"{self.scheme}://{self.authority}/{'...' if len(self.path) > 1 else ''}"


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A place and the addresses that were found for it, every one of them allowed."""

    place: Place
    addresses: tuple[str, ...]


def checked(
    url: str, *, allow_private: bool = False, resolver: Resolver = socket.getaddrinfo, patience: float = 5.0
) -> Target:
    """The target of a webhook's address; raises AddressError where it may not lead there."""
    return resolved(parsed(url, allow_private=allow_private), resolver, patience)


def parsed(url: str, *, allow_private: bool = False) -> Place:
    """The parts of an address, without asking anybody; raises AddressError that says what is wrong with it.

    >>> parsed("https://hooks.example.com/a?b=c").authority
    'hooks.example.com'
    """
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise AddressError(
            f"a webhook's address has at most {LONGEST} printable ASCII characters, without spaces and backslashes "
            "(other alphabets: the name as xn--...)"
        )
    form = FORM.fullmatch(url)
    authority = AUTHORITY.fullmatch(form[2]) if form else None
    if form is None or authority is None:
        raise AddressError(
            "a webhook's address is https://name/path?query, with a port if need be: no user, no fragment, "
            "nothing encoded in the name"
        )
    scheme, port = form[1], int(authority[2] or (443 if form[1] == "https" else 80))
    if scheme != "https" and not allow_private:
        raise AddressError("a webhook's address begins with https:// (http:// where TIPOFF_WEBHOOKS_PRIVATE is set)")
    if port > 65535 or (port < 1024 and port not in WEB_PORTS and not allow_private):
        raise AddressError("a webhook's port is 443, 80, or from 1024 to 65535")
    host = _host(authority[1].lower(), allow_private)
    return Place(scheme, host, port, (form[3] or "/") + (form[4] or ""), allow_private)


def _host(text: str, allow_private: bool) -> str:
    """The name or address; what other readers would take for a number in another notation is neither."""
    labels = text.split(".")
    if text.startswith("[") or ENDS_IN_NUMBER.fullmatch(labels[-1]):
        try:
            address = ipaddress.IPv6Address(text[1:-1]) if text.startswith("[") else ipaddress.IPv4Address(text)
        except ValueError:
            raise AddressError("a webhook's IP address is written as 192.0.2.1 or [2001:db8::1]") from None
        _allow(address, allow_private)
        return str(address)
    if len(text) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise AddressError("a webhook's name is made of letters, digits and hyphens between dots")
    if not allow_private and (len(labels) == 1 or labels[-1] in OWN_NAMES):
        raise AddressError("a webhook may not lead to a name of this machine or this network")
    return text


def _allow(address: Address, allow_private: bool) -> None:
    """Raises AddressError where a message may not go there; the address itself is not repeated."""
    if isinstance(address, ipaddress.IPv6Address) and address in NAT64:
        address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in NEVER):
        raise AddressError("a webhook may not lead to a reserved, link-local or cloud-internal address")
    if any(address in network for network in PRIVATE):
        if allow_private:
            return
        raise AddressError("a webhook may not lead to a private address (TIPOFF_WEBHOOKS_PRIVATE would allow it)")
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_V6:
        raise AddressError("a webhook may not lead to an IPv6 address that is not globally reachable")


def resolved(place: Place, resolver: Resolver = socket.getaddrinfo, patience: float = 5.0) -> Target:
    """The addresses of a place; raises AddressError where any may not be reached, OSError where there are none."""
    found = dict.fromkeys(_asked(place, resolver, patience))
    if not found:
        raise OSError(f"{place.host} has no address")
    for text in found:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise AddressError(f"{place.host} was resolved to something that is no address") from None
        _allow(address, place.allow_private)
    return Target(place, tuple(found))


def _asked(place: Place, resolver: Resolver, patience: float) -> list[str]:
    """What the resolver says within `patience` seconds; one that hangs is left behind."""
    answers: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolver(place.host, place.port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that asked
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=patience)
    except queue.Empty:
        raise TimeoutError(f"{place.host} was not resolved within {patience:g} s") from None
    if isinstance(answer, UnicodeError):
        raise AddressError(f"{place.host} is no name that can be resolved") from answer
    if isinstance(answer, Exception):
        raise answer
    return [str(one[4][0]) for one in answer]

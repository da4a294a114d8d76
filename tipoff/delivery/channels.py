"""The operator's own channels (Apprise addresses, which are secrets) under names that may be shown."""

from __future__ import annotations

import dataclasses
import hashlib

from pydantic import SecretStr

from tipoff.domain.channel import addresses


@dataclasses.dataclass(frozen=True, slots=True)
class Channel:
    """One channel; its name may be stored and shown, its address may not."""

    name: str
    url: str = dataclasses.field(repr=False)


def channels(setting: SecretStr | None) -> tuple[Channel, ...]:
    """The channels in TIPOFF_ALERT_URLS, in the order in which they stand there."""
    found = addresses(setting.get_secret_value()) if setting else []
    return tuple(Channel(name_of(url), url) for url in found)


def name_of(url: str) -> str:
    """A name that stays the same while the address does and does not tell it.

    >>> name_of("tgram://token/chat")
    'tgram-ae700f'
    """
    return f"{url.partition('://')[0].lower()}-{hashlib.sha256(url.encode()).hexdigest()[:6]}"

"""Addresses of people who are told of alerts, as an operator types them."""

from __future__ import annotations

import json
import re

FORM = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")


def addresses(text: str) -> list[str]:
    """Addresses between spaces or lines, or a JSON list, each once; raises ValueError that does not repeat them.

    >>> addresses("tgram://token/chat  mailto://me:word@example.com")
    ['tgram://token/chat', 'mailto://me:word@example.com']
    """
    found: object = text.split()
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            raise ValueError("begins like a JSON list and is none") from None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("addresses between spaces, or a JSON list of texts")
    for number, one in enumerate(found, 1):
        if not FORM.fullmatch(one):
            raise ValueError(f"number {number} of {len(found)} is no address like scheme://...")
    return list(dict.fromkeys(found))

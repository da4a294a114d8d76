"""Invented teams and handles; no real league has them."""

from __future__ import annotations

import itertools

GROUPS = (
    ("Harbor Herons", "Granite Rams", "Juniper Foxes", "Saltmarsh Terns"),
    ("Ironwood Elks", "Copper Canyon Owls", "Driftwood Otters", "Larkspur Comets"),
    ("Foundry Anvils", "Basalt Badgers", "Moorland Kites", "Quarry Hounds"),
    ("Meridian Larks", "Tidewater Crabs", "Cinder Peak Jays", "Willow Bend Pikes"),
)
"""four closed groups of four; teams of different groups never meet"""
TEAMS = tuple(itertools.chain.from_iterable(GROUPS))
_FIRST = ("AMBER", "BRISK", "CEDAR", "DUSKY", "EMBER", "FROSTY", "GILDED", "HOLLY", "INDIGO", "JADE", "KEEN",
          "LUNAR", "MISTY", "NIMBLE", "OPAL", "PLUM")  # fmt: skip
_SECOND = ("ACORN", "BISON", "CRANE", "DINGO", "EGRET", "FERRET", "GECKO", "HERON", "IBIS", "JACKDAW", "KOALA",
           "LYNX", "MARTEN", "NEWT", "ORIOLE", "PUFFIN", "QUAIL", "RAVEN", "STOAT", "TAPIR")  # fmt: skip


def handles(count: int) -> list[str]:
    """`count` different handles, upper case as on the wire; at most 320."""
    names = [f"{first} {second}" for second in _SECOND for first in _FIRST]
    step = 137  # coprime to 320: neighbours do not share a word
    if count > len(names):
        raise ValueError(f"only {len(names)} handles are invented, {count} asked for")
    return [names[i * step % len(names)] for i in range(count)]

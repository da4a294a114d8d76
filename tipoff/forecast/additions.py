"""The additions to the plain filter, each of which can be left out of a model.

An addition that is off has its hyper-parameters at the values that make it do nothing, so that the kernels know of no
switches.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from tipoff.errors import InputError


@dataclasses.dataclass(frozen=True, slots=True)
class Addition:
    """Which hyper-parameters of the margin's and of the total's filter it needs, and what it is in words."""

    margin: tuple[str, ...]
    total: tuple[str, ...]
    words: str


ADDITIONS: dict[str, Addition] = {
    "newcomers": Addition(
        ("v_late",), ("v_late",), "players first seen after the first 10 days may differ more from who they meet"
    ),
    "first-meeting": Addition(
        ("v_meeting",), ("v_meeting",), "who meets for the first time is probably of similar strength"
    ),
    "margin-scale": Addition(
        ("v_scale",), (), "some players' margins are wider: signal and noise of the margin are scaled together"
    ),
    "noise": Addition(
        ("c_level", "c_position"), ("c_level", "c_position"),
        "higher totals and later matches of a session vary more",
    ),
    "session-growth": Addition((), ("q_session",), "form of the total moves within a session"),
    "regressors": Addition(
        (), ("v_regressor",), "first match of the session, position in it, rest and hour move the total"
    ),
    "total-scale": Addition((), ("v_scale",), "some players' totals vary more"),
    "newcomer-doubt": Addition(
        ("t_late",), (), "how far later newcomers differ from who they meet is itself not known, for the margin"
    ),
}  # fmt: skip


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """The named additions in their order; raises InputError for a name that is none."""
    wanted = list(names)
    for name in wanted:
        if name not in ADDITIONS:
            raise InputError(f"no addition is called {name!r}; there are {', '.join(ADDITIONS)}")
    return tuple(name for name in ADDITIONS if name in wanted)


def named(text: str) -> tuple[str, ...]:
    """What people write: all, none, or names between commas; raises InputError for a name that is none.

    >>> named("none"), named("noise, newcomers")
    ((), ('newcomers', 'noise'))
    """
    words = text.replace(",", " ").split()
    if words in (["all"], ["none"]):
        return tuple(ADDITIONS) if words == ["all"] else ()
    if not words:
        raise InputError(f"no addition is named; give all, none, or some of {', '.join(ADDITIONS)} between commas")
    return chosen(words)

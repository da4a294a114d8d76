"""Teams as monograms: three letters on the club's colour, with text that can be read on it."""

from __future__ import annotations

import dataclasses
import re

TEAMS = {
    "Atlanta Hawks": ("ATL", "c8102e"), "Boston Celtics": ("BOS", "007a33"), "Brooklyn Nets": ("BKN", "111111"),
    "Charlotte Hornets": ("CHA", "1d1160"), "Chicago Bulls": ("CHI", "ce1141"),
    "Cleveland Cavaliers": ("CLE", "860038"), "Dallas Mavericks": ("DAL", "00538c"),
    "Denver Nuggets": ("DEN", "0e2240"), "Detroit Pistons": ("DET", "1d42ba"),
    "Golden State Warriors": ("GSW", "1d428a"), "Houston Rockets": ("HOU", "ce1141"),
    "Indiana Pacers": ("IND", "fdbb30"), "Los Angeles Clippers": ("LAC", "c8102e"), "LA Clippers": ("LAC", "c8102e"),
    "Los Angeles Lakers": ("LAL", "552583"), "Memphis Grizzlies": ("MEM", "5d76a9"), "Miami Heat": ("MIA", "98002e"),
    "Milwaukee Bucks": ("MIL", "00471b"), "Minnesota Timberwolves": ("MIN", "0c2340"),
    "New Orleans Pelicans": ("NOP", "0c2340"), "New York Knicks": ("NYK", "006bb6"),
    "Oklahoma City Thunder": ("OKC", "007ac1"), "Orlando Magic": ("ORL", "0077c0"),
    "Philadelphia 76ers": ("PHI", "006bb6"), "Phoenix Suns": ("PHX", "e56020"),
    "Portland Trail Blazers": ("POR", "e03a3e"), "Sacramento Kings": ("SAC", "5a2d81"),
    "San Antonio Spurs": ("SAS", "c4ced4"), "Toronto Raptors": ("TOR", "ce1141"), "Utah Jazz": ("UTA", "002b5c"),
    "Washington Wizards": ("WAS", "002b5c"),
}  # fmt: skip
UNKNOWN = "5b6470"
WORDS = re.compile(r"\w+")


@dataclasses.dataclass(frozen=True, slots=True)
class Monogram:
    """Letters, background and text colour (both as six hexadecimal digits)."""

    letters: str
    colour: str
    ink: str


def monogram(team: str | None) -> Monogram:
    """Of any team: those of the NBA are known, others get their first letters on grey."""
    letters, colour = TEAMS.get(team or "", (initials(team), UNKNOWN))
    return Monogram(letters, colour, ink_on(colour))


def initials(team: str | None) -> str:
    """Up to three letters.

    >>> initials("Harlem Globe Trotters"), initials("Monstars"), initials(None)
    ('HGT', 'MON', '?')
    """
    words = WORDS.findall(team or "")
    if not words:
        return "?"
    return ("".join(w[0] for w in words[:3]) if len(words) > 1 else words[0][:3]).upper()


def ink_on(colour: str) -> str:
    """Black or white, whichever contrasts more with a background (WCAG 2.2, relative luminance).

    >>> ink_on("0e2240"), ink_on("fdbb30")
    ('ffffff', '000000')
    """
    channels = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "000000"

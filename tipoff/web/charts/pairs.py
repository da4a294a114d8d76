"""Head to head: who won how often against whom, a cell a pair."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from tipoff.web.charts import svg
from tipoff.web.charts.figures import number, percent, percents, raw, usable

MOST = 20
"""players that the matrix shows; of more, those with the most matches"""
FEW = 5
"""of so few matches a share says little"""
_TOP = 20.0
_READABLE = 24.0
"""a cell of this width has room for its percent"""
_NUMBERED = 20.0
"""in columns of this width each has room for its number; in narrower ones every other"""


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """The share of n matches that the player of the row won against that of the column, and its 95% interval."""

    row: str
    column: str
    share: float | None
    n: int
    low: float | None = None
    high: float | None = None


def chart(cells: Sequence[Cell], *, chart_id: str, title: str = "Head to head", width: float = svg.WIDTH) -> Markup:
    """A cross table: rows are numbered players, columns have their numbers; colour and figure say who leads."""
    players = _players(cells)
    if not players:
        return svg.picture("pairs", chart_id, title, "No data yet.", width, 80, svg.nothing(width / 2, 44))
    room = min(max(svg.extent(f"{len(players)} {p}") for p in players), width / 2)
    left = room + 8
    side = (width - left) / len(players)
    names = [svg.broken(f"{i} {p}", room) for i, p in enumerate(players, 1)]
    high = max(svg.LINE * max(map(len, names)), min(side, 30.0))
    known = {(c.row, c.column): (c, c.share) for c in cells if c.n > 0 and usable(c.share)}
    grid = _Grid(known, left, side, high)
    return svg.picture(
        "pairs", chart_id, title, _description(players, cells), width, _TOP + high * len(players),
        *(
            svg.label(left + side * (i + 0.5), 13, str(i + 1), "tick-label", "middle")
            for i in range(0, len(players), 1 if side >= _NUMBERED else 2)
        ),
        *(grid.row(i, names[i], player, players) for i, player in enumerate(players)),
    )  # fmt: skip


def table(cells: Sequence[Cell], *, caption: str = "Head to head") -> Markup:
    """Every pair."""
    return svg.twin(caption, ("Player", "Against", "Won", "95% interval", "n"), (
        (c.row, c.column, percent(c.share), percents(c.low, c.high), number(c.n)) for c in cells
    ))  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class _Grid:
    known: Mapping[tuple[str, str], tuple[Cell, float]]
    left: float
    side: float
    high: float

    def row(self, i: int, name: Sequence[str], player: str, players: Sequence[str]) -> Markup:
        y = _TOP + self.high * i
        cells: list[Markup] = []
        for j, other in enumerate(players):
            x = self.left + self.side * j
            if i == j:
                cells.append(svg.tag("rect", class_="self", x=x, y=y, width=self.side - 1, height=self.high - 1))
            elif (player, other) in self.known:
                cells.append(self._cell(*self.known[player, other], x, y))
        middle = y + self.high / 2 + 4 - svg.LINE * (len(name) - 1) / 2
        return svg.tag("g", svg.label(0, middle, name, "row-name"), *cells, class_="row")

    def _cell(self, cell: Cell, share: float, x: float, y: float) -> Markup:
        interval = percents(cell.low, cell.high)
        said = f"{cell.row} won {percent(share)} of {number(cell.n)} against {cell.column}"
        few = " few" if cell.n < FEW else ""
        rect = svg.tag(
            "rect", svg.tag("title", said + (f" (95%: {interval})" if interval else "")), class_=_heat(share) + few,
            x=x, y=y, width=self.side - 1, height=self.high - 1, data_x=cell.column, data_y=raw(share),
        )  # fmt: skip
        if self.side < _READABLE:
            return rect
        figure = number(100 * share)
        return rect + svg.label(x + (self.side - 1) / 2, y + self.high / 2 + 4, figure, "cell-figure", "middle")


def _heat(share: float) -> str:
    """even, or how far in five steps towards the row's player (a) or the column's (b)."""
    steps = round(10 * (min(max(share, 0.0), 1.0) - 0.5))
    return "even" if steps == 0 else f"{'a' if steps > 0 else 'b'}{abs(steps)}"


def _players(cells: Sequence[Cell]) -> list[str]:
    """In the order given; the busiest where they are too many."""
    matches: Counter[str] = Counter()
    for cell in cells:
        for player in (cell.row, cell.column):
            matches[player] += max(cell.n, 0)
    if len(matches) <= MOST:
        return list(matches)
    busiest = {player for player, _ in matches.most_common(MOST)}
    return [player for player in matches if player in busiest]


def _description(players: Sequence[str], cells: Sequence[Cell]) -> str:
    given = len({p for c in cells for p in (c.row, c.column)})
    shown = (
        f"{number(len(players))} players" if given == len(players) else f"{len(players)} of {number(given)} players"
    )
    return f"{shown}: the share of matches that the player of a row won against that of a column."

"""What a runner prints: its first and last lines are kept, however much it is. Standard library only."""

from __future__ import annotations

HEAD_LINES, TAIL_LINES, LINE_LENGTH = 200, 100, 1000


class Output:
    """What a runner writes: its first and last lines, and how much it was."""

    def __init__(self) -> None:
        self.head: list[str] = []
        self.tail: list[str] = []
        self.size = self.count = 0
        self._sent = 0
        self._partial = b""

    def take(self, data: bytes) -> None:
        """Take in bytes; a line without end is cut."""
        self.size += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > LINE_LENGTH * 4:
            lines, self._partial = [*lines, self._partial], b""
        self.count += len(lines)
        free = max(0, HEAD_LINES - len(self.head))
        self.head += [_text(line) for line in lines[:free]]
        self.tail = (self.tail + [_text(line) for line in lines[free:][-TAIL_LINES:]])[-TAIL_LINES:]

    def unsent(self) -> list[str]:
        """Lines of the head that were not asked for before."""
        lines, self._sent = self.head[self._sent :], len(self.head)
        return lines

    def rest(self) -> list[str]:
        """At the end: what is left, with a note of what was dropped."""
        if self._partial:
            self.take(b"\n")
        dropped = self.count - len(self.head) - len(self.tail)
        note = [f"... {dropped} lines left out ({self.size} bytes were written in all) ..."] if dropped else []
        return [*self.unsent(), *note, *self.tail]


def _text(line: bytes) -> str:
    return line[: LINE_LENGTH * 4].decode(errors="replace").replace("\0", "\ufffd")[:LINE_LENGTH]

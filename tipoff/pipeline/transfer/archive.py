"""The parts of an export: files in a folder, or in one tar of which every byte is accounted for.

A tar holds each part after a header (POSIX ustar) that follows from its name and size alone, and ends with two empty
blocks. A header that says anything else, a byte between parts, or anything missing or added is found on reading.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from tipoff.errors import InputError

BLOCK = 512
END = bytes(2 * BLOCK)
CHUNK = 1 << 20


def refuse(path: Path, why: str) -> NoReturn:
    """Raise the InputError that says why an export is not used."""
    raise InputError(f"{path} is refused: {why}; nothing was imported")


class Writer:
    """Takes parts one by one; `folder` is where they are made."""

    def __init__(self, folder: Path, tar: BinaryIO | None) -> None:
        self.folder, self._tar = folder, tar

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[BinaryIO]:
        """A part to write; it belongs to the export once the block ends."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        if self._tar is not None:
            _append(self._tar, name, path)
            path.unlink()


@contextlib.contextmanager
def writing(target: Path) -> Iterator[Writer]:
    """An export at `target`: a tar where the name ends in .tar, else a folder; it appears whole or not at all."""
    if target.exists():
        raise InputError(f"{target} is there already: an export overwrites nothing")
    whole = target.name.endswith(".tar")
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            made = work / "made.tar"
            with made.open("wb") if whole else contextlib.nullcontext() as tar:
                yield Writer(work, tar)
                if tar is not None:
                    tar.write(END)
                    tar.flush()
                    os.fsync(tar.fileno())
                    made.chmod(0o600)
            (made if whole else work).rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}") from error


def _append(tar: BinaryIO, name: str, path: Path) -> None:
    size = path.stat().st_size
    tar.write(_header(name, size))
    with path.open("rb") as content:
        shutil.copyfileobj(content, tar, CHUNK)
    tar.write(bytes(-size % BLOCK))


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


class Section(io.RawIOBase):
    """A stretch of a file; `sha256` is that of what was read so far."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._file, self._left, self.sha256 = path.open("rb"), size, hashlib.sha256()
        self._file.seek(offset)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object) -> int:
        """The next bytes."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        found = self._file.read(min(len(view), self._left))
        view[: len(found)] = found
        self._left -= len(found)
        self.sha256.update(found)
        return len(found)

    def drain(self) -> str:
        """Read what is left; the SHA-256 of all of it."""
        while self.read(CHUNK):
            pass
        return self.sha256.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


class Archive:
    """An export to read: `sizes` has every part that is there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._places = dict(_in_folder(path) if path.is_dir() else _in_tar(path))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each part."""
        return {name: size for name, (_, _, size) in self._places.items()}

    def open(self, name: str) -> Section:
        """A part."""
        return Section(*self._places[name])


def _in_folder(path: Path) -> Iterator[tuple[str, tuple[Path, int, int]]]:
    for file in sorted(path.rglob("*")):
        if not file.is_dir():
            yield file.relative_to(path).as_posix(), (file, 0, file.stat().st_size)


def _in_tar(path: Path) -> Iterator[tuple[str, tuple[Path, int, int]]]:
    seen = set()
    with path.open("rb") as file:
        while (header := file.read(BLOCK)) != bytes(BLOCK):
            name, size = _described(path, header)
            if name in seen:
                refuse(path, f"it holds {name} twice")
            seen.add(name)
            offset = file.tell()
            yield name, (path, offset, size)
            file.seek(offset + size)
            if file.read(-size % BLOCK) != bytes(-size % BLOCK):
                refuse(path, f"it was cut short or changed after {name}")
        if header + file.read(BLOCK + 1) != END:
            refuse(path, "it does not end where an export ends")


def _described(path: Path, header: bytes) -> tuple[str, int]:
    """Name and size of the part that follows; its header must be the one that we write."""
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        if _header(info.name, info.size) == header and info.size >= 0:
            return info.name, info.size
    except (tarfile.HeaderError, ValueError):
        pass
    refuse(path, "it was cut short or changed, or is no export")

"""A fitted model as files: JSON for what it is, npz for the state it had learned; addressed by sha256.

No pickle: the JSON holds hyper-parameters, what data they were fitted on and what they scored; the npz is
read with `allow_pickle=False`. The model's name is the sha256 of its JSON, which names the npz's sha256.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from tipoff.errors import ModelFileError
from tipoff.forecast.params import Params, params_from_dict
from tipoff.forecast.state import FilterState
from tipoff.forecast.table import MatchTable

KIND = "tipoff-gaussian-filter"
FORMAT = 1
KEYS = {"kind", "format", "params", "trained_at", "fit", "data", "measured", "state_sha256"}


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """Hyper-parameters, where they come from, what they scored, and the state after the training data."""

    params: Params
    trained_at: str
    """ISO time in UTC"""
    fit: dict[str, Any]
    data: dict[str, Any]
    measured: dict[str, Any]
    state: FilterState

    def document(self) -> tuple[dict[str, Any], bytes]:
        """The JSON document and the npz it refers to."""
        blob = self.state.to_bytes()
        document = {
            "kind": KIND,
            "format": FORMAT,
            "params": dataclasses.asdict(self.params),
            "trained_at": self.trained_at,
            "fit": self.fit,
            "data": self.data,
            "measured": self.measured,
            "state_sha256": hashlib.sha256(blob).hexdigest(),
        }
        return document, blob

    def save(self, folder: Path) -> str:
        """Write both files into `folder` and return the model's sha256; a file appears whole or not at all."""
        document, blob = self.document()
        text = json.dumps(document, sort_keys=True, indent=1, allow_nan=False).encode()
        sha256 = hashlib.sha256(text).hexdigest()
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"{document['state_sha256']}.npz", blob)
        _write(folder / f"{sha256}.json", text)
        return sha256


def load_model(folder: Path, sha256: str) -> Model:
    """Read a model back; raises ModelFileError when a file is missing, changed, or not ours."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ModelFileError(f"{sha256!r} is not a model's sha256")
    text = _read(folder / f"{sha256}.json", sha256)
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ModelFileError(f"{folder / sha256}.json is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ModelFileError(f"{folder / sha256}.json is not a model of Tipoff")
    if document.get("format") != FORMAT or set(document) != KEYS:
        raise ModelFileError(f"{folder / sha256}.json has another format; this Tipoff reads format {FORMAT}")
    state_name = str(document["state_sha256"])
    if not re.fullmatch(r"[0-9a-f]{64}", state_name):
        raise ModelFileError(f"{folder / sha256}.json names no state file")
    state = FilterState.from_bytes(_read(folder / f"{state_name}.npz", state_name))
    return Model(
        params_from_dict(document["params"]), document["trained_at"], document["fit"], document["data"],
        document["measured"], state,
    )  # fmt: skip


def fingerprint(table: MatchTable) -> dict[str, Any]:
    """What a model was given: count, first and last id, and a sha256 over ids, times and scores."""
    digest = hashlib.sha256("\n".join(table.ids).encode())
    for part in (table.start, table.score_a, table.score_b):
        digest.update(part.tobytes())
    ends = [table.ids[0], table.ids[-1]] if len(table) else [None, None]
    return {"matches": len(table), "first": ends[0], "last": ends[1], "sha256": digest.hexdigest()}


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


def _read(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror}; train again or restore the file") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelFileError(f"{path} was changed or cut short: its sha256 is not its name; train again")
    return content

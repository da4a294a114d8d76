"""A fitted model as files: JSON for what it is, npz for the state it had learned; addressed by sha256.

No pickle: the JSON holds hyper-parameters, what data they were fitted on and what they scored; the npz is
read with `allow_pickle=False`. The model's name is the sha256 of its JSON, which names the npz's sha256.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Any

from tipoff.errors import ModelFileError
from tipoff.forecast.params import Params, params_from_dict
from tipoff.forecast.state import FilterState
from tipoff.forecast.table import MatchTable

KIND = "tipoff-gaussian-filter"
FORMAT = 2
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
        """The JSON document (numbers that are not finite become null) and the npz it refers to."""
        blob = self.state.to_bytes()
        document = {
            "kind": KIND,
            "format": FORMAT,
            "params": _finite(dataclasses.asdict(self.params)),
            "trained_at": self.trained_at,
            "fit": self.fit,
            "data": self.data,
            "measured": self.measured,
            "state_sha256": hashlib.sha256(blob).hexdigest(),
        }
        return document, blob

    def files(self) -> ModelFiles:
        """Both files and the model's name."""
        document, blob = self.document()
        text = json.dumps(document, sort_keys=True, indent=1, allow_nan=False).encode()
        return ModelFiles(hashlib.sha256(text).hexdigest(), document, text, blob)


@dataclasses.dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model as it is stored: its sha256, its document, the document's bytes, the state's bytes."""

    sha256: str
    document: dict[str, Any]
    text: bytes
    blob: bytes

    @property
    def size(self) -> int:
        """Bytes of both files."""
        return len(self.text) + len(self.blob)


def read_model(text: bytes, read_state: Callable[[str], bytes]) -> Model:
    """A model from its document and what `read_state` returns for the sha256 named in it.

    Raises ModelFileError when either is damaged, foreign or of another format.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ModelFileError(f"the model's document is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ModelFileError("the document is not a model of Tipoff")
    if document.get("format") not in (1, FORMAT) or set(document) != KEYS:
        raise ModelFileError(f"the model has another format; this Tipoff reads formats 1 and {FORMAT}")
    name = str(document["state_sha256"])
    if not re.fullmatch(r"[0-9a-f]{64}", name):
        raise ModelFileError("the model names no state")
    return Model(
        params_from_dict(document["params"]), document["trained_at"], document["fit"], document["data"],
        document["measured"], FilterState.from_bytes(read_state(name)),
    )  # fmt: skip


def fingerprint(table: MatchTable) -> dict[str, Any]:
    """What a model was given: count, first and last id, and a sha256 over ids, times and scores."""
    digest = hashlib.sha256("\n".join(table.ids).encode())
    for part in (table.start, table.score_a, table.score_b):
        digest.update(part.tobytes())
    ends = [table.ids[0], table.ids[-1]] if len(table) else [None, None]
    return {"matches": len(table), "first": ends[0], "last": ends[1], "sha256": digest.hexdigest()}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value

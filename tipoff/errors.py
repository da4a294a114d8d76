"""Every error Tipoff raises on purpose.

TipoffError
├── InputError            what a person typed or a file holds is wrong; says what, where, what to do
│   ├── SettingsError     it does not start like that; names each setting and the mend
│   ├── ModelFileError    a model file is damaged, foreign or from another version
│   ├── LeakError         a backtest too good to be true
│   └── AddressError      a webhook's address is none, or leads where it may not
├── UpstreamError
│   ├── TransientUpstreamError    worth another try: 429, 5xx, connection trouble, a body cut short
│   └── TerminalUpstreamError     asking again would get the same answer
└── StorageError          the database cannot be reached, started or brought to the schema
    ├── ConflictError     somebody else wrote first (compare-and-swap lost)
    ├── ArtifactError     a model's file cannot be stored, read, or is not what its name says
    │   └── TransientArtifactError    worth another try
    ├── LedgerError       the record does not verify, or cannot be used
    └── LeaseLostError    another attempt has the job: what this one wrote last was undone
"""

from __future__ import annotations

from collections.abc import Sequence


class TipoffError(Exception):
    """The root: catching it catches everything Tipoff raises on purpose."""


class InputError(TipoffError):
    """What a person typed, or a file holds, is wrong."""


class SettingsError(InputError):
    """Settings with which nothing starts; `faults` are all that is wrong, each a sentence."""

    def __init__(self, faults: Sequence[object]) -> None:
        self.faults = [str(fault) for fault in faults]
        more = "\n  " if len(self.faults) > 1 else " "
        super().__init__("settings:" + "".join(more + fault for fault in self.faults))


class ModelFileError(InputError):
    """A model file is damaged, foreign or from another version."""


class LeakError(InputError):
    """A backtest scored better than honest forecasts can."""


class AddressError(InputError):
    """A webhook's address is none, or leads where it may not."""


class UpstreamError(TipoffError):
    """The league's server could not be read."""


class TransientUpstreamError(UpstreamError):
    """The league's server failed in a way that may pass; `retry_after` is in seconds where it was told."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TerminalUpstreamError(UpstreamError):
    """The league's server refused; asking again would get the same answer."""


class StorageError(TipoffError):
    """The database cannot be reached, started or brought to the schema."""


class ConflictError(StorageError):
    """Somebody else wrote the same row first."""


class ArtifactError(StorageError):
    """A model's file cannot be stored or read, or is not what its name says; `code` is the store's own, if any."""

    code: str = ""


class TransientArtifactError(ArtifactError):
    """The store failed in a way that may pass; `retry_after` is in seconds where it was told."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LedgerError(StorageError):
    """The record does not verify, or cannot be used as asked."""


class LeaseLostError(StorageError):
    """This attempt no longer holds its job."""

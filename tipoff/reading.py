"""From the environment and `.env` to settings, with all that is wrong with them at once."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from tipoff.errors import SettingsError
from tipoff.refusals.every import faults
from tipoff.refusals.given import Fault, Role
from tipoff.settings import Settings, names_of


def environment() -> dict[str, str]:
    """What was given: the environment, and `.env` below it."""
    return {**{name: value for name, value in dotenv_values(".env").items() if value}, **os.environ}


def read_settings(role: Role = Role.COMMAND) -> Settings:
    """Settings from the environment and `.env`; raises SettingsError that names all wrong ones."""
    settings, found = look_at_settings(role)
    if found:
        raise SettingsError(found)
    return settings


def look_at_settings(role: Role) -> tuple[Settings, list[Fault]]:
    """The settings and all that is wrong with them; what cannot be read has its default."""
    settings, found = read_what_can_be()
    return settings, [*found, *faults(settings, environment(), role)]


def read_what_can_be() -> tuple[Settings, list[Fault]]:
    """The settings, with defaults for what cannot be read, and that."""
    try:
        return Settings(), []
    except ValidationError as error:
        wrong, given = unreadable(error), environment()
        return Settings(**_defaults(wrong)), [_as_given(fault, given) for fault in wrong.values()]


def unreadable(error: ValidationError, prefix: str = "") -> dict[str, Fault]:
    """What of the values could not be read, by the name of the setting; the values themselves are not shown."""
    found = {}
    for part in error.errors(include_url=False, include_input=False):
        said = part["msg"].removeprefix("Value error, ")
        if part["loc"]:
            name = prefix + str(part["loc"][0]).upper()
            found[name] = Fault(name, "cannot be read", said)
        else:
            name, _, wrong = said.partition(" ")
            found[name] = Fault(name, wrong, "change one of them")
    return found


def _as_given(fault: Fault, given: Mapping[str, str]) -> Fault:
    """The fault under the name that was used: what reads several names tells of the first."""
    for names in (names_of(field) for field in Settings.model_fields.values()):
        if fault.setting in names:
            return dataclasses.replace(fault, setting=next((n for n in names if given.get(n)), fault.setting))
    return fault


def _defaults(wrong: Mapping[str, Fault]) -> dict[str, Any]:
    """Defaults of settings, by the name under which they were given."""
    return {
        name: field.get_default(call_default_factory=True)
        for field in Settings.model_fields.values()
        for name in names_of(field)
        if name in wrong
    }

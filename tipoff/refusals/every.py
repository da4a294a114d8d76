"""Every look at the settings. Nothing connects; what is found names the setting and the mend, never a secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tipoff.refusals import doubtful, exposure, project, running
from tipoff.refusals.given import Fault, Given, Role
from tipoff.settings import Settings

REFUSED: tuple[Callable[[Given], Iterator[Fault]], ...] = (
    running.quoted, running.missing, project.project, project.service_key, project.anon_key, project.databases,
    exposure.secrets, exposure.twice, exposure.origins, exposure.proxies, exposure.webhooks, running.ports,
    running.models, running.source, running.additions, running.one_service,
)  # fmt: skip


def faults(settings: Settings, environment: Mapping[str, str], role: Role) -> list[Fault]:
    """Everything for which it does not start, at once."""
    given = Given(settings, environment, role)
    return [fault for look in REFUSED for fault in look(given)]


def doubts(settings: Settings, environment: Mapping[str, str]) -> list[Fault]:
    """What starts, and may not be meant."""
    given = Given(settings, environment, Role.COMMAND)
    return [*doubtful.reached(given), *doubtful.opened(given)]

"""A server of each version, as Supabase has it: its roles, an owner that is no superuser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.supabase.project import make_roles, new_project
from tests.versions import VERSIONS, serving

Servers = Callable[[int], str]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The superuser's address of the server of a version, started when it is first asked for."""
    with contextlib.ExitStack() as started:
        known: dict[int, str] = {}

        def server(version: int) -> str:
            if version not in known:
                known[version] = started.enter_context(serving(version))
                make_roles(known[version])
            return known[version]

        yield server


@pytest.fixture(params=VERSIONS)
def project(request: pytest.FixtureRequest, servers: Servers) -> str:
    """The owner's address of an empty project, on each version."""
    return new_project(servers(request.param))

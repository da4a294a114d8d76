"""The fixtures of the integration tests."""

from tests.integration.conftest import application_dsn, dsn, own, owner, pool, server, template

__all__ = ["application_dsn", "dsn", "own", "owner", "pool", "server", "template"]

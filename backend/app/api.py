"""The entry point that deployments name: `uvicorn backend.app.api:app --host 0.0.0.0 --port $PORT`."""

from __future__ import annotations

import sys

from tipoff.app import create_app
from tipoff.errors import SettingsError
from tipoff.refusals.given import Role
from tipoff.starting import REFUSED, checked_settings

try:
    app = create_app(checked_settings(Role.WEB))
except SettingsError as error:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(REFUSED)

"""The entry point that deployments name: `uvicorn backend.app.api:app --host 0.0.0.0 --port $PORT`."""

from __future__ import annotations

from tipoff.app import create_app
from tipoff.settings import read_settings

app = create_app(read_settings())

"""Write docs/openapi.json: the API's description as clients have it, which a test holds the API to."""

from __future__ import annotations

import json
from pathlib import Path

from tipoff.app import create_app
from tipoff.settings import Settings


def main() -> None:
    """Write the file."""
    document = create_app(Settings.model_construct()).openapi()
    Path("docs/openapi.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()

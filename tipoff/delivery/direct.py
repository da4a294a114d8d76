"""Tell the operator's channels without the database: python -m tipoff.delivery.direct, a notice as JSON on stdin.

Webhooks are kept in the database: what they are told of its absence waits until it is back.
"""

from __future__ import annotations

import json
import sys

from tipoff.delivery.channels import channels
from tipoff.delivery.notice import from_json
from tipoff.reading import read_settings


def main() -> int:
    """Exit code 0 where every channel was told."""
    from tipoff.delivery import apprise_channel

    notice = from_json(json.load(sys.stdin))
    failed = 0
    for channel in channels(read_settings().alert_urls):
        tried = apprise_channel.deliver(channel.url, notice, 1)
        if tried.error:
            failed += 1
            sys.stderr.write(f"{channel.name}: {tried.error}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

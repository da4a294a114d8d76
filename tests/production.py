"""A deployment as Render makes it: services by the commands of render.yaml, and only the environment named there."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from tests.jobs import eventually
from tests.web import free_port


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """One service of a blueprint; `asked` are settings that somebody gives by hand."""

    kind: str
    build: str
    before: str | None
    start: str
    environment: dict[str, str]
    asked: list[str]
    health: str | None


def blueprint(file: Path) -> dict[str, Service]:
    """The services of a render.yaml by kind; what it generates is made here, once for a group."""
    document = yaml.safe_load(file.read_text())
    groups = {group["name"]: _values(group["envVars"]) for group in document.get("envVarGroups", [])}
    made = {}
    for one in document["services"]:
        environment = _values(one["envVars"])
        for part in one["envVars"]:
            environment |= groups.get(part.get("fromGroup", ""), {})
        asked = [part["key"] for part in one["envVars"] if part.get("sync") is False]
        made[one["type"]] = Service(
            one["type"], one["buildCommand"], one.get("preDeployCommand"), one["startCommand"], environment, asked,
            one.get("healthCheckPath"),
        )  # fmt: skip
    return made


def _values(parts: list[dict[str, Any]]) -> dict[str, str]:
    return {
        part["key"]: secrets.token_urlsafe(32) if part.get("generateValue") else str(part["value"])
        for part in parts
        if "value" in part or part.get("generateValue")
    }


class Checkout:
    """A source tree and the programs of its virtual environment."""

    def __init__(self, tree: Path, programs: Path) -> None:
        self.tree, self.programs = tree, programs
        self._path = f"{programs}:/usr/bin:/bin"

    @classmethod
    def fresh(cls, source: Path, folder: Path) -> Checkout:
        """A clone, and an environment that the build command is to fill."""
        subprocess.run(["git", "clone", "--quiet", str(source), str(folder / "clone")], check=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        return cls(folder / "clone", folder / "venv" / "bin")

    def run(self, command: str, environment: Mapping[str, str], home: Path, *, output: Path) -> int:
        """A command to its end; its exit code."""
        with self.start(command, environment, home, output=output) as process:
            return process.wait()

    def start(
        self, command: str, environment: Mapping[str, str], home: Path, *, output: Path
    ) -> subprocess.Popen[bytes]:
        """A command of the blueprint in a shell, with nothing of this process's environment."""
        home.mkdir(parents=True, exist_ok=True)
        plain = {"PATH": self._path, "HOME": str(home), "LANG": "C.UTF-8", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        with output.open("ab") as log:
            return subprocess.Popen(
                ["/bin/bash", "-c", f"exec {command}"], cwd=self.tree, env={**plain, **environment},
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip


class Instance:
    """One running instance of a service; a new one has a new disk."""

    def __init__(self, checkout: Checkout, service: Service, settings: Mapping[str, str], folder: Path) -> None:
        self.service, self._checkout = service, checkout
        self.port = free_port()
        self.log = folder / f"{service.kind}-{self.port}.log"
        self._home = folder / f"disk-{self.port}"
        self._environment = {
            **service.environment, **{name: settings[name] for name in service.asked},
            **{name: value for name, value in settings.items() if name not in service.asked},
            "RENDER": "true", "PORT": str(self.port), "RENDER_INSTANCE_ID": f"{service.kind}-{self.port}",
        }  # fmt: skip
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return self._checkout.start(self.service.start, self._environment, self._home, output=self.log)

    @property
    def url(self) -> str:
        """Where a web instance listens."""
        return f"http://127.0.0.1:{self.port}"

    def ready(self, seconds: float = 60.0) -> None:
        """Wait until the platform would send it traffic (a worker: until it takes jobs)."""

        def up() -> bool:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            if self.service.health is None:
                return '"worker"' in self.log.read_text() or "runs " in self.log.read_text()
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.get(self.url + self.service.health, timeout=5.0, trust_env=False)
                return answer.status_code == 200 and answer.json()["database"] == "ok"
            return False

        eventually(up, f"{self.log.name} to be ready", seconds)

    def family(self) -> list[psutil.Process]:
        """It and everything below it."""
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.process.pid)
            return [first, *first.children(recursive=True)]
        return []

    def kill(self, *, whole: bool) -> None:
        """SIGKILL for its first process, or for all at once as when the machine is lost."""
        for process in self.family() if whole else self.family()[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def again(self) -> None:
        """The platform starts a process that died again, on the same disk."""
        self.process = self._start()

    def stop(self, patience: float) -> int:
        """SIGTERM, and the exit code; SIGKILL when it takes longer than the platform waits."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill(whole=True)
            raise


class Balancer:
    """HAProxy before the web instances: health checks as the platform's, and nothing is asked twice of a web."""

    def __init__(self, folder: Path, health: str, places: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._socket = folder / "haproxy.sock"
        self._file = folder / "haproxy.cfg"
        servers = "\n".join(
            f"  server w{n} 127.0.0.1:1 check inter 300ms fall 2 rise 1 disabled" for n in range(places)
        )
        self._file.write_text(
            f"global\n  stats socket {self._socket} mode 600 level admin\n"
            "defaults\n  mode http\n  timeout connect 2s\n  timeout check 3s\n"
            "  timeout client 60s\n  timeout server 60s\n"
            "  retries 2\n  option redispatch 1\n  retry-on conn-failure\n"
            f"frontend site\n  bind 127.0.0.1:{self.port}\n  http-request set-header CF-Connecting-IP %[src]\n"
            f"  default_backend webs\nbackend webs\n  option httpchk GET {health}\n{servers}\n"
        )
        program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            pytest.skip("haproxy is not installed: .ci/run installs it where it can")
        self._process = subprocess.Popen([program, "-f", str(self._file), "-db"], stderr=subprocess.DEVNULL)
        eventually(self._socket.exists, "haproxy to listen")

    def put(self, place: int, instance: Instance) -> None:
        """Send traffic there as well, once it is healthy."""
        self._say(f"set server webs/w{place} addr 127.0.0.1 port {instance.port}")
        self._say(f"set server webs/w{place} state ready")
        self._say(f"enable health webs/w{place}")
        eventually(lambda: self.state(place) == "UP", f"haproxy to see w{place}")

    def take(self, place: int) -> None:
        """No more traffic to that place; what runs ends."""
        self._say(f"set server webs/w{place} state maint")

    def state(self, place: int) -> str:
        """As the proxy sees it: UP, DOWN, MAINT."""
        lines = [line.split(",") for line in self._say("show stat").splitlines() if line.startswith("webs,w")]
        return next(line[17] for line in lines if line[1] == f"w{place}").split()[0]

    def _say(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(self._socket))
            wire.sendall(f"{command}\n".encode())
            said = b""
            while part := wire.recv(65536):
                said += part
        return said.decode()

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


@contextlib.contextmanager
def helper(folder: Path, name: str, *arguments: str) -> Iterator[str]:
    """A server of the tests, in a process of its own; the address that it says on its first line."""
    with (
        (folder / f"{name}.log").open("wb") as log,
        subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=log) as process,
    ):
        try:
            assert process.stdout is not None
            address = process.stdout.readline().decode().split()[-1]
            assert address.startswith("http://"), (folder / f"{name}.log").read_text()
            yield address
        finally:
            process.terminate()

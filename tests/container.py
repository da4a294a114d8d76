"""Builds and runs an image without an engine: by the kernel's own namespaces and overlays, as root on Linux.

The base image is this machine's root file system with the Python of the tests at /usr/local, where the official image
has it, and without what is in people's homes and beside the repository. Each step of the Dockerfile is carried out as
it is written. A container has a root that is read-only, volumes, a network of its own, and no capabilities.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import psutil

from tests.dockerfile import Stage, context, copied, stages
from tests.jobs import ROOT, eventually

HIDDEN = sorted({"root", "home", "tmp", "mnt", ROOT.parts[1]})
ABSENT = ("var/lib/tipoff", "var/cache/tipoff", "opt/tipoff")
"""what Tipoff leaves on a machine, and the base image has not"""
LOOPBACK = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x41))"
"""sets the flags (SIOCSIFFLAGS) of `lo` to up and running"""
LAYER = "mount -t overlay overlay -o {options} {root}"


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """The last stage's files in `layer`, over this machine's."""

    folder: Path
    stage: Stage

    @property
    def layer(self) -> Path:
        """What the last stage wrote."""
        return self.folder / "last" / "upper"

    @property
    def user(self) -> str:
        """Its uid."""
        return self.stage.one("USER").partition(":")[0]


def build(folder: Path) -> Image:
    """Carry out the repository's Dockerfile; `folder` is on a file system of its own (a tmpfs)."""
    made = stages(ROOT / "Dockerfile")
    sent = folder / "context"
    for path in context(ROOT):
        (sent / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, sent / path)
    script = ["mount --make-rprivate /"]
    for stage in made:
        script += _built(stage, folder, stage.name or "last")
    subprocess.run(
        ["unshare", "--mount", "bash", "-euc", "\n".join(script)],
        check=True,
        capture_output=True,
        text=True,
        timeout=500,
    )
    return Image(folder, made[-1])


def _built(stage: Stage, folder: Path, name: str) -> list[str]:
    """The stage as a script."""
    home = folder / name
    for part in ("upper", "work", "root"):
        (home / part).mkdir(parents=True)
    for absent in ABSENT:
        (home / "upper" / absent).parent.mkdir(parents=True, exist_ok=True)
        os.mknod(home / "upper" / absent, stat.S_IFCHR, os.makedev(0, 0))  # an overlay's sign for what is not there
    root, here = str(home / "root"), "/"
    environment = {"PATH": stage.environment["PATH"], "HOME": "/root", **_network()}
    script = [LAYER.format(options=f"lowerdir=/,upperdir={home}/upper,workdir={home}/work", root=root), *_base(root)]
    for instruction, value in stage.steps:
        if instruction == "WORKDIR":
            here = value
            script.append(f"mkdir -p {root}{here}")
        elif instruction == "RUN":
            inside = shlex.quote(f"cd {here} && {value}")
            script.append(f"chroot {root} env -i {_words(environment)} sh -euc {inside}")
        elif instruction == "COPY":
            script += _copy(value, folder, root, here)
        elif instruction == "ENV":
            environment |= stage.environment
    return script


def _base(root: str) -> list[str]:
    """Python at /usr/local; nothing of anybody's, nor the repository."""
    python = sys.base_prefix
    hidden = [f"mount -t tmpfs -o mode=755 tmpfs {root}/{name}" for name in HIDDEN if Path("/", name).is_dir()]
    return [
        *hidden, f"chmod 1777 {root}/tmp",
        f"mkdir -p {root}{python}", f"mount --bind {python} {root}{python}",
        f"mount --bind {python} {root}/usr/local",
        f"mount --bind /dev {root}/dev", f"mount -t proc proc {root}/proc",
    ]  # fmt: skip


def _copy(value: str, folder: Path, root: str, here: str) -> list[str]:
    """A COPY: of a folder what is in it."""
    options, sources, to = copied(value)
    begin = f"{folder}/{options['from']}/root" if "from" in options else f"{folder}/context"
    target = f"{root}{Path(here, to)}"
    script = [f"mkdir -p {target if to.endswith('/') or len(sources) > 1 else Path(target).parent}"]
    for source in sources:
        path = f"{begin}/{source.lstrip('/')}"
        script.append(
            f"if [ -d {path} ]; then mkdir -p {target}; cp -a {path}/. {target}/; else cp -a {path} {target}; fi"
        )
    return [*script, *([f"chown -R {options['chown']} {target}"] if "chown" in options else [])]


def _network() -> dict[str, str]:
    """What pip needs here to find its index: no part of the image."""
    names = ("PIP_", "SSL_CERT", "REQUESTS_CA", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY")
    return {name: value for name, value in os.environ.items() if name.startswith(names)}


def _words(environment: Mapping[str, str]) -> str:
    return " ".join(shlex.quote(f"{name}={value}") for name, value in environment.items())


class Container:
    """The image's command (or another one) as the image's user, with its output in a file.

    `volumes` is where what must last is kept; `mounts` are more folders, by where they are seen inside.
    """

    def __init__(
        self, image: Image, name: str, environment: Mapping[str, str], mounts: Mapping[str, Path], *command: str
    ) -> None:
        self.image, self.log = image, image.folder / f"{name}.log"
        home = image.folder / name
        root, points = home / "root", home / "points"
        root.mkdir(parents=True)
        kept = {path: image.folder / "volumes" / path.strip("/") for path in json.loads(image.stage.one("VOLUME"))}
        script = [
            "mount --make-rprivate /",
            LAYER.format(options=f"lowerdir={points}:{image.layer}:/", root=root), *_base(str(root)),
        ]  # fmt: skip
        for path, source in kept.items():
            if not source.exists():  # as an engine does: a new volume gets what the image has there
                source.parent.mkdir(parents=True, exist_ok=True)
                subprocess.run(["cp", "-a", f"{image.layer}{path}", source], check=True)
        for path, source in {**kept, **mounts}.items():
            (points / path.strip("/")).mkdir(parents=True)
            script.append(f"mount --bind {source} {root}{path}")
        (points / sys.base_prefix.strip("/")).mkdir(parents=True, exist_ok=True)
        script += [
            f"mount -t tmpfs -o mode=1777,noexec,nosuid,nodev,size=64m tmpfs {root}/tmp",
            f"mount -t tmpfs -o mode=1777 tmpfs {root}/dev/shm",
            f"{sys.executable} -c {shlex.quote(LOOPBACK)}",
            f"exec chroot {root} {shlex.join(self._inside({**image.stage.environment, **environment}))}"
            f" {shlex.join(command or json.loads(image.stage.one('CMD')))}",
        ]  # fmt: skip
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--net", "--pid", "--fork", "bash", "-euc", "\n".join(script)],
                stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def _inside(self, environment: Mapping[str, str]) -> list[str]:
        """What comes before a command so that it runs as the image says, with nothing that a container needs not."""
        words = [f"{name}={value}" for name, value in environment.items()]
        here = self.image.stage.all("WORKDIR")[-1]
        return [
            "setpriv", f"--reuid={self.image.user}", f"--regid={self.image.user}", "--clear-groups", "--no-new-privs",
            "--bounding-set=-all", "--inh-caps=-all", "env", "-i", f"--chdir={here}", *words,
        ]  # fmt: skip

    def _entered(self) -> bool:
        found = psutil.Process(self.process.pid).children()
        return bool(found) and found[0].uids().real == int(self.image.user)

    @property
    def first(self) -> psutil.Process:
        """Its process 1."""
        return psutil.Process(self.process.pid).children()[0]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Another command inside, as `docker exec` runs it."""
        return subprocess.run(
            ["nsenter", f"--target={self.first.pid}", "--mount", "--net", "--pid", "--root",
             *self._inside(self.first.environ()), *command],
            check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def healthy(self) -> bool:
        """What the HEALTHCHECK says."""
        return self.run(*self.image.stage.health).returncode == 0

    def __enter__(self) -> Self:
        eventually(lambda: self.process.poll() is not None or self._entered(), "the container to be entered")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.first.kill()  # and with it all that is in its namespace of processes
        self.process.wait(30)

    def stop(self) -> int:
        """The STOPSIGNAL to process 1; its exit code."""
        if self.process.poll() is None:
            self.first.send_signal(signal.Signals[self.image.stage.one("STOPSIGNAL")])
        return self.process.wait(30)

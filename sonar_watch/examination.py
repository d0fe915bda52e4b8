"""What `sonar-watch doctor` looks at: machine, runtimes, weights, folders, sockets, clock."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sonar_watch.detection.detector import has_cuda
from sonar_watch.detection.weights import find_weights
from sonar_watch.errors import WeightsError
from sonar_watch.settings import Settings

LEAST_FREE_GB = 5.0
_RUNTIMES = ("openvino", "torch", "ultralytics", "opencv-python", "numpy", "pyzmq", "watchdog")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at, what was found, and what to do about it."""

    what: str
    state: Literal["good", "note", "wrong"]
    found: str
    advice: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield the findings, in the order in which a start would meet them."""
    yield from _machine()
    yield from _packages()
    yield _gpu()
    yield _weights(settings)
    yield from _folders(settings)
    yield _disk(settings)
    yield from _sockets(settings)
    yield _clock()


def _machine() -> Iterator[Finding]:
    version = platform.python_version()
    good = sys.version_info >= (3, 11)
    advice = "" if good else "install Python 3.11 or newer"
    yield Finding(what="python", state="good" if good else "wrong", found=version, advice=advice)
    cores = os.cpu_count() or 1
    yield Finding(what="processor", state="good", found=f"{cores} cores, {platform.machine()}")


def _packages() -> Iterator[Finding]:
    for name in _RUNTIMES:
        try:
            yield Finding(what=name, state="good", found=importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(
                what=name,
                state="wrong",
                found="not installed",
                advice="pip install 'sonar-watch[detect]'",
            )


def _gpu() -> Finding:
    if has_cuda():
        return Finding(what="GPU", state="good", found="an NVIDIA device node is there")
    return Finding(
        what="GPU",
        state="note",
        found="none",
        advice="detection runs on the CPU; with a GPU fitted, check `nvidia-smi` and the driver",
    )


def _weights(settings: Settings) -> Finding:
    name = settings.detector.weights
    try:
        entry = find_weights(name, settings.detector.models_dir)
    except WeightsError as error:
        advice = "reinstall the package, or name other weights under detector.weights"
        return Finding(what="weights", state="wrong", found=str(error), advice=advice)
    hashes = ", ".join(f"{role} {file.sha256[:12]}" for role, file in entry.files.items())
    return Finding(what="weights", state="good", found=f"{name}: {hashes}")


def _folders(settings: Settings) -> Iterator[Finding]:
    named = [(source.name, source.path) for source in settings.sources.raw]
    named += [(source.name, source.path) for source in settings.sources.images]
    for name, path in named:
        good = path.is_dir() and os.access(path, os.R_OK | os.X_OK)
        yield Finding(
            what=f"source {name}",
            state="good" if good else "wrong",
            found=f"{path}{'' if good else ': not a folder we may read'}",
            advice="" if good else "make it, mount it, or give this user the right to read it",
        )
    if not named:
        yield Finding(
            what="sources",
            state="note",
            found="none configured",
            advice="name folders under sources.raw or sources.images; see check-config",
        )


def _nearest_existing(path: Path) -> Path:
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def _disk(settings: Settings) -> Finding:
    place = _nearest_existing(settings.data_dir)
    free_gb = shutil.disk_usage(place).free / 1e9
    if not os.access(place, os.W_OK):
        return Finding(
            what="data folder",
            state="wrong",
            found=f"{place} cannot be written",
            advice="give this user the right to write, or set data_dir",
        )
    state: Literal["good", "note"] = "good" if free_gb > LEAST_FREE_GB else "note"
    advice = "" if state == "good" else "make room: the journal stops when the disk is full"
    found = f"{settings.data_dir}, {free_gb:.0f} GB free"
    return Finding(what="data folder", state=state, found=found, advice=advice)


def _sockets(settings: Settings) -> Iterator[Finding]:
    for role, endpoint in (
        ("publish", settings.alerts.publish),
        ("request", settings.alerts.request),
    ):
        parts = urlsplit(endpoint)
        if parts.scheme != "tcp" or not parts.port:
            yield Finding(what=f"socket {role}", state="good", found=endpoint)
            continue
        free = _is_free(parts.hostname or "", parts.port)
        yield Finding(
            what=f"socket {role}",
            state="good" if free else "note",
            found=f"{endpoint}: {'free' if free else 'in use'}",
            advice="" if free else "by the running watch? else choose another port under alerts",
        )


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("" if host == "*" else host, port))
        except OSError:
            return False
    return True


def _clock() -> Finding:
    now = datetime.now(UTC)
    good = now.year >= 2024
    return Finding(
        what="clock",
        state="good" if good else "wrong",
        found=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        advice="" if good else "set the clock: start NTP or chrony",
    )

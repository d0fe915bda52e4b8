"""The machine itself: Python, packages, GPU, clock."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sonar_watch.detection.detector import GPU_NODES, has_cuda
from sonar_watch.examination.finding import Finding, good, note, wrong

_RUNTIMES = ("openvino", "torch", "ultralytics", "opencv-python", "numpy", "pyzmq", "watchdog")
_ANSWER_LIMIT_S = 15.0


def look_at_machine() -> Iterator[Finding]:
    """Yield what Python, the processor and the installed packages are."""
    yield good("python", platform.python_version())  # An older one cannot import this.
    yield good("processor", f"{os.cpu_count() or 1} cores, {platform.machine()}")
    for name in _RUNTIMES:
        try:
            yield good(name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield wrong(name, "not installed", "pip install 'sonar-watch[detect]'")


def look_at_gpu(device: str) -> Finding:
    """Return the GPU's name and driver, and whether CUDA works.

    Parameters
    ----------
    device : str
        What the detector is told to use; a GPU that is asked for and unusable is wrong.
    """
    if not any(Path(node).exists() for node in GPU_NODES):
        found, advice = "none", "with a GPU fitted, check `nvidia-smi` and the driver"
    else:
        found = _gpu_name() or "an NVIDIA device node; nvidia-smi says nothing"
        if has_cuda():
            return good("GPU", f"{found}; CUDA works")
        found, advice = f"{found}; CUDA does not work", _cuda_advice()
    if device not in ("auto", "cpu"):
        return wrong("GPU", found, f"detector.device is {device}: set auto or cpu, or {advice}")
    return note("GPU", found, f"detection runs on the CPU; {advice}")


def _gpu_name() -> str:
    """Return name and driver of each GPU, as nvidia-smi says them; "" without it."""
    fields = ("--query-gpu=name,driver_version", "--format=csv,noheader")
    lines = _answer("nvidia-smi", *fields).splitlines()
    named = [line.partition(", ") for line in lines if line]
    return "; ".join(f"{name}, driver {driver}" for name, _, driver in named)


def _cuda_advice() -> str:
    if importlib.util.find_spec("torch") is None:
        return "pip install 'sonar-watch[detect]': torch is what uses CUDA"
    return "install the torch that was built for this driver's CUDA"


def look_at_clock() -> Finding:
    """Return the time, and whether something keeps it right."""
    now = datetime.now(UTC)
    text = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    if now.year < 2024:
        return wrong("clock", text, "set the clock: start NTP or chrony")
    kept = _answer("timedatectl", "show", "-p", "NTPSynchronized", "--value").strip()
    if kept == "yes":
        return good("clock", f"{text}, synchronised")
    if kept == "no":
        return note(
            "clock",
            f"{text}, not synchronised",
            "start NTP or chrony: sentences over UDP are stamped with this clock",
        )
    return note(
        "clock", f"{text}; no word on synchronisation", "check that NTP or chrony keeps it right"
    )


def _answer(*command: str) -> str:
    """Return what a program says; "" when it is missing, fails or hangs."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_ANSWER_LIMIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout

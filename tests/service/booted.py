"""A Debian image booted with systemd-nspawn: the real systemd for the real service."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

DEADLINE_S = 180.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def wait_for(done: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until `done`, with a deadline; fails with what was waited for."""
    end = time.monotonic() + deadline_s
    while not done():
        assert time.monotonic() < end, f"waited {deadline_s} s for {what}"
        time.sleep(0.2)


def missing() -> str | None:
    """Return why no image can be booted here, None when one can."""
    if os.geteuid() != 0:
        return "only root boots an image"
    for program in ("systemd-nspawn", "nsenter", "debootstrap"):
        if shutil.which(program) is None:
            return f"{program} is not installed (apt-get install systemd-container debootstrap)"
    return None


class Machine:
    """One boot of an image; what it writes is forgotten.

    Parameters
    ----------
    image : Path
    binds : sequence of str
        Folders shown inside, read-only, as "OUTSIDE:INSIDE".
    log : Path
        Where what nspawn says goes.
    """

    def __init__(self, image: Path, binds: Sequence[str], log: Path) -> None:
        # Beside the image: nspawn would keep its overlay on the small /run otherwise.
        self._log = log.open("wb")
        self._nspawn = subprocess.Popen(
            ["systemd-nspawn", "--register=no", "--keep-unit", "--directory", str(image),
             "--volatile=overlay", "--private-network", "--boot", "--console=pipe",
             *(f"--bind-ro={bind}" for bind in binds)],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        self._leader = 0
        wait_for(self._has_leader, "the image to boot")
        wait_for(lambda: self.run("systemctl", "is-system-running", check=False).strip()
                 in ("running", "degraded"), "systemd to be up")  # fmt: skip

    def _has_leader(self) -> bool:
        assert self._nspawn.poll() is None, f"nspawn ended: {Path(self._log.name).read_text()}"
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text()
        for child in children.split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                self._leader = int(child)
        return self._leader != 0

    def run(self, *command: str, check: bool = True, timeout_s: float = 300.0) -> str:
        """Run a command inside; return its output, both streams."""
        entered = ["nsenter", "--target", str(self._leader), "--all", "env", "-i", f"PATH={PATH}"]
        done = subprocess.run(
            [*entered, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: {done.returncode}: {done.stdout}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file inside."""
        self.run("python3", "-c", "import sys, pathlib as p; f = p.Path(sys.argv[1]); "
                 "f.parent.mkdir(parents=True, exist_ok=True); f.write_text(sys.argv[2])",
                 path, text)  # fmt: skip

    def show(self, key: str, unit: str = "sonar-watch") -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", unit, f"--property={key}", "--value").strip()

    def journal(self, *options: str) -> str:
        """Return what the service logged."""
        return self.run("journalctl", "--unit=sonar-watch", "--no-pager", *options)

    def close(self) -> None:
        """Power off."""
        if self._leader and self._nspawn.poll() is None:
            self.run("systemctl", "poweroff", "--force", check=False)
        try:
            self._nspawn.wait(30)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait(30)
        self._log.close()

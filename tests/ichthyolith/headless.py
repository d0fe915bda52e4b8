"""A Chromium without a window, spoken to through two pipes: no port, no driver, no package."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from fcntl import F_DUPFD, fcntl
from pathlib import Path
from typing import Any

DEADLINE_S = 240.0
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--no-first-run", "--mute-audio", "--hide-scrollbars",
    "--window-size=1400,1000", "--remote-debugging-pipe",
)  # fmt: skip
_WITH_PIPES = (
    "import os, sys; read, write = map(int, sys.argv[1:3]);"
    "os.dup2(read, 3); os.dup2(write, 4); os.execv(sys.argv[3], sys.argv[3:])"
)
"""Chromium reads commands from its file 3 and writes answers to its file 4."""


def find_browser() -> str | None:
    """Return the path of a Chromium, SONAR_WATCH_TEST_BROWSER's first; None where there is none."""
    names = (os.environ.get("SONAR_WATCH_TEST_BROWSER", ""), *PROGRAMS)
    return next((path for name in names if name and (path := shutil.which(name))), None)


class BrowserError(AssertionError):
    """The browser did not answer, or said no."""


class Browser:
    """One browser with one tab; what the page did wrong is in `complaints`."""

    def __init__(self, program: str, folder: Path) -> None:
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.events: deque[dict[str, Any]] = deque()
        self._number, self._rest, self._session = 0, b"", ""
        self._process, self._from, self._to = _start(program, folder)
        self._call(
            "Browser.setDownloadBehavior",
            behavior="allow",
            eventsEnabled=True,
            downloadPath=str(self.downloads),
        )
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self._call(f"{domain}.enable")
        self._call("Performance.enable", timeDomain="threadTicks")

    def open(self, page: Path) -> None:
        """Load a page from the disk and wait until it is there."""
        self.complaints.clear()
        self.requests.clear()
        self.events.clear()
        self._call("Page.navigate", url=page.resolve().as_uri())
        self.wait_for("Page.loadEventFired")

    def ask(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def worked_s(self) -> float:
        """Return how long the page's thread has had a processor: no other process counts."""
        metrics = self._call("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    def press(self, *keys: str, held: int = 0) -> None:
        """Press keys one after the other; `held` 2 is Ctrl, 8 Shift."""
        for key in keys:
            for kind in ("rawKeyDown", "keyUp"):
                self._call("Input.dispatchKeyEvent", type=kind, key=key, modifiers=held)

    def click(self, selector: str) -> None:
        """Click in the middle of the first element of a selector."""
        place = f"document.querySelector({json.dumps(selector)})"
        x, y = self.ask(
            f"(() => {{ const one = {place}; one.scrollIntoView({{block: 'center'}});"
            "const box = one.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def choose(self, selector: str, value: str) -> None:
        """Put a value into a field, as a person would."""
        self.ask(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            f"one.value = {json.dumps(value)};"
            "for (const kind of ['input', 'change'])"
            "one.dispatchEvent(new Event(kind, {bubbles: true})); })()"
        )

    def give_file(self, selector: str, path: Path) -> None:
        """Choose a file in a file field."""
        found = self._call(
            "Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})"
        )
        self._call("DOM.setFileInputFiles", files=[str(path)], objectId=found["result"]["objectId"])

    def shoot(self, path: Path) -> None:
        """Write what is seen as PNG."""
        picture = self._call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(picture))

    def wait_for(
        self, method: str, fits: Callable[[Mapping[str, Any]], bool] = lambda _: True
    ) -> Mapping[str, Any]:
        """Return what an event says, one that came already or the next."""
        end = time.monotonic() + DEADLINE_S
        while True:
            while self.events:
                event = self.events.popleft()
                if event["method"] == method and fits(event.get("params", {})):
                    return dict(event.get("params", {}))
            self._read(end, method)

    def wait_until(self, expression: str) -> None:
        """Ask the page until it says yes."""
        end = time.monotonic() + DEADLINE_S
        while not self.ask(expression):
            if time.monotonic() > end:
                raise BrowserError(f"waited {DEADLINE_S} s for {expression}")

    def close(self) -> None:
        """End it; kill it when it does not."""
        for pipe in (self._to, self._from):
            os.close(pipe)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = self._send(method, params)
        end = time.monotonic() + DEADLINE_S
        while True:
            body = self._read(end, method)
            if body.get("id") == number:
                if "error" in body:
                    raise BrowserError(f"{method}: {body['error']}")
                return dict(body["result"])

    def _send(self, method: str, params: Mapping[str, Any]) -> int:
        self._number += 1
        body: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session and not method.startswith(("Browser.", "Target.")):
            body["sessionId"] = self._session
        data = json.dumps(body).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        return self._number

    def _read(self, end: float, waited_for: str) -> dict[str, Any]:
        """Return the next message, kept when it is an event."""
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(end - time.monotonic(), 0))
            data = os.read(self._from, 1 << 20) if ready else b""
            if not data:
                raise BrowserError(f"no answer to {waited_for} within {DEADLINE_S} s")
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        body: dict[str, Any] = json.loads(message)
        if "method" in body:
            self._note(body)
        return body

    def _note(self, event: dict[str, Any]) -> None:
        said = event.get("params", {})
        self.events.append(event)
        if event["method"] == "Page.javascriptDialogOpening":
            self._send("Page.handleJavaScriptDialog", {"accept": True})
        elif event["method"] == "Runtime.exceptionThrown":
            self.complaints.append(str(said["exceptionDetails"]))
        elif event["method"] == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.complaints.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")
        elif event["method"] == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])


def _start(program: str, folder: Path) -> tuple[subprocess.Popen[bytes], int, int]:
    """Start the browser; return it and the ends of the pipes from it and to it."""
    flags = [*_FLAGS, f"--user-data-dir={folder / 'profile'}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")
    pipes = [*os.pipe(), *os.pipe()]
    read, to, back, write = (fcntl(pipe, F_DUPFD, 10) for pipe in pipes)  # clear of 3 and 4
    for pipe in pipes:
        os.close(pipe)
    os.set_inheritable(to, False)
    os.set_inheritable(back, False)
    process = subprocess.Popen(
        [sys.executable, "-c", _WITH_PIPES, str(read), str(write), program, *flags],
        pass_fds=(read, write),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(read)
    os.close(write)
    return process, back, to

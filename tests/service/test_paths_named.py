"""A real watch touches no path that its settings do not name: Python's own audit says so."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_process import Service, put_pictures, wait_for

from sonar_watch.alerts.asking import ask, send_review
from sonar_watch.errors import WireError

AUDIT = '''
import json, os, sys

_LOG = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink",
            "os.truncate", "os.chmod", "os.chown", "sqlite3.connect")
_LOOKS = ("os.listdir", "os.scandir")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def _note(event, arguments):
    if event == "open":
        paths, writes = arguments[:1], bool((arguments[2] or 0) & _WRITING)
    elif event in _CHANGES or event in _LOOKS:
        two = event in ("os.rename", "os.link", "os.symlink")
        paths, writes = arguments[: 1 + two], event in _CHANGES
    else:
        return
    for path in paths:
        if isinstance(path, (str, bytes, os.PathLike)):
            line = json.dumps([os.fsdecode(path), writes, event]) + "\\n"
            os.write(_LOG, line.encode())


sys.addaudithook(_note)
'''


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A watch whose every file is noted, in a folder with neighbours that nobody named."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(AUDIT)
    path = os.pathsep.join(filter(None, (str(hook), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("AUDIT_LOG", str(tmp_path / "audit"))
    ship = tmp_path / "ship"
    ship.mkdir()
    made = Service(ship)
    (ship / "private").mkdir()
    (ship / "private" / "x.json").write_text("{}")
    yield made
    made.close()


def touched(log: Path) -> list[tuple[Path, bool, str]]:
    """Return path, whether it was to be changed, and by what, of all that was opened."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return [
        (Path(path.removeprefix("file:").partition("?")[0]), writes, event)
        for path, writes, event in rows
    ]


def test_only_what_is_named_is_read_and_only_the_data_folder_is_written(
    service: Service, tmp_path: Path
) -> None:
    ship, request = service.folder, service.settings["alerts"]["request"]
    put_pictures(ship / "in", 0, 3)
    service.start()
    service.wait_to_hear("READY=1")
    wait_for(lambda: len(service.frames()) == 3, "frames")
    for name in ("../private/x", str(ship / "private" / "x"), "%2e%2e/private/x"):
        with pytest.raises(WireError, match="is of no event"):
            send_review(request, {"event_id": name, "verdict": "rejected"}, 20)
        with pytest.raises(WireError, match="expected verb"):
            ask(request, {"verb": name, "file": name, "path": name}, 20)
    assert service.end()[0] == 0, service.log()
    seen = touched(tmp_path / "audit")
    own = [(path, event) for path, _, event in seen if path.is_relative_to(ship)]
    named = (ship / "in", ship / "data", service.config)
    assert {ship / "in", ship / "data" / "journal.sqlite", service.config} <= {p for p, _ in own}
    assert [each for each in own if not any(each[0].is_relative_to(one) for one in named)] == []
    written = {path for path, writes, _ in seen if writes}
    assert ship / "data" / "journal.sqlite" in written
    beyond = {path for path in written if not path.is_relative_to(ship / "data")}
    assert beyond <= {tmp_path / "audit", Path("/dev/null")}

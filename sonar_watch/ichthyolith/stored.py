"""What is kept of a slide between runs: the result of every step beside what it was made of.

A step is run again when what goes into it is not what went into it before, and only then; the
difference is the reason that is given. Times of change and the like only spare the hashing of
files; what decides is their content.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from sonar_watch.atomic import whole_file
from sonar_watch.ichthyolith.records import Slide, Tile

log = logging.getLogger(__name__)

SCHEMA = "sonar_watch.slide/1"
FIRST_TIME = "not looked at before"

Inputs = Mapping[str, Any]
"""What a step is made of: names and values that JSON knows."""


class SlideRecord:
    """The file of one slide.

    Parameters
    ----------
    path : Path
        Read when it is there; one that is damaged, or of another version, counts as not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = _read(path)
        self._changed = False

    def result(self, step: str, inputs: Inputs, part: str = "") -> Any:
        """Return the kept result of a step, or of a part of it; None when it must be run.

        Parameters
        ----------
        step : str
        inputs : mapping
            What goes into it now.
        part : str
            Such as a tile; parts share the inputs of the step but for the value at their name in
            `inputs["content"]`, when there is one.
        """
        kept = self._parts(step, inputs).get(part)
        if kept is None or kept["content"] != _content_of(inputs, part):
            return None
        return kept["result"]

    def inputs(self, step: str) -> dict[str, Any]:
        """Return what the kept results of a step were made of, {} where there are none."""
        return dict(self._content["steps"].get(step, {}).get("inputs", {}))

    def reason(self, step: str, inputs: Inputs, part: str = "") -> str:
        """Return why a step must be run, in words."""
        kept = self._content["steps"].get(step)
        if kept is None:
            return FIRST_TIME
        differ = [
            f"{name}: {_told(kept['inputs'].get(name))} -> {_told(value)}"
            for name, value in _shared(inputs).items()
            if kept["inputs"].get(name) != value
        ]
        if differ:
            return ", ".join(differ)
        return "its pixels changed" if part in kept["parts"] else FIRST_TIME

    def keep(self, step: str, inputs: Inputs, result: Any, part: str = "") -> None:
        """Keep a result; those of other inputs are forgotten. `save` writes it."""
        self._parts(step, inputs, forget=True)[part] = {
            "content": _content_of(inputs, part), "result": result,
        }  # fmt: skip
        self._changed = True

    def parts(self, step: str) -> set[str]:
        """Return the parts of a step of which there are results, whatever they were made of."""
        return set(self._content["steps"].get(step, {"parts": {}})["parts"])

    def keep_only(self, step: str, parts: set[str]) -> None:
        """Forget the parts of a step that are not among these, such as tiles that are gone."""
        kept = self._content["steps"].get(step, {"parts": {}})["parts"]
        for gone in sorted(set(kept) - parts):
            del kept[gone]
            self._changed = True

    def content_of(self, tile: Tile) -> str:
        """Return the sha256 of a tile's file, hex; read only when it may have changed.

        Raises
        ------
        OSError
            The file cannot be read.
        """
        state = tile.path.stat()
        known: dict[str, Any] = self._content["files"]
        signs = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
        if tile.image not in known or known[tile.image]["signs"] != signs:
            with tile.path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            known[tile.image] = {"signs": signs, "sha256": sha256}
            self._changed = True
        return str(known[tile.image]["sha256"])

    def save(self) -> None:
        """Write what was kept since the last time; the file is whole or the old one."""
        if not self._changed:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self._content, separators=(",", ":"), sort_keys=True)
        with whole_file(self._path) as file:
            file.write(text.encode())
        self._changed = False

    def _parts(self, step: str, inputs: Inputs, *, forget: bool = False) -> dict[str, Any]:
        shared = _shared(inputs)
        kept = self._content["steps"].get(step)
        if kept is None or kept["inputs"] != shared:
            kept = {"inputs": shared, "parts": {}}
            if forget:
                self._content["steps"][step] = kept
        parts: dict[str, Any] = kept["parts"]
        return parts


def record_path(folder: Path, slide: Slide) -> Path:
    """Return the file of a slide below a folder, whatever characters its names have.

    >>> from sonar_watch.ichthyolith.records import Slide
    >>> slide = Slide(site="Site 1", sample="a/b", slide="..", tiles=())
    >>> record_path(Path("kept"), slide).as_posix()
    'kept/Site%201/a%2Fb/%2E..json'
    """
    site, sample, name = map(_as_file_name, (slide.site, slide.sample, slide.slide))
    return folder / site / sample / f"{name}.json"


def _as_file_name(name: str) -> str:
    quoted = quote(name, safe="+,= ()").replace(" ", "%20") or "%00"
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


def plainly(value: Any) -> Any:
    """Return a value as it comes back from a file: fresh and kept results are the same."""
    return json.loads(json.dumps(value))


@cache
def code_of(*modules: str) -> str:
    """Return a hash of the source of modules of this package, hex: another program may find more.

    Parameters
    ----------
    *modules : str
        Such as "detection.decoding", or a package with all below it.
    """
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for module in sorted(modules):
        for path in _sources(root.joinpath(*module.split("."))):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from sorted(place.rglob("*.py"))
    else:
        yield place.with_suffix(".py")


def _shared(inputs: Inputs) -> dict[str, Any]:
    shared: dict[str, Any] = plainly({
        name: value for name, value in inputs.items() if name != "content"
    })
    return shared


def _content_of(inputs: Inputs, part: str) -> Any:
    return plainly(inputs.get("content", {}).get(part))


def _told(value: Any) -> str:
    text = json.dumps(value)
    return f"{text[:12]}...\"" if len(text) > 40 else text


def _read(path: Path) -> dict[str, Any]:
    empty: dict[str, Any] = {"schema": SCHEMA, "files": {}, "steps": {}}
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return empty
    except (OSError, ValueError) as error:
        log.warning("%s: not readable, all of it is done anew: %s", path, error)
        return empty
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        log.warning("%s: expected %s, all of it is done anew", path, SCHEMA)
        return empty
    return content


def remove_remains(folder: Path) -> None:
    """Remove files that a killed run was writing; nobody else may be at work in the folder."""
    for path in folder.rglob(".*.tmp"):
        log.info("%s: half written by a run that ended early; removed", path)
        path.unlink(missing_ok=True)


def lock(folder: Path) -> BinaryIO:
    """Return the open lock file of a folder of results; closing it, or ending, lets go.

    Raises
    ------
    BlockingIOError
        Another process is at work there.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / ".lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    os.set_inheritable(file.fileno(), False)
    return file

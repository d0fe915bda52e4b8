"""What a start opens: the weights, the data folder, its journal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sonar_watch.alerts.reading import JournalReader
from sonar_watch.daemon import JOURNAL_NAME
from sonar_watch.detection.weights import find_weights
from sonar_watch.errors import JournalError, WeightsError
from sonar_watch.examination.finding import Finding, good, note, wrong
from sonar_watch.pipeline.finder import CLASSICAL
from sonar_watch.settings import Settings

LEAST_FREE_GB = 5.0


def look_at_weights(settings: Settings) -> Finding:
    """Return which weights would be used, every file read and its hash compared."""
    name = settings.detector.weights
    if name == CLASSICAL:
        return note("weights", "none, as configured: the classical detector", "name a network's")
    try:
        entry = find_weights(name, settings.detector.models_dir)
    except WeightsError as error:
        advice = "reinstall the package, or name other weights under detector.weights"
        return wrong("weights", str(error), advice)
    try:
        entry.check()
    except WeightsError as error:
        advice = "put the file back as it was, reinstall, or name others under detector.weights"
        return wrong("weights", str(error), advice)
    hashes = ", ".join(f"{role} {file.sha256[:12]}" for role, file in entry.files.items())
    return good("weights", f"{name}: {hashes}")


def look_at_data_folder(path: Path) -> Finding:
    """Return whether the data folder can be written, and how much room there is."""
    place = next(near for near in (path, *path.absolute().parents) if near.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        advice = "give this user the right to write, or set data_dir"
        return wrong("data folder", f"{place} is no folder we may write", advice)
    free_gb = shutil.disk_usage(place).free / 1e9
    found = f"{path}, {free_gb:.0f} GB free"
    if free_gb > LEAST_FREE_GB:
        return good("data folder", found)
    return note("data folder", found, "make room: the journal stops when the disk is full")


def look_at_journal(data_dir: Path) -> Finding:
    """Return what the journal holds, and whether a live watch could go on with it."""
    path = data_dir / JOURNAL_NAME
    if not path.exists():
        return good("journal", "none yet; the first start makes it")
    try:
        with JournalReader(path) as journal:
            tense, counts = journal.tense, journal.counts()
    except JournalError as error:
        return wrong("journal", str(error), "see what it says, or move the file aside")
    found = (
        f"{tense or 'empty'}, {counts['frames']} frames, {counts['alerts']} alerts, "
        f"{counts['quarantined']} quarantined, {_size_mb(path):.1f} MB"
    )
    return _judge(path, tense, found, quarantined=counts["quarantined"])


def _judge(path: Path, tense: str | None, found: str, *, quarantined: int) -> Finding:
    if tense not in (None, "live"):
        return wrong("journal", found, f"a live watch cannot go on with a {tense}: set data_dir")
    if not os.access(path, os.W_OK):
        return wrong("journal", f"{found}; read-only", "give this user the right to write it")
    if quarantined:
        return note("journal", found, f"see why: sonar-watch export {path} --out DIR")
    return good("journal", found)


def _size_mb(path: Path) -> float:
    """Return the size with what is not yet moved into the file itself."""
    parts = (path, path.with_name(f"{path.name}-wal"))
    return sum(part.stat().st_size for part in parts if part.exists()) / 1e6

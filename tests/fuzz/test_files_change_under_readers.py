"""Files that another process cuts, overwrites and replaces while they are read.

Nothing here maps files into memory (a mapped file that is cut kills its reader with SIGBUS);
what is read may be torn at any byte, and must be refused or told, never trusted, never fatal.
"""

import os
import re
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import fuzz_seeds as seeds
import numpy as np
import pytest

import sonar_watch
from sonar_watch import images
from sonar_watch.errors import ImageError
from sonar_watch.formats.datagrams import LineContext
from sonar_watch.formats.rawfile import RawFile
from sonar_watch.formats.sidecar import read_sidecar
from sonar_watch.records import Quarantined, WaterColumnPing

READ_S = 1.5

VANDAL = """\
import os, random, sys
path, whole = sys.argv[1], open(sys.argv[2], "rb").read()
dice = random.Random(11)
print("ready", flush=True)
while True:
    how = dice.randrange(5)
    if how == 0:
        with open(path, "r+b") as file:
            file.truncate(dice.randrange(len(whole)))
    elif how == 1:
        with open(path, "r+b") as file:
            file.seek(dice.randrange(len(whole)))
            file.write(dice.randbytes(dice.randrange(300)))
    elif how == 2:
        with open(path, "ab") as file:
            file.write(whole[dice.randrange(len(whole)):])
    elif how == 3:
        with open(path + ".new", "wb") as file:
            file.write(whole)
        os.replace(path + ".new", path)
    else:
        with open(path, "wb") as file:
            file.write(whole)
"""


@contextmanager
def vandalised(path: Path, whole: bytes):
    """Let a process do its worst to `path` for as long as this is open."""
    kept = path.with_name("kept")
    kept.write_bytes(whole)
    path.write_bytes(whole)
    process = subprocess.Popen(
        [sys.executable, "-c", VANDAL, str(path), str(kept)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


def until_time_is_up():
    """Yield again and again for `READ_S`."""
    ends_s = time.monotonic() + READ_S
    while time.monotonic() < ends_s:
        yield


@pytest.mark.parametrize("suffix", [".kmwcd", ".wcd"])
def test_raw_files(tmp_path, suffix):
    whole = seeds.raw_files()[suffix == ".wcd"][1:] * 4
    path = tmp_path / f"0001{suffix}"
    sound = {ping.frame_id: ping for ping in _pings(tmp_path / f"0002{suffix}", whole)}
    found = 0
    with vandalised(path, whole):
        for _ in until_time_is_up():
            with closing(RawFile(path, source="x", context=LineContext())) as raw:
                for item in (*raw.read(), *raw.read(), *raw.finish()):
                    if isinstance(item, WaterColumnPing) and item.frame_id in sound:
                        found += 1
                    elif isinstance(item, Quarantined):
                        assert item.reason
    assert found > 0
    path.write_bytes(whole)
    assert {ping.frame_id for ping in _pings(path, whole)} == set(sound)


def _pings(path: Path, data: bytes) -> list[WaterColumnPing]:
    path.write_bytes(data)
    with closing(RawFile(path, source="x", context=LineContext())) as raw:
        return [item for item in raw.finish() if isinstance(item, WaterColumnPing)]


def test_a_reader_whose_file_is_cut_behind_it_waits_and_goes_on(tmp_path):
    path = tmp_path / "0001.kmall"
    whole = seeds.raw_files()[0][1:]
    path.write_bytes(whole)
    with closing(RawFile(path, source="x", context=LineContext())) as raw:
        first = raw.read(1)
        os.truncate(path, 10)
        assert raw.read() == []
        path.write_bytes(whole)  # the same file again, as long as before
        rest = raw.finish()
    pings = [item for item in first + rest if isinstance(item, WaterColumnPing)]
    assert len(pings) == len(_pings(tmp_path / "0002.kmall", whole))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_pictures(tmp_path, suffix):
    cv2 = pytest.importorskip("cv2")
    grey = (np.arange(300 * 400) % 253).astype(np.uint8).reshape(300, 400)
    path = tmp_path / f"0001{suffix}"
    found = refused = 0
    with vandalised(path, cv2.imencode(suffix, grey)[1].tobytes()):
        for _ in until_time_is_up():
            try:
                assert images.read_image(path).shape[:2] == grey.shape
                found += 1
            except ImageError:
                refused += 1
    assert found > 0
    assert refused > 0


def test_sidecars(tmp_path):
    path = tmp_path / "0001.json"
    found = 0
    with vandalised(path, seeds.sidecars()[1]):
        for _ in until_time_is_up():
            try:
                found += read_sidecar(path).ping_counter == 17
            except ValueError as error:
                assert type(error).__name__ == "FormatError"  # noqa: PT017 - most are refused
    assert found > 0


def test_nothing_maps_files_into_memory():
    package = Path(sonar_watch.__file__).parent
    mapped = re.compile(r"\bmmap\b|\bmemmap\b|mmap_mode")
    assert [path.name for path in package.rglob("*.py") if mapped.search(path.read_text())] == []

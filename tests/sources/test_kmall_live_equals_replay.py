"""One cruise, heard live over UDP in parts and replayed from its files: the same alerts."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kmall_sender import Sender, packets_of, stream_of
from sources_builders import Clock

from sonar_watch.daemon import Watch
from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.pipeline.stages import PipelineOptions
from sonar_watch.settings import Settings
from sonar_watch.simulation.cruise import demo_survey
from sonar_watch.simulation.writing import sail
from sonar_watch.sources.kmall_udp import KmallFeedOptions, KmallFeedSource
from sonar_watch.sources.raw import RawFolderSource, RawOptions
from sonar_watch.sources.replay import open_inputs
from sonar_watch.sources.source import Source

# Packets are never sent faster than they are taken: as long as the host needs.
pytestmark = pytest.mark.timeout(400)

THE_END = b"no datagram: counted as broken when all before it is taken"
WHERE_READ = {"source", "file", "offset"}


@pytest.fixture(scope="module")
def cruise(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], int]:
    """Return the files of two short lines past a plume, and how many swaths they hold."""
    survey = demo_survey()
    first, second = survey.lines
    lines = (replace(first, north_m=-330.0, length_m=140.0),
             replace(second, north_m=-180.0, length_m=60.0,
                     start_utc=replace(first, length_m=140.0).end_utc))
    folder = tmp_path_factory.mktemp("cruise")
    swaths = sum(1 for _ in sail(replace(survey, lines=lines), folder))
    return sorted((folder / "raw").iterdir()), swaths


def settings_in(folder: Path) -> Settings:
    return Settings(
        data_dir=folder, detector=DetectorOptions(weights="classical", confidence=0.5),
        pipeline=PipelineOptions(evidence=False),
    )


def told_by(watch: Watch) -> tuple[list[Any], list[Any]]:
    """Return alerts and frames without where they were read, and without the tense."""
    alerts = []
    for _, _, body in watch.journal.alerts_after(0, 10_000):
        properties = json.loads(body)["properties"]
        alerts.append({"id": properties["event_id"], "all": _stripped(json.loads(body))})
    frames = [_stripped(body) for body in watch.journal.frame_bodies()]
    return alerts, frames


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stripped(each) for key, each in value.items()
                if key not in WHERE_READ | {"tense", "code"}}
    return [_stripped(each) for each in value] if isinstance(value, list) else value


class Recording(Watch):
    """A watch that remembers what it told when it ends."""

    told: tuple[list[Any], list[Any]]

    def close(self) -> None:
        self.told = told_by(self)
        super().close()


def replay(paths: list[Path], folder: Path) -> tuple[list[Any], list[Any]]:
    watch = Recording(
        settings_in(folder), lambda journal, wake: open_inputs(paths, None, journal),
        tense="replay", publish=False)
    watch.run()
    return watch.told


def hear(
    packets: list[bytes], swaths: int, folder: Path, *, beside: Path | None = None
) -> tuple[list[Any], list[Any], Any]:
    """Watch live while the packets are sent, and a folder; stop when so many swaths are done.

    The sources' clock stands still until all is taken: how busy this host is changes nothing.
    """
    made: list[KmallFeedSource] = []
    clock = Clock()

    def listen(journal: Any, wake: threading.Event) -> list[Source]:
        options = KmallFeedOptions(address="127.0.0.1")
        made.append(KmallFeedSource(options, journal, wake=wake, clock=clock))
        files = [] if beside is None else [
            RawFolderSource(RawOptions(path=beside), journal, wake=wake, clock=clock)]
        return [*made, *files]

    watch = Recording(settings_in(folder), listen, publish=False)
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        if done == swaths:
            watch.stop()

    ended = threading.Event()
    with Sender(made[0].port) as sender:
        sending = threading.Thread(target=lambda: _send(sender, packets, made[0], clock, ended))
        sending.start()
        try:
            watch.run(count)
        finally:
            ended.set()
            sending.join()
    return *watch.told, made[0].counts()


def _send(
    sender: Sender, packets: list[bytes], source: KmallFeedSource, clock: Clock,
    ended: threading.Event,
) -> None:
    """Send no faster than they are taken; when the last is, let the sounder be silent."""
    for packet in [*packets, THE_END]:
        while source.counts()["backlog"] > 64 and not ended.wait(0.005):
            pass
        sender.send(packet)
    while not _end_is_taken(source) and not ended.wait(0.005):
        pass
    clock.pass_by(1000)


def _end_is_taken(source: KmallFeedSource) -> bool:
    counts = source.counts()
    return counts["broken"] > counts["dropped"]  # swaths that lack a part are in both


@pytest.fixture(scope="module")
def replayed(
    cruise: tuple[list[Path], int], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Any], list[Any]]:
    return replay(cruise[0], tmp_path_factory.mktemp("replay"))


def test_live_in_parts_and_replay_tell_the_same(
    cruise: tuple[list[Path], int], replayed: tuple[list[Any], list[Any]], tmp_path: Path
) -> None:
    paths, swaths = cruise
    recorded, frames = replayed
    assert len(recorded) >= 2
    packets = packets_of(stream_of(paths), seed=7, largest=16_000, repeat=0.02)
    assert len(packets) > 8 * swaths
    heard, heard_frames, counts = hear(packets, swaths, tmp_path / "live")
    assert heard_frames == frames
    assert heard == recorded
    assert (counts["lost_parts"], counts["dropped"]) == (0, 0)


def test_what_the_network_lost_is_missing_whole_and_nothing_else_is(
    cruise: tuple[list[Path], int], replayed: tuple[list[Any], list[Any]], tmp_path: Path
) -> None:
    paths, swaths = cruise
    lost = {5: 2, 6: 0, 20: 1, 33: 3}
    packets = packets_of(
        stream_of(paths), seed=8, largest=16_000,
        lose=lambda swath, part: lost.get(swath) == part)
    _, frames, counts = hear(packets, swaths - len(lost), tmp_path / "live")
    ids = [frame["frame_id"] for frame in replayed[1]]
    left = [each for place, each in enumerate(ids) if place not in lost]
    assert [frame["frame_id"] for frame in frames] == left
    assert (counts["lost_parts"], counts["dropped"]) == (4, 4)


def test_files_beside_the_network_fill_what_it_lost_and_repeat_nothing(
    cruise: tuple[list[Path], int], replayed: tuple[list[Any], list[Any]], tmp_path: Path
) -> None:
    paths, swaths = cruise
    packets = packets_of(
        stream_of(paths), seed=9, largest=16_000,
        lose=lambda swath, part: swath % 9 == 4 and part == 1)
    _, frames, counts = hear(packets, swaths, tmp_path / "live", beside=paths[0].parent)
    assert counts["dropped"] == 5
    assert sorted(frame["frame_id"] for frame in frames) == sorted(
        frame["frame_id"] for frame in replayed[1])


def test_a_watch_begun_again_amid_a_line_draws_what_an_undisturbed_one_does(
    cruise: tuple[list[Path], int], replayed: tuple[list[Any], list[Any]], tmp_path: Path
) -> None:
    paths, _ = cruise
    stream = stream_of(paths[:2])
    water = [place for place, each in enumerate(stream) if each[4:8] == b"#MWC"]
    cut = water[len(water) // 2]
    first, rest = stream[:cut], stream[cut:]
    assert not any(each[4:8] in (b"#IIP", b"#SVP") for each in rest)
    count = sum(each[4:8] == b"#MWC" for each in first)
    hear(packets_of(first, seed=3, largest=16_000), count, tmp_path)
    _, frames, counts = hear(
        packets_of(rest, seed=4, largest=16_000), len(water) - count, tmp_path)
    assert counts["without_setup"] == 0
    undisturbed = {frame["frame_id"]: frame for frame in replayed[1]}
    assert len(frames) == len(water)
    # Some about the cut lack navigation on one side of it.
    same = [frame for frame in frames if frame == undisturbed[frame["frame_id"]]]
    assert len(same) >= len(water) - 4
    assert frames[-1] == undisturbed[frames[-1]["frame_id"]]

"""What a network is shown of a slide: particles alone find what looking everywhere finds."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tinyslides import DISC_PX, TILE_PX, Disc, add_detector, draw_glass

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.detection.detector import Detector, DetectorOptions, open_detector
from sonar_watch.ichthyolith.networks import Networks
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.particles import LEVEL
from sonar_watch.ichthyolith.searching import Search
from sonar_watch.ichthyolith.stored import SlideRecord
from sonar_watch.ichthyolith.sweep import Found, found_inputs, sweep
from sonar_watch.ichthyolith.tree import read_tree


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disc models")
    add_detector(folder)
    return folder


@pytest.fixture(scope="module")
def detector(models_dir: Path) -> Iterator[Detector]:
    opened = open_detector(DetectorOptions(weights="discs", confidence=0.3, device="cpu",
                                           threads=1, models_dir=models_dir))  # fmt: skip
    yield opened
    opened.close()


def isolated(seed: int) -> list[Disc]:
    """Return discs that neither touch each other nor the edge."""
    rng = np.random.default_rng(seed)
    places: list[tuple[int, int]] = []
    for x, y in rng.integers(60, TILE_PX - 60, (40, 2)).tolist():
        if all(max(abs(x - a), abs(y - b)) > DISC_PX + 50 for a, b in places):
            places.append((x, y))
    names = rng.choice(["tooth", "denticle", "noise"], len(places)).tolist()
    return [Disc(name, x, y) for name, (x, y) in zip(names, places, strict=True)]


def tile(seed: int) -> ByteImage:
    """Return a tile of which the light falls off to one side."""
    fall = np.linspace(0.75, 1.0, TILE_PX)[None, :, None]
    return (draw_glass(TILE_PX, TILE_PX, isolated(seed), seed) * fall).astype(np.uint8)


def in_order(found: Detections) -> list[tuple[str, float, list[float]]]:
    return sorted((one.class_name, one.xyxy[0], list(one.xyxy)) for one in found)


@pytest.mark.parametrize("seed", range(8))
def test_particles_alone_give_what_everywhere_gives(detector: Detector, seed: int) -> None:
    image = tile(seed)
    (some,) = Search(detector, TILE_PX, "particles").detect([image])
    (every,) = Search(detector, TILE_PX, "everywhere").detect([image])
    assert len(every) == len(isolated(seed)) >= 1
    assert [one[0] for one in in_order(some)] == [one[0] for one in in_order(every)]
    # The network answers on a grid of 8 px of the tile, and sees every second one.
    np.testing.assert_allclose([one[2] for one in in_order(some)],
                               [one[2] for one in in_order(every)], atol=10)  # fmt: skip
    np.testing.assert_allclose(np.sort(some.confidence), np.sort(every.confidence), atol=0.12)


@dataclass
class Watched:
    """A detector, and the shapes and grey levels it was shown."""

    detector: Detector
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)

    def detect(self, images: Sequence[ByteImage]) -> list[Detections]:
        self.shapes += [image.shape for image in images]
        self.levels += [float(np.median(image)) for image in images]
        return self.detector.detect(images)


def test_a_window_s_boxes_do_not_depend_on_what_else_waits(detector: Detector) -> None:
    images = [tile(seed) for seed in range(5)]
    search = Search(detector, TILE_PX, "particles")
    together = search.detect(images)
    assert together == [search.detect([image])[0] for image in images]
    assert together == search.detect(images[::-1])[::-1]


def test_glass_alone_costs_no_network_and_a_full_window_is_shown_whole(detector: Detector) -> None:
    watched = Watched(detector)
    search = Search(watched, TILE_PX, "particles")
    bare = np.full((TILE_PX, TILE_PX, 3), 130, np.uint8)
    assert [len(one) for one in search.detect([bare, bare])] == [0, 0]
    assert watched.shapes == []
    full = draw_glass(TILE_PX, TILE_PX,
                      [Disc("tooth", x, y) for x in range(40, 300, 80) for y in range(40, 300, 80)])
    one = draw_glass(TILE_PX, TILE_PX, [Disc("tooth", 150, 150)])
    found = search.detect([full, bare, one])
    assert watched.shapes == [(TILE_PX, TILE_PX, 3), (TILE_PX // 2, TILE_PX, 3)]
    assert [len(some) for some in found] == [16, 0, 1]
    assert search.windows == 5
    assert search.shown == pytest.approx(1.5)


def test_what_is_smaller_than_a_window_is_seen_as_large(detector: Detector) -> None:
    image = tile(3)[:250, :290]
    for where in ("particles", "everywhere"):
        watched = Watched(detector)
        (found,) = Search(watched, TILE_PX, where).detect([image])
        assert len(found) >= 1
        assert watched.shapes[0][1] == TILE_PX
        assert ((found.xyxy[:, 2:] - found.xyxy[:, :2]) <= DISC_PX + 1).all()
    with pytest.raises(ValueError, match="up to 200 px"):
        Search(detector, 200, "everywhere").detect([image])


def test_the_network_is_shown_flattened_pictures_either_way(detector: Detector) -> None:
    watched = Watched(detector)
    for where in ("particles", "everywhere"):
        Search(watched, TILE_PX, where).detect([tile(1)])
    assert watched.levels == pytest.approx([LEVEL, LEVEL], abs=2)


def found_on(root: Path, options: SlideOptions) -> dict[str, tuple[Found, ...]]:
    (slide,), _ = read_tree(root)
    networks = Networks(options)
    record = SlideRecord(root / "record.json")
    inputs = found_inputs(networks.entry, networks.floor, options)
    swept = sweep(slide, record, networks.open_detector, inputs, options, lambda _: None)
    networks.close()
    (root / "record.json").unlink()
    return dict(swept.found)


def test_strips_of_a_large_image_give_what_the_whole_image_gives(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    discs = [Disc("tooth", 100, 100), Disc("denticle", 420, 130), Disc("tooth", 260, 560),
             Disc("noise", 500, 600)]  # fmt: skip
    folder = tmp_path / "S1" / "S1_001"
    folder.mkdir(parents=True)
    assert cv2.imwrite(str(folder / "S1_001.png"), draw_glass(640, 700, discs))
    options = SlideOptions(weights="discs", stages="one", confidence=0.3, window_px=TILE_PX,
                           overlap_px=64, device="cpu", threads=1,
                           models_dir=models_dir)  # fmt: skip
    with caplog.at_level(logging.INFO):
        whole = found_on(tmp_path, options)
    assert "9 windows were shown to the network as" in caplog.text
    monkeypatch.setattr("sonar_watch.ichthyolith.regions.WHOLE_PX", 1000)
    assert found_on(tmp_path, options) == whole
    (boxes,) = whole.values()
    sure = [one for one in boxes if one.confidence > 0.6]
    assert {one.class_name for one in sure} == {"tooth", "denticle", "noise"}
    (every,) = found_on(tmp_path, replace(options, search="everywhere")).values()
    assert sorted(one.class_name for one in every if one.confidence > 0.6) == sorted(
        one.class_name for one in sure
    )

"""Tiles per second beside `yolo predict`, with the weights that the project ships."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tinyslides import Disc, draw_slide

from sonar_watch.detection.weights import find_weights
from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.trials.slide_speed import measure_speed

MODELS = Path(__file__).parents[2] / "models"


def test_images_that_yolo_predict_would_shrink_are_refused(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "A_001.png"), np.full((1400, 1300, 3), 135, np.uint8))
    with pytest.raises(ConfigurationError, match="expected tiles of at most 1200 px, found none"):
        measure_speed(tmp_path, SlideOptions(weights="plume-n"))


@pytest.mark.slow
def test_both_ways_are_timed_on_the_same_tiles(tmp_path: Path) -> None:
    """The weights for plumes serve: speed does not ask what is found."""
    entry = find_weights("plume-n", MODELS)
    models = tmp_path / "models"
    models.mkdir()
    for file in entry.files.values():
        (models / file.path.name).symlink_to(file.path)
    text = (MODELS / "MANIFEST.yaml").read_text()
    renamed = text.replace("scores: {}", "class_map: {signal: tooth}")
    (models / "MANIFEST.yaml").write_text(renamed)
    places = {(0, 960 * number): (0, 945 * number) for number in range(3)}
    draw_slide(tmp_path / "tiles", [Disc("tooth", 300, 300)], places, size_px=1200)
    options = SlideOptions(weights="plume-n", stages="one", models_dir=models, device="cpu")
    ticks: list[int] = []
    report = measure_speed(
        tmp_path / "tiles", options, turns=2, most_tiles=2, advance=lambda: ticks.append(1)
    )
    assert (report.tiles, report.turns, len(ticks)) == (2, 2, 9)
    assert report.ratio == pytest.approx(report.ours / report.theirs)
    assert min(report.ours_cpu_s, report.theirs_cpu_s) > 0
    assert min(report.ratio_low, report.ours_whole) > 0
    assert report.ours_runtime.startswith("openvino")
    assert report.theirs_runtime.endswith("cpu")

"""Curves can be drawn of anything that can be scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonar_watch.detection.detections import Detections
from sonar_watch.images import read_image
from sonar_watch.learning.evaluation import MATCHINGS
from sonar_watch.learning.matching import judge
from sonar_watch.learning.plots import draw_plots
from sonar_watch.learning.truth import PictureTruth, TrueObject

pytest.importorskip("matplotlib")
NAMES = ("signal", "noise")


@pytest.mark.parametrize("contrasts", [(), (3.2, 9.0, 30.0)])
def test_four_pictures_come_out(tmp_path: Path, contrasts: tuple[float, ...]) -> None:
    boxes = [TrueObject(class_name="signal", xyxy=(0, 0, 9, 9), contrast_db=c) for c in contrasts]
    truth = [PictureTruth(image=Path("x.png"), objects=(one,)) for one in boxes]
    found = [Detections.from_rows([(0, 0, 9, 9, 0.7, 0)], NAMES) for _ in boxes]
    judged = [judge(found, truth, NAMES, one) for one in MATCHINGS]
    paths = draw_plots(judged, MATCHINGS, 0.5, tmp_path / "plots")
    assert len({path.name for path in paths}) == 4
    assert all(read_image(path).shape[0] > 300 for path in paths)

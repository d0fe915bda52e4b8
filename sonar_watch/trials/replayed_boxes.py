"""Single boxes of a replay beside the truth of a cruise: raw files, scored like pictures.

Boxes are compared in metres, across-track and depth: their overlap is the same as in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import FormatError
from sonar_watch.learning.evaluation import MATCHINGS
from sonar_watch.learning.matching import Judgement, judge
from sonar_watch.learning.truth import PictureTruth, TrueObject
from sonar_watch.records import GeolocatedFrame
from sonar_watch.simulation.labels import CLASS_NAMES, FAINTEST_DB
from sonar_watch.trials.replayed import read_found, read_seen
from sonar_watch.trials.simulated import SeenSwath


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedReplay:
    """What became of every box of a replay.

    Parameters
    ----------
    judged : tuple of Judgement
        One for each of `learning.evaluation.MATCHINGS`.
    confidence : float
        Of the least sure box that is there, rounded down: the watch kept none below its threshold.
    left_out : int
        Swaths of the cruise that the replay did not see.
    """

    judged: tuple[Judgement, ...]
    confidence: float
    left_out: int


def judge_replay(cruise: Path, replay: Path) -> JudgedReplay | None:
    """Return what became of the boxes that no veto turned down; None without truth of swaths.

    Parameters
    ----------
    cruise : Path
        With `truth.json` and `truth_boxes.jsonl`, as `simulate` writes them.
    replay : Path
        With `detections.jsonl`, as `replay` writes it.

    Raises
    ------
    FormatError
        A broken line, or no swath in common.
    """
    seen, frames = read_seen(cruise), read_found(replay)
    if seen is None or frames is None:
        return None
    known = {frame.frame_id: frame for frame in frames}
    both = [swath for swath in seen if swath.frame_id in known]
    if not both:
        raise FormatError(
            f"expected swaths of {cruise}, received {len(known)} others",
            file=str(replay / "detections.jsonl"),
        )
    found = [_found(known[swath.frame_id]) for swath in both]
    truth = [_truth(swath) for swath in both]
    return JudgedReplay(
        judged=tuple(judge(found, truth, CLASS_NAMES, matching) for matching in MATCHINGS),
        confidence=_least_sure(found),
        left_out=len(seen) - len(both),
    )


def _least_sure(found: Sequence[Detections]) -> float:
    lowest = min((float(one.confidence.min()) for one in found if len(one)), default=1.0)
    return math.floor(100 * lowest) / 100  # below it, also after single precision


def _found(frame: GeolocatedFrame) -> Detections:
    rows = [
        (one.across_track_m[0], one.depth_m[0], one.across_track_m[1], one.depth_m[1],
         one.confidence, CLASS_NAMES.index(one.class_name))
        for one in frame.detections if one.veto is None and one.class_name in CLASS_NAMES
    ]
    return Detections.from_rows(np.array(rows, float).reshape(-1, 6), CLASS_NAMES)


def _truth(swath: SeenSwath) -> PictureTruth:
    return PictureTruth(
        image=Path(swath.frame_id),
        survey=swath.line,
        kind="raw",
        objects=tuple(
            TrueObject(
                class_name=box.class_name,
                xyxy=(box.across_track_m[0], box.depth_m[0], box.across_track_m[1],
                      box.depth_m[1]),
                contrast_db=box.contrast_db,
                ignored=box.contrast_db < FAINTEST_DB,
                name=box.name,
            )
            for box in swath.boxes
        ),
    )

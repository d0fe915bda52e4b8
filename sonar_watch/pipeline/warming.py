"""The first inference, before anything is promised: it is the slow one, and the one that fails."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

import numpy as np

from sonar_watch.pipeline.stages import PlumeDetector
from sonar_watch.records import FrameGeometry, SourceRef, WaterColumnFrame

log = logging.getLogger(__name__)

_ROWS_OF_COLUMNS = 0.6
"""A fan to both sides is wider than deep."""


def warm(detector: PlumeDetector, width_px: int) -> float:
    """Look for plumes in an empty picture; return the seconds that took.

    What a GPU or a just-in-time compiler does once is done then, and a runtime that loads but
    does not run is found out before the watch says that it is ready.

    Parameters
    ----------
    detector : PlumeDetector
    width_px : int
        Longest side of the pictures to come.

    Raises
    ------
    InferenceError
        The runtime failed.
    """
    began_s = time.monotonic()
    height_px = max(1, round(_ROWS_OF_COLUMNS * width_px))
    geometry = FrameGeometry(left_m=-500.0, right_m=500.0, top_m=0.0, bottom_m=600.0,
                             width_px=width_px, height_px=height_px, transducer_depth_m=0.0,
                             beam_width_deg=1.0)  # fmt: skip
    pixels = np.zeros((height_px, width_px, 3), np.uint8)
    frame = WaterColumnFrame(
        frame_id="warming", time_utc=datetime.fromtimestamp(0, UTC), sounder="none", image=pixels,
        geometry=geometry, source=SourceRef(source="warming", file="none"),
        encoding="layers", absolute=pixels[..., 0],
    )  # fmt: skip
    detector.find([frame])
    took_s = time.monotonic() - began_s
    log.info("the first inference took %.1f s", took_s)
    return took_s

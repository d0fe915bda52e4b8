"""Which detector is tried on labelled pictures: a network by name, or none at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from sonar_watch.detection.detections import Detections
from sonar_watch.detection.detector import DetectorOptions, open_detector, threshold
from sonar_watch.detection.weights import find_weights
from sonar_watch.records import ByteImage, FrameGeometry, SourceRef, WaterColumnFrame
from sonar_watch.trials.recording import LOWEST_CONFIDENCE
from sonar_watch.watercolumn.classical import ClassicalDetector
from sonar_watch.watercolumn.raster import RasterOptions

CLASSICAL = "classical"
"""In place of the name of weights: the detector without a network."""

CONTRAST = 1
"""Channel of the layered encoding that a grey picture would show."""

Encoding = Literal["as is", "grey"]
Find = Callable[[Sequence[ByteImage]], list[Detections]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """A detector that gives everything down to a low threshold.

    Parameters
    ----------
    name : str
        Of the weights.
    sha256 : str
        Of the weights; the name again when there are none.
    confidence : float
        Its working threshold.
    find : callable
        From pictures, grey or BGR, to what is in each.
    """

    name: str
    sha256: str
    confidence: float
    find: Find


@contextmanager
def open_finder(options: DetectorOptions, encoding: Encoding = "as is") -> Iterator[Finder]:
    """Give the detector that the options name.

    Parameters
    ----------
    options : DetectorOptions
        `weights` may be "classical".
    encoding : {"as is", "grey"}
        "grey": of layered pictures only the contrast is shown, as a plain picture would.

    Raises
    ------
    WeightsError
        There are no such weights.
    """
    if options.weights == CLASSICAL:
        find = _seen_as(encoding, find_classical)
        yield Finder(name=CLASSICAL, sha256=CLASSICAL, confidence=threshold(options), find=find)
        return
    detector = open_detector(replace(options, confidence=LOWEST_CONFIDENCE))
    try:
        yield Finder(
            name=options.weights,
            sha256=detector.weights_sha256,
            confidence=working_confidence(options),
            find=_seen_as(encoding, detector.detect),
        )
    finally:
        detector.close()


def working_confidence(options: DetectorOptions) -> float:
    """Return the threshold that a watch with these options works at.

    Raises
    ------
    WeightsError
        There are no such weights.
    """
    if options.weights == CLASSICAL:
        return threshold(options)
    entry = find_weights(options.weights, options.models_dir)
    return threshold(options, entry.false_alerts_per_hour)


def weights_word(options: DetectorOptions) -> str:
    """Return the hash of the weights, or "classical"."""
    if options.weights == CLASSICAL:
        return CLASSICAL
    return find_weights(options.weights, options.models_dir).sha256


def _seen_as(encoding: Encoding, find: Find) -> Find:
    if encoding == "as is":
        return find
    return lambda images: find([as_grey(image) for image in images])


def as_grey(image: ByteImage) -> ByteImage:
    """Return the contrast layer of a picture, in three equal channels."""
    layer = image if image.ndim == 2 else image[:, :, CONTRAST]
    return np.repeat(layer[:, :, None], 3, axis=2)


def find_classical(images: Sequence[ByteImage]) -> list[Detections]:
    """Return what the detector without a network finds in plain pictures of fans."""
    detector = ClassicalDetector()
    return [detector.find(frame_of(image)) for image in images]


def frame_of(image: ByteImage) -> WaterColumnFrame:
    """Return a picture as a frame of one metre per pixel, its geometry read off the picture.

    The transducer is above the middle of the uppermost data. Pictures end a little below the
    seabed, so the seabed is a little above the lowest data of each column. For pictures that
    come without geometry only: a watch knows it.
    """
    shown = (image if image.ndim == 2 else image.max(axis=2)) > 0
    height, width = shown.shape
    rows = np.flatnonzero(shown.any(axis=1))
    top = int(rows[0]) if rows.size else 0
    apex = float(np.flatnonzero(shown[top]).mean()) + 0.5 if rows.size else width / 2
    lowest = height - shown[::-1].argmax(axis=0)
    below = (lowest - top) / (1.0 + RasterOptions().below_bottom_fraction)
    seabed = np.where(shown.any(axis=0), below + top, np.nan)
    geometry = FrameGeometry(
        left_m=-apex, right_m=width - apex, top_m=0.0, bottom_m=float(height),
        width_px=width, height_px=height, transducer_depth_m=float(top),
        seabed_depth_m=seabed.astype(np.float32),
    )
    return WaterColumnFrame(
        frame_id="", time_utc=datetime.fromtimestamp(0, UTC), sounder="", image=image,
        geometry=geometry, source=SourceRef(source="pictures", file=""),
    )

"""Which detector is tried on labelled pictures: a network by name, or none at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from sonar_watch.detection.detections import Detections
from sonar_watch.detection.detector import DetectorOptions, threshold
from sonar_watch.detection.weights import WeightsEntry, find_weights
from sonar_watch.errors import NoWeightsError
from sonar_watch.pipeline.finder import CLASSICAL, classical_confidence, open_finder
from sonar_watch.records import ByteImage, FrameGeometry, SourceRef, WaterColumnFrame
from sonar_watch.trials.recording import LOWEST_CONFIDENCE, expect_kept
from sonar_watch.watercolumn.pictures import PictureOptions, normalise
from sonar_watch.watercolumn.raster import RasterOptions

CONTRAST = 1
"""Channel of the layered encoding that a grey picture would show."""

Showing = Literal["as is", "grey"]
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
def open_picture_finder(
    options: DetectorOptions,
    showing: Showing = "as is",
    *,
    encoding: str = "layers",
    pictures: PictureOptions | None = None,
) -> Iterator[Finder]:
    """Give the detector that the options name, as a watch would choose it.

    Parameters
    ----------
    options : DetectorOptions
        `weights` may be "classical".
    showing : {"as is", "grey"}
        "grey": of layered pictures only the contrast is shown, as a plain picture would.
    encoding : {"layers", "grey", "picture"}
        What the values of the pictures mean. Those of others ("picture") are read as a watch
        reads them: colours, lines and text become our grey.
    pictures : PictureOptions or None
        How.

    Raises
    ------
    WeightsError
        There are no such weights.
    ConfigurationError
        Their working threshold is below `recording.LOWEST_CONFIDENCE`.
    """
    working = working_confidence(options)
    expect_kept([working])
    finder = open_finder(replace(options, confidence=LOWEST_CONFIDENCE))

    def find(images: Sequence[ByteImage]) -> list[Detections]:
        return finder.find([frame_of(one) for one in images])

    try:
        yield Finder(
            name=finder.weights,
            sha256=finder.weights_sha256,
            confidence=working,
            find=_read_first(find, pictures) if encoding == "picture" else _shown_as(showing, find),
        )
    finally:
        finder.close()


def working_confidence(options: DetectorOptions) -> float:
    """Return the threshold that a watch with these options works at.

    Raises
    ------
    WeightsError
        There are no such weights.
    """
    entry = _entry(options)
    if entry is None:
        return classical_confidence(options)
    return threshold(options, entry.false_alerts_per_hour, entry.false_alert_hours)


def weights_word(options: DetectorOptions) -> str:
    """Return the hash of the weights that a watch with these options runs, or "classical"."""
    entry = _entry(options)
    return entry.sha256 if entry else CLASSICAL


def _entry(options: DetectorOptions) -> WeightsEntry | None:
    """Return the weights, None where the watch runs without a network."""
    if options.weights == CLASSICAL:
        return None
    try:
        return find_weights(options.weights, options.models_dir)
    except NoWeightsError:
        return None


def _read_first(find: Find, options: PictureOptions | None) -> Find:
    """Bring the pictures of others to our grey, as `sources.pictures.load` does."""
    return lambda images: find([normalise(image, options) for image in images])


def _shown_as(showing: Showing, find: Find) -> Find:
    if showing == "as is":
        return find
    return lambda images: find([as_grey(image) for image in images])


def as_grey(image: ByteImage) -> ByteImage:
    """Return the contrast layer of a picture, in three equal channels."""
    layer = image if image.ndim == 2 else image[:, :, CONTRAST]
    return np.repeat(layer[:, :, None], 3, axis=2)


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
        encoding="layers" if _has_layers(image) else "grey",
    )


def _has_layers(image: ByteImage) -> bool:
    """Return whether the channels of a picture differ: grey may come as three equal ones."""
    return image.ndim == 3 and not np.array_equal(image[..., 1], image[..., 2])

"""Frames of recorded inputs, drawn again as the watch drew them."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from sonar_watch.detection.detections import Detections
from sonar_watch.detection.weights import WeightsEntry
from sonar_watch.errors import SonarWatchError
from sonar_watch.learning.review import ReviewedPicture
from sonar_watch.records import (
    Quarantined,
    SourceItem,
    WaterColumnFrame,
    WaterColumnPing,
)
from sonar_watch.reviewing.verdicts import JudgedFrame
from sonar_watch.settings import Settings, replay_options
from sonar_watch.sources.merge import Merger
from sonar_watch.sources.replay import open_inputs
from sonar_watch.watercolumn.raster import Rasteriser

log = logging.getLogger(__name__)


def drawn(
    inputs: Sequence[Path], settings: Settings
) -> Generator[WaterColumnFrame, None, None]:
    """Yield every frame of recorded inputs as a watch with these settings draws them, in order.

    Parameters
    ----------
    inputs : sequence of Path
        Raw files, pictures, or folders of them.
    settings : Settings

    Raises
    ------
    ConfigurationError
        Nothing can be read there.
    """
    raster = Rasteriser(settings.raster)
    source = Merger(open_inputs(inputs, replay_options(settings, inputs)), live=False)
    try:
        while not source.exhausted:
            yield from _frames(source.poll(), raster)
    finally:
        source.close()


def redraw(
    inputs: Sequence[Path], settings: Settings, wanted: Iterable[str]
) -> Iterator[WaterColumnFrame]:
    """Yield the frames of the wanted ids, each once.

    Every ping is drawn, in order, because a picture depends on those before it; it ends with
    the last one wanted. See `drawn`.
    """
    missing = set(wanted)
    frames = drawn(inputs, settings)
    while missing and (frame := next(frames, None)) is not None:
        if frame.frame_id in missing:
            missing.discard(frame.frame_id)
            yield frame
    frames.close()
    if missing:
        log.warning("%d reviewed frames are not in the inputs", len(missing))


def _frames(items: Iterable[SourceItem], raster: Rasteriser) -> Iterator[WaterColumnFrame]:
    for item in items:
        if isinstance(item, WaterColumnPing):
            yield from _drawn(item, raster)
        elif isinstance(item, WaterColumnFrame):
            yield item
        elif isinstance(item, Quarantined):
            log.warning("%s: %s", item.source.file, item.reason)


def _drawn(ping: WaterColumnPing, raster: Rasteriser) -> Iterator[WaterColumnFrame]:
    """Yield the frame of a ping; none of one that the watch could not draw either."""
    try:
        yield raster.frame(ping)
    except SonarWatchError as error:
        log.warning("frame %s: %s", ping.frame_id, error)


def reviewed_picture(
    frame: WaterColumnFrame, judged: JudgedFrame, entry: WeightsEntry
) -> ReviewedPicture:
    """Return a frame and the verdicts on it as the network of `entry` is shown it."""
    class_names = entry.class_names
    rows = [
        [*_pixels(frame, across, depth), 1.0, class_names.index(name)]
        for name, across, depth in judged.boxes
        if name in class_names
    ]
    only_grey = entry.encoding == "grey" and frame.image.ndim == 3
    return ReviewedPicture(
        name=judged.frame_id,
        image=frame.image[..., 1] if only_grey else frame.image,
        truth=Detections.from_rows(np.array(rows, float).reshape(-1, 6), class_names),
        survey=Path(judged.file).stem,
        was_wrong=judged.was_wrong,
    )


def _pixels(
    frame: WaterColumnFrame, across_m: tuple[float, float], depth_m: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of a box in metres."""
    left, top = frame.geometry.to_pixels(across_m[0], depth_m[0])
    right, bottom = frame.geometry.to_pixels(across_m[1], depth_m[1])
    return left, top, right, bottom

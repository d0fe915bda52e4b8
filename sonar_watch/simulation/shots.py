"""From passages to pictures: which swaths are kept, and with what memory they are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from sonar_watch.simulation.labels import label_of
from sonar_watch.simulation.passages import Passage
from sonar_watch.simulation.recipe import DatasetOptions, Encoding
from sonar_watch.simulation.sheets import Picture
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

_QUICK_PINGS = 4
"""A static background that settles this fast shows after the warm-up what takes hundreds at sea."""


def kept_swaths(passage: Passage, options: DatasetOptions) -> list[int]:
    """Return the indices of the swaths that become pictures, evenly spread after the warm-up."""
    first = min(options.warm_up * passage.configurations, passage.count - 1)
    places = np.linspace(first, passage.count - 1, options.pictures_per_scene)
    return sorted({int(place) for place in places.round()})


def pictures_of(
    passage: Passage,
    options: DatasetOptions,
    kept: Iterable[int],
    encoding: Encoding,
    settled: int = 0,
) -> Iterator[Picture]:
    """Yield the pictures of the swaths `kept`; without a memory no others are even heard.

    Parameters
    ----------
    settled : int
        The first swaths are heard without bodies, and the static background learns them fast:
        what follows is as it is at sea, where the memory has seen hundreds of swaths.
    """
    drawn = RasterOptions(max_side_px=options.max_side_px, encoding=encoding)
    raster, wanted = Rasteriser(drawn), set(kept)
    if settled and encoding == "layers":
        raster.restore(_settled_memory(passage, drawn, settled))
    for index in range(settled, passage.count):
        if index not in wanted and encoding == "grey":
            continue
        ping, boxes = passage.hear(index)
        frame = raster.frame(ping)
        if index in wanted:
            labels = (label_of(box, frame.geometry) for box in boxes)
            yield Picture(
                image=frame.image,
                labels=tuple(label for label in labels if label),
                surveys=(passage.survey,),
                scenes=(passage.scene,),
                kind=passage.kind,
            )


def _settled_memory(passage: Passage, drawn: RasterOptions, swaths: int) -> dict[str, bytes]:
    quick = Rasteriser(replace(drawn, static_pings=_QUICK_PINGS))
    for index in range(swaths):
        quick.frame(passage.hear_water(index))
    return {name: body for name, body in quick.memory().items() if body is not None}

"""What a run found, with the classes that labels give it: the hard cases, to learn from.

A classifier that is to reject what a detector found falsely must be shown just that, as noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from sonar_watch.detection.decoding import intersection_over_union
from sonar_watch.ichthyolith.labels import LabelledTile
from sonar_watch.ichthyolith.records import Sighting, SlideObject

SAME, APART = 0.5, 0.1
"""Intersection over union from which a box shows what is labelled, and up to which it does not;
between nobody can say."""


def judged_by_labels(
    objects: Iterable[SlideObject], labels: Sequence[LabelledTile]
) -> list[SlideObject]:
    """Return what labels tell the class of, as if a person had reviewed it.

    Parameters
    ----------
    objects : iterable of SlideObject
        Found at a low threshold: what is found falsely teaches most.
    labels : sequence of LabelledTile

    Returns
    -------
    list of SlideObject
        Those on labelled tiles whose best box shows a sure label, or none at all, as noise; then
        the sure labels that were not found. What may be an ichthyolith is left out.
    """
    tiles = {tile.image: tile for tile in labels}
    judged, found = [], set()
    for one in objects:
        tile = tiles.get(one.best.image)
        if tile is None:
            continue
        number, overlap = _nearest(one, tile)
        if overlap >= SAME and tile.objects[number].sure:
            judged.append(_called(one, tile.objects[number].class_name))
            found.add((tile.image, number))
        elif overlap <= APART:
            judged.append(_called(one, "noise"))
    return judged + [
        _labelled(tile, number)
        for tile in labels
        for number, one in enumerate(tile.objects)
        if one.sure and (tile.image, number) not in found
    ]


def _nearest(one: SlideObject, tile: LabelledTile) -> tuple[int, float]:
    """Return which label an object's best box overlaps most, and by how much."""
    if not tile.objects:
        return 0, 0.0
    boxes = np.array([other.xyxy_px for other in tile.objects], float)
    overlap = intersection_over_union(np.array([one.best.xyxy_px], float), boxes)[0]
    return int(overlap.argmax()), float(overlap.max())


def _called(one: SlideObject, name: str) -> SlideObject:
    return replace(one, class_name=name, confidence=1.0, reviewed=True)


def _labelled(tile: LabelledTile, number: int) -> SlideObject:
    """Return a label as an object."""
    one = tile.objects[number]
    sighting = Sighting(image=tile.image, xyxy_px=one.xyxy_px, confidence=1.0,
                        class_name=one.class_name, cut=one.cut)
    stem = tile.image.rpartition("/")[2].rpartition(".")[0]
    return SlideObject(
        object_id=f"label-{stem}-{number}", site=tile.site, sample=tile.sample, slide=tile.slide,
        class_name=one.class_name, confidence=1.0, best=sighting, sightings=(sighting,),
        slide_xyxy_px=one.xyxy_px, detector_class=one.class_name, detector_confidence=1.0,
        cut=one.cut, reviewed=True,
    )

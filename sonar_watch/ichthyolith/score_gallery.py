"""Sheets of what a run found and missed beside labels: figures say how often, these say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sonar_watch.ichthyolith.judging import judged_by_labels
from sonar_watch.ichthyolith.labels import LabelledTile
from sonar_watch.ichthyolith.records import ICHTHYOLITHS, SlideObject, Tile
from sonar_watch.ichthyolith.review.crops import crops_of
from sonar_watch.ichthyolith.sheets import draw_sheet

MARGIN, LEAST_PX = 0.25, 60.0
"""What is shown around an object: share of its longer side, and least side of the crop in px."""

HITS, FALSE, MISSED = "hits", "false_alarms", "missed"


def grouped(
    objects: Sequence[SlideObject], labels: Sequence[LabelledTile]
) -> dict[str, list[tuple[SlideObject, str]]]:
    """Return what was right, false and missed, by these words, each with what is told of it."""
    groups: dict[str, list[tuple[SlideObject, str]]] = {HITS: [], FALSE: [], MISSED: []}
    found = {one.object_id: one for one in objects}
    for judged in judged_by_labels(objects, labels):
        one, true_name = found.get(judged.object_id), judged.class_name
        if one is None:
            groups[MISSED].append((replace(judged, confidence=0.0, reviewed=False), true_name))
        elif one.class_name not in ICHTHYOLITHS:
            if true_name in ICHTHYOLITHS:
                groups[MISSED].append((one, f"rejected {true_name}"))
        elif true_name not in ICHTHYOLITHS:
            groups[FALSE].append((one, one.class_name))
        else:
            same = one.class_name == true_name
            told = true_name if same else f"{one.class_name}, is {true_name}"
            groups[HITS if same else FALSE].append((one, told))
    return groups


def draw_score_gallery(
    objects: Sequence[SlideObject],
    labels: Sequence[LabelledTile],
    tiles: Mapping[str, Tile],
    folder: Path,
) -> list[Path]:
    """Write `hits.png`, `false_alarms.png` and `missed.png`; return those that are not empty.

    Under each crop stand the confidence (of what was missed that with which it was rejected, else
    0) and what it was taken for, with its label where the two differ. What may be an ichthyolith,
    and boxes that lie half on a label, are in none of them.

    Parameters
    ----------
    objects : sequence of SlideObject
        Of one run or of several pooled; class noise is what the classifier rejected.
    labels : sequence of LabelledTile
    tiles : mapping of str to Tile
        By image; each is read once.
    folder : Path
        Made when missing.

    Raises
    ------
    OSError
        A sheet cannot be written.
    """
    groups = grouped(objects, labels)
    members = {one.object_id: one for group in groups.values() for one, _ in group}
    crops = {crop.one.object_id: crop.image
             for crop in crops_of(members.values(), tiles, MARGIN, LEAST_PX)}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    said = {one.object_id: told for group in groups.values() for one, told in group}
    for name, group in groups.items():
        path = folder / f"{name}.png"
        if group:
            written.append(draw_sheet(
                name.replace("_", " "), [one for one, _ in group],
                lambda one: crops.get(one.object_id), path, told=lambda one: said[one.object_id],
            ))
        else:
            path.unlink(missing_ok=True)
    return written

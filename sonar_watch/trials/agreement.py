"""How far two people, or a person and a detector, agree on what they picked.

Of boxes: precision, recall and F1, one taken as the reference. F1 is the same either way, and
is the agreement to report of boxes: a chance-corrected kappa tends to it when the number of
places where nobody picks anything has no bound (Hripcsak & Rothschild, J. Am. Med. Inform.
Assoc. 12, 296, 2005), so by chance alone two people never agree on a box.

Of frames (a plume in it or not): Cohen's kappa. Nearly all frames of a survey are empty, so two
people who flag at random agree on almost every frame; kappa takes that out. It needs the frames
on which both saw nothing. Where plumes are rare it depends on how rare, so the four counts that
it comes from are given as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sonar_watch.detection.detections import Detections
from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.intervals import share_interval
from sonar_watch.learning.kappa import cohens_kappa
from sonar_watch.learning.matching import Matching, match
from sonar_watch.trials.picks import Box, Key, Picks, Place

EARTH_RADIUS_M = 6_371_000.0
MATCHINGS = (Matching(iou=0.3), Matching(criterion="centre"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Of how many frames each said that there is a plume; kappa is chance-free agreement.

    Parameters
    ----------
    both, first_only, second_only, neither : int
    """

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa; None when it is not defined, as when both say the same of all."""
        return cohens_kappa([[self.both, self.first_only], [self.second_only, self.neither]])


def compare(first: Picks, second: Picks, radius_m: float = 50.0) -> list[dict[str, Any]]:
    """Return how far two agree, JSON-able, a row per criterion; the first is the reference.

    Parameters
    ----------
    first, second : Picks
        Of the same frames; see `common_frames`.
    radius_m : float
        Places this near are the same.

    Raises
    ------
    ConfigurationError
        One has boxes and the other places, they name frames in different ways, or have no frame
        in common.
    """
    if first.how != second.how or first.key != second.key:
        raise ConfigurationError(
            f"expected picks of one kind, received {_said(first)} and {_said(second)}"
        )
    head = {"reference": first.name, "compared": second.name}
    if first.how == "places":
        return [{**head, **compare_places(first.places, second.places, radius_m)}]
    frames = common_frames(first, second)
    left_out = len(set(first.boxes) | set(second.boxes)) - len(frames)
    said = {**_frames_body(count_frames(first, second, frames)), "left_out": left_out}
    return [
        {**head, **compare_boxes(first, second, frames, matching), "frames": said}
        for matching in MATCHINGS
    ]


def common_frames(first: Picks, second: Picks) -> list[Key]:
    """Return the frames that both looked at.

    Who names a frame without a pick has named every frame that was looked at; of who names
    only frames with picks it is taken that all were looked at.

    Raises
    ------
    ConfigurationError
        They have no frame in common.
    """
    frames = set(first.boxes) | set(second.boxes)
    for picks in (first, second):
        if not all(picks.boxes.values()):
            frames &= set(picks.boxes)
    for picks in (first, second):
        if picks.boxes and not frames & set(picks.boxes):
            raise ConfigurationError(
                f"{first.name} and {second.name} have no frame in common, such as "
                f"{next(iter(picks.boxes))} of {picks.name}: expected picks of the same files"
            )
    return sorted(frames)


def _said(picks: Picks) -> str:
    named = f" of frames named by {' and '.join(picks.key)}" if picks.key else ""
    return f"{picks.how}{named} ({picks.name})"


def compare_boxes(
    first: Picks, second: Picks, frames: Sequence[Key], matching: Matching
) -> dict[str, Any]:
    """Return precision, recall and F1 of the second's boxes beside the first's."""
    hits = true = found = 0
    for frame in frames:
        wanted, given = (_as_detections(one.boxes.get(frame, ())) for one in (first, second))
        hits += int(match(given, wanted, matching).sum())
        true, found = true + len(wanted), found + len(given)
    return {"matching": matching.name, **_scores(hits, hits, true, found)}


def compare_places(
    first: Sequence[Place], second: Sequence[Place], radius_m: float
) -> dict[str, Any]:
    """Return the same of places: one is right when any of the other's lies within the radius.

    So a plume picked on several pings beside one picked once counts as agreed.
    """
    away_m = distances_m(first, second)
    recalled = int((away_m.min(axis=1) <= radius_m).sum()) if away_m.size else 0
    right = int((away_m.min(axis=0) <= radius_m).sum()) if away_m.size else 0
    scores = _scores(recalled, right, len(first), len(second))
    return {"matching": f"within {radius_m:g} m", **scores}


def _scores(recalled: int, right: int, true: int, found: int) -> dict[str, Any]:
    """Nothing picked is nothing to agree on: None."""
    precision = right / found if found else None
    recall = recalled / true if true else None
    both = (precision or 0.0) + (recall or 0.0)
    return {
        "picked_by_reference": true,
        "picked_by_compared": found,
        "precision": precision,
        "precision_95": share_interval(right, found),
        "recall": recall,
        "recall_95": share_interval(recalled, true),
        "f1": None if not (true or found)
        else 2 * (precision or 0.0) * (recall or 0.0) / both if both else 0.0,
    }


def count_frames(
    first: Picks, second: Picks, frames: Sequence[Key]
) -> Frames:
    """Return of how many frames each said that there is a plume."""
    said = np.array(
        [[bool(one.boxes.get(frame)) for frame in frames] for one in (first, second)], bool
    ).reshape(2, -1)
    return Frames(
        both=int((said[0] & said[1]).sum()),
        first_only=int((said[0] & ~said[1]).sum()),
        second_only=int((~said[0] & said[1]).sum()),
        neither=int((~said[0] & ~said[1]).sum()),
    )


def _frames_body(frames: Frames) -> dict[str, Any]:
    known = frames.neither > 0
    return {
        "both": frames.both,
        "reference_only": frames.first_only,
        "compared_only": frames.second_only,
        "neither": frames.neither,
        "kappa": frames.kappa if known else None,
        "note": None if known else
        "no kappa: nobody says which frames were looked at and found empty",
    }


def _as_detections(boxes: Sequence[Box]) -> Detections:
    rows = [(*box, 1.0, 0) for box in boxes]
    return Detections.from_rows(np.array(rows, float).reshape(-1, 6), ("signal",))


def distances_m(first: Sequence[Place], second: Sequence[Place]) -> np.ndarray[Any, Any]:
    """Return the distances between places on a sphere, metres, shape (first, second)."""
    one, other = (np.radians(np.array(each, float).reshape(-1, 2)) for each in (first, second))
    north = one[:, None, 0] - other[None, :, 0]
    east = one[:, None, 1] - other[None, :, 1]
    half = (np.sin(north / 2) ** 2
            + np.cos(one[:, None, 0]) * np.cos(other[None, :, 0]) * np.sin(east / 2) ** 2)
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(half)))

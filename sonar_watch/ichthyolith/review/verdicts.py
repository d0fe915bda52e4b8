"""verdicts.json: what a person saw in the crops of a gallery, and what it does to the objects.

    {"schema": "sonar_watch.slide_verdicts/1", "reviewer": "A. Name", "saved_utc": "...",
     "verdicts": [{"object_id": "5e0c...", "class": "noise", "seen_class": "tooth",
                   "slide": "site / sample / 001", "image": "site/sample/001/tile.jpg",
                   "xyxy_px": [10, 20, 110, 90]}]}

`class` is what it is in the person's view, "unsure" when that cannot be told; `seen_class` is
what it was taken for. Image and box find the object again when other weights have drawn it anew.
"""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sonar_watch.detection.decoding import intersection_over_union
from sonar_watch.errors import FormatError
from sonar_watch.ichthyolith.records import CLASSES, Box, SlideObject

log = logging.getLogger(__name__)

SCHEMA = "sonar_watch.slide_verdicts/1"

UNSURE = "unsure"
"""Said of what cannot be told: the object stays as it was and does not count as reviewed."""

SAME_PLACE_IOU = 0.5
"""Boxes of one image that overlap this much are of one object, whatever it is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a person said of one object.

    Parameters
    ----------
    object_id : str
    class_name : str
        One of `CLASSES`, or "unsure".
    seen_class : str
        What it was taken for when the person saw it.
    slide : str
        Where it lies: names what was mounted together, nothing more.
    image : str
        The tile that was shown.
    xyxy_px : Box
        Tile pixels.
    earlier : bool
        It was there when the person opened the gallery, or came from somebody else's file, and
        they said nothing of it: it is not their own, not independent. Such a row of a file may
        also say who did, `said_by`.
    """

    object_id: str
    class_name: str
    seen_class: str
    slide: str
    image: str
    xyxy_px: Box
    earlier: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One file of verdicts.

    Parameters
    ----------
    reviewer : str
        As the person wrote it; "" when nobody did.
    verdicts : tuple of Verdict
        One of each object.
    objects : int
        How many objects the person was shown, looked at or not.
    """

    reviewer: str
    verdicts: tuple[Verdict, ...]
    objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """Objects after a person's verdicts, and what these did.

    Parameters
    ----------
    objects : tuple of SlideObject
        In the order in which they were given.
    accepted, rejected, changed : int
        Objects that are what they were taken for, that became noise, or another class.
    unsure : frozenset of str
        Names of the objects of which the person could not tell what they are.
    by_place : int
        Found by image and box, because no object has the name any more.
    unmatched : tuple of Verdict
        Those that no object fits.
    """

    objects: tuple[SlideObject, ...]
    accepted: int
    rejected: int
    changed: int
    unsure: frozenset[str]
    by_place: int
    unmatched: tuple[Verdict, ...]


def read_verdicts(path: Path) -> Review:
    """Return what a gallery saved.

    Raises
    ------
    FormatError
        No such file, no JSON, another schema, or a verdict that is none, with its place.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(f"expected verdicts of a gallery: {error}", file=str(path)) from error
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        received = body.get("schema") if isinstance(body, dict) else type(body).__name__
        raise FormatError(f"schema: expected {SCHEMA}, received {received!r}", file=str(path))
    rows = body.get("verdicts")
    if not isinstance(rows, list):
        raise FormatError("verdicts: expected a list", file=str(path))
    verdicts = [_verdict(row, f"{path}: verdict {place}") for place, row in enumerate(rows, 1)]
    often = Counter(one.object_id for one in verdicts)
    if twice := [name for name, times in often.items() if times > 1]:
        raise FormatError(f"expected one verdict of each object, two of {twice[0]}", file=str(path))
    objects = body.get("objects")
    return Review(
        reviewer=str(body.get("reviewer") or ""),
        verdicts=tuple(verdicts),
        objects=objects if isinstance(objects, int) else len(verdicts),
    )


def _verdict(row: Any, where: str) -> Verdict:
    """Return one verdict, checked."""
    if not isinstance(row, Mapping):
        raise FormatError(f"expected an object, received {row!r}", file=where)
    for key in ("object_id", "slide", "image"):
        if not isinstance(row.get(key), str) or not row[key]:
            raise FormatError(f"{key}: expected a name, received {row.get(key)!r}", file=where)
    for key, names in (("class", (*CLASSES, UNSURE)), ("seen_class", CLASSES)):
        if row.get(key) not in names:
            raise FormatError(
                f"{key}: expected one of {', '.join(names)}, received {row.get(key)!r}", file=where
            )
    return Verdict(
        object_id=row["object_id"],
        class_name=row["class"],
        seen_class=row["seen_class"],
        slide=row["slide"],
        image=row["image"],
        xyxy_px=_box(row.get("xyxy_px"), where),
        earlier=row.get("earlier") is True,
    )


def _box(value: Any, where: str) -> Box:
    numbers = value if isinstance(value, list) and len(value) == 4 else []
    good = [one for one in numbers if isinstance(one, int | float) and math.isfinite(one)]
    if len(good) != 4 or good[0] > good[2] or good[1] > good[3]:
        raise FormatError(
            f"xyxy_px: expected left, top, right, bottom, received {value!r}", file=where
        )
    return float(good[0]), float(good[1]), float(good[2]), float(good[3])


def join_reviews(reviews: Iterable[Review]) -> Review:
    """Return several files as one; of an object's verdicts that of the last file counts.

    What a later file only took over from before does not overrule anybody.
    """
    latest: dict[str, Verdict] = {}
    read = list(reviews)
    for review in read:
        for verdict in review.verdicts:
            if not verdict.earlier or verdict.object_id not in latest:
                latest[verdict.object_id] = verdict
    return Review(
        reviewer=", ".join(dict.fromkeys(one.reviewer for one in read if one.reviewer)),
        verdicts=tuple(latest.values()),
        objects=max((one.objects for one in read), default=0),
    )


def apply_verdicts(objects: Sequence[SlideObject], verdicts: Iterable[Verdict]) -> Applied:
    """Return the objects as a person sees them.

    What was judged has the person's class with confidence 1 and is `reviewed`. A verdict goes to
    the object of its name, else to the one whose box in the same image overlaps its own by
    `SAME_PLACE_IOU` and more, the best first; no object takes two.

    Parameters
    ----------
    objects : sequence of SlideObject
    verdicts : iterable of Verdict
        One of each object; see `join_reviews`.
    """
    said = list(verdicts)
    by_name = {one.object_id: place for place, one in enumerate(objects)}
    found = {by_name[one.object_id]: one for one in said if one.object_id in by_name}
    lost = [one for one in said if one.object_id not in by_name]
    placed = _by_place(objects, found, lost)
    judged = found | placed
    applied = list(objects)
    for place, verdict in judged.items():
        applied[place] = _judged(objects[place], verdict)
    kinds = [_kind(objects[place], verdict) for place, verdict in judged.items()]
    unsure = [place for place, verdict in judged.items() if verdict.class_name == UNSURE]
    matched = {one.object_id for one in judged.values()}
    unmatched = tuple(one for one in lost if one.object_id not in matched)
    if unmatched:
        log.warning(
            "%d verdicts fit no object, such as that on %s in %s",
            len(unmatched),
            unmatched[0].object_id,
            unmatched[0].image,
        )
    return Applied(
        objects=tuple(applied),
        accepted=kinds.count("accepted"),
        rejected=kinds.count("rejected"),
        changed=kinds.count("changed"),
        by_place=len(placed),
        unmatched=unmatched,
        unsure=frozenset(objects[place].object_id for place in unsure),
    )


def _judged(one: SlideObject, verdict: Verdict) -> SlideObject:
    if verdict.class_name == UNSURE:
        return one
    return replace(one, class_name=verdict.class_name, confidence=1.0, reviewed=True)


def _kind(one: SlideObject, verdict: Verdict) -> str:
    """Return what a verdict does to an object as it is now, whatever it was taken for then."""
    if verdict.class_name in (UNSURE, one.class_name):
        return UNSURE if verdict.class_name == UNSURE else "accepted"
    return "rejected" if verdict.class_name == "noise" else "changed"


def _by_place(
    objects: Sequence[SlideObject], taken: Mapping[int, Verdict], lost: Sequence[Verdict]
) -> dict[int, Verdict]:
    """Return the verdicts that box and image give to objects without one."""
    images = {one.image for one in lost}
    boxes: dict[str, list[tuple[int, Box]]] = {}
    for place, one in enumerate(objects):
        for seen in one.sightings:
            if place not in taken and seen.image in images:
                boxes.setdefault(seen.image, []).append((place, seen.xyxy_px))
    pairs = [
        pair
        for number, one in enumerate(lost)
        for pair in _overlaps(number, one, boxes.get(one.image, []))
    ]
    found: dict[int, Verdict] = {}
    used: set[int] = set()
    for _, number, place in sorted(pairs):
        if place not in found and number not in used:
            found[place] = lost[number]
            used.add(number)
    return found


def _overlaps(
    number: int, verdict: Verdict, boxes: Sequence[tuple[int, Box]]
) -> list[tuple[float, int, int]]:
    """Return (minus overlap, number of the verdict, place of the object), where they overlap."""
    if not boxes:
        return []
    shares = intersection_over_union(
        np.array([verdict.xyxy_px]), np.array([box for _, box in boxes], float)
    )[0]
    return [
        (-float(share), number, place)
        for share, (place, _) in zip(shares, boxes, strict=True)
        if share >= SAME_PLACE_IOU
    ]

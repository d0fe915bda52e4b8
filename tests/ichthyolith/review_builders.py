"""Objects, tiles and verdicts for the tests of the review."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from sonar_watch.detection.detections import ByteImage
from sonar_watch.ichthyolith.records import Box, Sighting, SlideObject, Tile
from sonar_watch.ichthyolith.review import Review, Verdict
from sonar_watch.images import write_png

GROUND = 135


def make_object(number: int = 0, **said: Any) -> SlideObject:
    """An object; `boxes` are its sightings as (image, box), the best first."""
    alone = (said.pop("image", "s/a/001/t.png"), said.pop("box", (10, 10, 50, 30)))
    boxes = said.pop("boxes", [alone])
    name = said.get("class_name", "tooth")
    detected = said.pop("detector_class", name if name != "noise" else "tooth")
    sure = said.pop("detector_confidence", 0.6)
    sightings = tuple(
        Sighting(image=image, xyxy_px=tuple(map(float, box)), confidence=sure, class_name=detected)
        for image, box in boxes
    )
    given: dict[str, Any] = {
        "object_id": f"{number:016x}", "site": "s", "sample": "a", "slide": "001",
        "class_name": name, "confidence": 0.7, "best": sightings[0], "sightings": sightings,
        "slide_xyxy_px": sightings[0].xyxy_px, "detector_class": detected,
        "detector_confidence": sure,
    } | said  # fmt: skip
    return SlideObject(**given)


def make_tile(
    root: Path, image: str, boxes: dict[Box, int], size: tuple[int, int] = (300, 400)
) -> Tile:
    """A grey tile, height and width as given, with boxes of other greys in it."""
    path = root / image
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, make_picture(boxes, size))
    return Tile(path=path, image=image, x_px=0, y_px=0, width_px=size[1], height_px=size[0])


def make_picture(boxes: dict[Box, int], size: tuple[int, int] = (300, 400)) -> ByteImage:
    """The picture of such a tile; brighter to the right, as real ones are."""
    ramp = np.linspace(-15, 15, size[1])
    picture = np.repeat(np.tile(GROUND + ramp, (size[0], 1))[..., None], 3, axis=2)
    picture = picture.round().astype(np.uint8)
    for (left, top, right, bottom), grey in boxes.items():
        picture[int(top) : int(bottom), int(left) : int(right)] = grey
    return picture


def make_verdict(number: int = 0, class_name: str = "tooth", **said: Any) -> Verdict:
    given: dict[str, Any] = {
        "object_id": f"{number:016x}", "class_name": class_name, "seen_class": "tooth",
        "slide": "s / a / 001", "image": "s/a/001/t.png", "xyxy_px": (10.0, 10.0, 50.0, 30.0),
    } | said  # fmt: skip
    return Verdict(**given)


def make_review(*verdicts: Verdict, reviewer: str = "") -> Review:
    return Review(reviewer=reviewer, verdicts=verdicts, objects=len(verdicts))


def make_file(path: Path, *rows: dict[str, Any], **said: Any) -> Path:
    """A file of verdicts, as a page saves it; each row is completed."""
    usual = {
        "object_id": "a",
        "class": "noise",
        "seen_class": "tooth",
        "slide": "s / a / 001",
        "image": "s/a/001/t.png",
        "xyxy_px": [10, 10, 50, 30],
    }
    body = {
        "schema": "sonar_watch.slide_verdicts/1",
        "reviewer": "A. Name",
        "verdicts": [usual | row for row in rows],
    } | said
    path.write_text(json.dumps(body), encoding="utf-8")
    return path

"""A folder with a page on which a person looks through the objects, the doubtful ones first.

    DIR/index.html          opens in any browser, from the disk; asks nothing of any network
    DIR/crops/3f/3f9a....jpg

Crops are called by their content and the page is written last: whoever stops it half way keeps
the page that was there, with its own crops. Those that no page shows any more are removed then.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from sonar_watch.atomic import whole_file
from sonar_watch.detection.detections import ByteImage
from sonar_watch.errors import ConfigurationError, ImageError
from sonar_watch.ichthyolith.records import CLASSES, Box, SlideObject, Tile
from sonar_watch.ichthyolith.review.crops import Crop, crops_of

LABELS = {
    "tooth": "tooth",
    "denticle": "denticle",
    "sawtoothed": "saw-toothed",
    "noise": "noise",
    "unsure": "cannot tell",
}
"""How the page calls the classes; their first letters are its keys."""

COLUMNS = (
    "object_id", "taken", "confidence", "detector_class", "detector_confidence", "slide", "image",
    "xyxy_px", "length_um", "width_um", "cut", "reviewed", "crop", "in_crop", "crop_um",
)  # fmt: skip
"""Of the table in the page; classes, slides and images as places in lists beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryOptions:
    """How a gallery shows the objects.

    Parameters
    ----------
    title : str
    threshold : float
        Confidence from which on an object is taken for one, 0 to 1: those near it come first.
    margin : float
        What is shown about an object, as a share of its longer side, on each side.
    least_px : float
        Least side of the square that is shown, tile pixels.
    crop_px : int
        Most pixels across a crop; larger ones are scaled down.
    quality : int
        Of the JPEG files, 1 to 100.
    um_per_px : float or None
        Micrometres per pixel, for the scale bars; none draws none.
    most : int or None
        Only the most uncertain so many; the page says how many are left out.

    Raises
    ------
    ConfigurationError
        A number beyond its range.
    """

    title: str = "Ichthyoliths to review"
    threshold: float = 0.3
    margin: float = 0.4
    least_px: float = 160.0
    crop_px: int = 512
    quality: int = 85
    um_per_px: float | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold < 1.0:
            raise ConfigurationError(
                f"threshold: expected between 0 and 1, received {self.threshold}"
            )
        if self.margin < 0 or self.least_px < 1 or self.crop_px < 32:
            raise ConfigurationError(
                "expected margin 0 or more, least_px 1 or more and crop_px 32 or more, received "
                f"{self.margin}, {self.least_px} and {self.crop_px}"
            )
        if not 1 <= self.quality <= 100 or (self.most is not None and self.most < 1):
            raise ConfigurationError(
                f"expected quality 1 to 100 and most 1 or more, received {self.quality} and "
                f"{self.most}"
            )


def uncertainty(one: SlideObject, threshold: float = 0.3) -> float:
    """Return how little is known of an object's class, 0 (sure) to 1.

    The margin to the threshold: 1 at it, 0 at confidences of 0 and 1. Where detector and
    classifier differ, at least as much as the detector was sure. What a person has seen is 0.

    Parameters
    ----------
    one : SlideObject
    threshold : float
        Above 0, below 1.
    """
    if one.reviewed:
        return 0.0
    sure = min(max(one.confidence, 0.0), 1.0)
    doubt = sure / threshold if sure < threshold else (1.0 - sure) / (1.0 - threshold)
    if one.detector_class != one.class_name:
        doubt = max(doubt, min(one.detector_confidence, 1.0))
    return doubt


def write_gallery(
    out: Path,
    objects: Sequence[SlideObject],
    tiles: Mapping[str, Tile],
    options: GalleryOptions | None = None,
    advance: Callable[[], object] | None = None,
) -> Path:
    """Write the gallery of some objects and return its page, index.html.

    Parameters
    ----------
    out : Path
        Folder; made when missing. A gallery that is there is replaced.
    objects : sequence of SlideObject
        In any order; those that are `reviewed` are shown as such, with their class.
    tiles : mapping of str to Tile
        By `image`; each is read once. Objects of a broken one are shown without picture.
    options : GalleryOptions or None
    advance : callable or None
        Called after each object.

    Raises
    ------
    ImageError
        A crop cannot be written as JPEG.
    OSError
        The folder is not writable, or full.
    """
    options = options or GalleryOptions()
    order = sorted(objects, key=lambda one: (-uncertainty(one, options.threshold), one.object_id))
    chosen = order[: options.most]
    folder = out / "crops"
    folder.mkdir(parents=True, exist_ok=True)
    cells: dict[str, list[Any]] = {}
    for crop in crops_of(chosen, tiles, options.margin, options.least_px):
        cells[crop.one.object_id] = _crop_cells(folder, crop, options)
        if advance is not None:
            advance()
    study = _study(chosen, cells, options, left_out=len(order) - len(chosen))
    with whole_file(out / "index.html") as file:
        file.write(_page(options.title, study).encode("utf-8"))
    _remove_others(folder, {name for name, *_ in cells.values() if name})
    return out / "index.html"


def _crop_cells(folder: Path, crop: Crop, options: GalleryOptions) -> list[Any]:
    """Write a crop; return its name, where the object is in it, and its width in micrometres."""
    place = [round(value, 4) for value in crop.in_crop]
    if crop.image is None:
        return ["", place, None]
    width_um = None if options.um_per_px is None else crop.image.shape[1] * options.um_per_px
    data = _jpeg(crop.image, options)
    name = hashlib.sha256(data).hexdigest()[:16]
    path = folder / name[:2] / f"{name}.jpg"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        with whole_file(path) as file:
            file.write(data)
    return [name, place, None if width_um is None else round(width_um, 2)]


def _jpeg(image: ByteImage, options: GalleryOptions) -> bytes:
    import cv2

    if image.shape[1] > options.crop_px:
        image = cv2.resize(image, (options.crop_px,) * 2, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, options.quality])
    if not done:
        raise ImageError(f"a crop of {image.shape[1]} px cannot be written as JPEG")
    return bytes(data.tobytes())


def _study(
    objects: Sequence[SlideObject],
    cells: Mapping[str, list[Any]],
    options: GalleryOptions,
    left_out: int,
) -> dict[str, Any]:
    """Return all that the page is told."""
    slides = sorted({_slide_of(one) for one in objects})
    images = sorted({one.best.image for one in objects})
    slide_places = {name: place for place, name in enumerate(slides)}
    image_places = {name: place for place, name in enumerate(images)}
    rows = [
        [
            one.object_id, CLASSES.index(one.class_name), round(one.confidence, 4),
            CLASSES.index(one.detector_class), round(one.detector_confidence, 4),
            slide_places[_slide_of(one)], image_places[one.best.image], _rounded(one.best.xyxy_px),
            one.length_um, one.width_um, one.cut, one.reviewed, *cells[one.object_id],
        ]
        for one in objects
    ]  # fmt: skip
    # The same slides are the same work: a browser finds its verdicts again after another run.
    digest = hashlib.sha256(json.dumps(slides).encode()).hexdigest()[:16]
    return {
        "title": options.title,
        "gallery": digest,
        "classes": CLASSES,
        "labels": LABELS,
        "slides": slides,
        "images": images,
        "left_out": left_out,
        "columns": COLUMNS,
        "rows": rows,
    }


def _slide_of(one: SlideObject) -> str:
    return f"{one.site} / {one.sample} / {one.slide}"


def _rounded(box: Box) -> list[float]:
    return [round(value, 2) for value in box]


def _page(title: str, study: Mapping[str, Any]) -> str:
    """Return the page with its style, its program and what it is told inside."""
    parts = resources.files("sonar_watch.ichthyolith.review").joinpath("page")
    # "<" ends a script wherever it stands in it; in JSON it can be written otherwise.
    told = json.dumps(study, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
    filled = {
        "TITLE": html.escape(title),
        "STYLE": parts.joinpath("review.css").read_text(encoding="utf-8"),
        "SCRIPT": parts.joinpath("review.js").read_text(encoding="utf-8"),
        "STUDY": told,
    }
    page = parts.joinpath("index.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], page)


def _remove_others(folder: Path, shown: set[str]) -> None:
    """Remove the crops of a page that was here before."""
    for path in folder.glob("[0-9a-f][0-9a-f]/*.jpg"):
        if re.fullmatch(r"[0-9a-f]{16}", path.stem) and path.stem not in shown:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()

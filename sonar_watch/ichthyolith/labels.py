"""What a person marked on slide tiles: `labels.json`, a list of tiles and their objects.

    [{"image": "site/sample/slide/tile.jpg", "site": "", "sample": "", "slide": "",
      "objects": [{"box": [10, 20, 90, 140], "class": "tooth", "certainty": "sure", "cut": false}]}]
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.ichthyolith.records import ICHTHYOLITHS, Box

LABELS_NAME = "labels.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledObject:
    """An ichthyolith that a person marked.

    Parameters
    ----------
    xyxy_px : Box
        Tile pixels; of a cut one the visible part.
    class_name : str
        One of `ICHTHYOLITHS`.
    sure : bool
        False where it may be none: then it counts neither way.
    cut : bool
        The edge of the tile cuts it.
    """

    xyxy_px: Box
    class_name: str
    sure: bool = True
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTile:
    """A tile that a person searched, and what is on it.

    Parameters
    ----------
    image : str
        Path below the folder of the labels, with forward slashes.
    site, sample, slide : str
    objects : tuple of LabelledObject
        Empty when there is none.
    """

    image: str
    site: str
    sample: str
    slide: str
    objects: tuple[LabelledObject, ...] = ()

    @property
    def key(self) -> str:
        """Site, sample and slide with slashes."""
        return f"{self.site}/{self.sample}/{self.slide}"


def read_labels(path: Path) -> tuple[LabelledTile, ...]:
    """Return the labelled tiles of a folder.

    Parameters
    ----------
    path : Path
        The folder with `labels.json`, or that file.

    Raises
    ------
    ConfigurationError
        There is no such file.
    FormatError
        It is not what its README says: what and where.
    """
    file = path / LABELS_NAME if path.is_dir() else path
    if not file.is_file():
        raise ConfigurationError(f"{file}: expected the labels of slide tiles, no such file")
    try:
        tiles = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(tiles, list):
            raise TypeError(f"expected a list of tiles, received {type(tiles).__name__}")
    except (ValueError, TypeError) as error:
        raise FormatError(str(error), file=str(file)) from error
    return tuple(_tile(body, f"{file} tile {number}") for number, body in enumerate(tiles, 1))


def _tile(body: Any, where: str) -> LabelledTile:
    try:
        return LabelledTile(
            image=str(body["image"]),
            site=str(body.get("site", "")),
            sample=str(body.get("sample", "")),
            slide=str(body.get("slide", "")),
            objects=tuple(_object(one) for one in body["objects"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(
            f"expected a tile's labels: {type(error).__name__} {error}", file=where
        ) from error


def _object(body: Any) -> LabelledObject:
    left, top, right, bottom = (float(edge) for edge in body["box"])
    if not (np.isfinite([left, top, right, bottom]).all() and left < right and top < bottom):
        raise ValueError(f"box: expected left < right, top < bottom, received {body['box']}")
    if body["class"] not in ICHTHYOLITHS:
        raise ValueError(f"class: expected one of {ICHTHYOLITHS}, received {body['class']!r}")
    certainty = body.get("certainty", "sure")
    if certainty not in ("sure", "unsure"):
        raise ValueError(f"certainty: expected sure or unsure, received {certainty!r}")
    return LabelledObject(
        xyxy_px=(left, top, right, bottom),
        class_name=body["class"],
        sure=certainty == "sure",
        cut=bool(body.get("cut", False)),
    )

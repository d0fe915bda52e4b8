"""What travels between the steps of a slide: tiles, where they lie, and the objects on them.

Two frames of pixels: a tile's own (x right, y down, 0 at the outer edge of its first pixel), and
the slide's, in which the nominal positions of the file names stand. Boxes are left, top, right,
bottom. Lengths are micrometres only where `_um` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CLASSES = ("tooth", "denticle", "sawtoothed", "noise")
"""What a particle can be; noise is everything that is no ichthyolith."""

ICHTHYOLITHS = ("tooth", "denticle", "sawtoothed")
"""The classes that are counted."""

Box = tuple[float, float, float, float]
Placing = Literal["registered", "nominal"]
Status = Literal["kept", "merged", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One image of a slide, as its path and name tell.

    Parameters
    ----------
    path : Path
    image : str
        The path below the folder that was given, with forward slashes: how the tile is called
        in every file that is written.
    x_px, y_px : int
        Nominal slide position of its top left corner; 0, 0 for a stitched image.
    width_px, height_px : int
        From the header of the file.
    """

    path: Path
    image: str
    x_px: int
    y_px: int
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slide:
    """The tiles of one slide, in order of their nominal rows, then columns.

    Parameters
    ----------
    site, sample, slide : str
        `slide` is unique within its sample, such as "001".
    tiles : tuple of Tile
        At least one.
    """

    site: str
    sample: str
    slide: str
    tiles: tuple[Tile, ...]

    @property
    def key(self) -> str:
        """Site, sample and slide with slashes: names the slide in logs and manifests."""
        return f"{self.site}/{self.sample}/{self.slide}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a tile really lies on its slide.

    Parameters
    ----------
    image : str
        Of the tile.
    x_px, y_px : float
        Slide position of its top left corner.
    placing : {"registered", "nominal"}
        Measured on the overlap with a neighbour, or taken from the file name.
    residual_px : float or None
        Root mean square by which the measured steps to its neighbours differ from the placing;
        None for a nominal one.
    """

    image: str
    x_px: float
    y_px: float
    placing: Placing
    residual_px: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One box of the detector in one tile.

    Parameters
    ----------
    image : str
    xyxy_px : Box
        Tile pixels.
    confidence : float
        0 to 1.
    class_name : str
        One of `CLASSES`.
    cut : bool
        An edge of the tile cuts the object.
    """

    image: str
    xyxy_px: Box
    confidence: float
    class_name: str
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideObject:
    """One physical object on a slide.

    Parameters
    ----------
    object_id : str
        The same whenever the same slide is run again: made of slide, tile and place.
    site, sample, slide : str
    class_name : str
        One of `CLASSES`: the verdict of the classifier where there is one, else the detector's;
        a person's where the object was reviewed.
    confidence : float
        Of that class, 0 to 1.
    best : Sighting
        The view that shows most of it.
    sightings : tuple of Sighting
        All boxes that show it, `best` among them.
    slide_xyxy_px : Box
        Of the whole object, slide pixels.
    detector_class, detector_confidence
        What the detector said of `best`.
    length_um, width_um : float or None
        Longest axis of the object itself (not of its box) and the extent across it; None where
        it could not be told from its surroundings.
    cut : bool
        The edge of what was scanned cuts it: longer than measured.
    reviewed : bool
        A person has looked at it.
    """

    object_id: str
    site: str
    sample: str
    slide: str
    class_name: str
    confidence: float
    best: Sighting
    sightings: tuple[Sighting, ...]
    slide_xyxy_px: Box
    detector_class: str
    detector_confidence: float
    length_um: float | None = None
    width_um: float | None = None
    cut: bool = False
    reviewed: bool = False

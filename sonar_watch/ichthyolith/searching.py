"""How windows of a slide are shown to a network: flattened, and of each only the particles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.detection.packing import Sheet, packed
from sonar_watch.detection.tiling import Detecting, padded
from sonar_watch.ichthyolith.particles import (
    LEVEL,
    background,
    flattened,
    flattened_parts,
    particles,
)


@dataclass(slots=True)
class Search:
    """Finds things in windows with a network; itself a `Detecting`.

    Each window has a sheet of its own, so that its boxes do not depend on what else waits. One
    without particles is not shown at all; one that is full of them is shown whole.

    Parameters
    ----------
    detector : Detecting
        Taught on flattened pictures.
    size_px : int
        Side of a full window; smaller ones are filled up to it.
    where : {"particles", "everywhere"}

    Attributes
    ----------
    windows, shown : float
        How many windows came, and how many were shown, in areas of a full one.
    """

    detector: Detecting
    size_px: int
    where: str
    windows: float = 0.0
    shown: float = 0.0

    def detect(self, images: Sequence[ByteImage]) -> list[Detections]:
        """Return what is found in each window, in order; each as if it came alone.

        Raises
        ------
        ValueError
            A window that is larger than `size_px`, or no picture.
        InferenceError
            The detector failed.
        """
        ready = [self._ready(image) for image in images]
        sheets = [pixels for pixels, _ in ready if pixels is not None]
        found = iter(self.detector.detect(sheets) if sheets else ())
        self.windows += len(images)
        self.shown += sum(sheet.shape[0] * sheet.shape[1] for sheet in sheets) / self.size_px**2
        return [
            Detections.empty(()) if pixels is None else _in_window(next(found), sheet)
            for pixels, sheet in ready
        ]

    def _ready(self, image: ByteImage) -> tuple[ByteImage | None, Sheet | None]:
        """Return what the network is shown of a window, if anything, and how it was packed."""
        light = background(image)
        if self.where == "particles":
            regions = particles(image, light)
            if not regions:
                return None, None
            sheet = packed(regions, self.size_px)
            if sheet is not None:
                return sheet.filled(flattened_parts(image, light, regions), LEVEL), sheet
        return padded(flattened(image, light), self.size_px, LEVEL), None


def _in_window(found: Detections, sheet: Sheet | None) -> Detections:
    return found if sheet is None else sheet.in_window(found)

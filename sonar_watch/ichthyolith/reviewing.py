"""A run and the people who review it: the page they look at, and what is learnt from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sonar_watch.ichthyolith.batch import Batch
from sonar_watch.ichthyolith.networks import Networks
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.results import Counted, tiles_of
from sonar_watch.ichthyolith.review import (
    GalleryOptions,
    ReviewedOptions,
    reviewed_pictures,
    write_gallery,
    write_reviewed_crops,
    write_reviewed_set,
)

_MOST_THRESHOLD, _LEAST_THRESHOLD = 0.95, 0.05


def write_review(
    folder: Path,
    batch: Batch,
    counted: Counted,
    networks: Networks,
    options: SlideOptions,
    advance: Callable[[], object] | None = None,
) -> Path:
    """Write the page on which a person reviews all objects of a run; return it.

    Parameters
    ----------
    folder : Path
        Made when missing; a page that is there is replaced.
    batch : Batch
    counted : Counted
    networks : Networks
    options : SlideOptions
    advance : callable or None
        Called after each object.

    Raises
    ------
    ImageError, OSError
        As `write_gallery`.
    """
    scales = {one.scan.um_per_px for one in batch.results}
    threshold = networks.confidence if options.stages == "one" else options.accept
    gallery = GalleryOptions(
        title=f"Ichthyoliths of {batch.plan.root.resolve().name} to review",
        threshold=min(max(threshold, _LEAST_THRESHOLD), _MOST_THRESHOLD),
        um_per_px=scales.pop() if len(scales) == 1 else None,
    )
    return write_gallery(folder, counted.objects, tiles_of(batch), gallery, advance)


def write_lessons(
    folder: Path,
    batch: Batch,
    counted: Counted,
    networks: Networks,
    options: SlideOptions,
    advance: Callable[[], object] | None = None,
) -> tuple[Path, dict[str, int]]:
    """Write what a person judged as sets to train on; return dataset.yaml and crops by class.

    Boxes lie in `boxes/`, for the detector, crops in `crops/`, for the classifier.

    Parameters
    ----------
    folder : Path
        A new one.
    batch : Batch
    counted : Counted
        With verdicts.
    networks : Networks
        The boxes have the classes of the detector.
    options : SlideOptions
    advance : callable or None
        Called after each picture.

    Raises
    ------
    ConfigurationError
        Nothing was judged, or the folder holds a set already.
    """
    tiles = tiles_of(batch)
    unsure = counted.applied.unsure if counted.applied is not None else frozenset()
    wanted = ReviewedOptions(
        class_names=networks.entry.class_names, window_px=options.window_px,
        overlap_px=options.overlap_px,
    )
    pictures = reviewed_pictures(counted.objects, tiles, wanted, unsure)
    written = write_reviewed_set(folder / "boxes", pictures, advance)
    return written.data, write_reviewed_crops(folder / "crops", counted.objects, tiles)

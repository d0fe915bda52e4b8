"""One slide, from its tiles to its objects: every step of the package, put together.

    sweep (boxes, places) -> join -> look (classes, axes) -> verdict, lengths, scan
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sonar_watch.detection.decoding import MAX_DETECTIONS
from sonar_watch.errors import ImageError
from sonar_watch.ichthyolith.census import Scan
from sonar_watch.ichthyolith.classifier import verdict
from sonar_watch.ichthyolith.grid import coverage, missing_count, scanned_area_mm2, sizes_of
from sonar_watch.ichthyolith.joining import View, as_object, is_candidate, join
from sonar_watch.ichthyolith.looking import Look, forget_gone, look
from sonar_watch.ichthyolith.networks import Networks
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.reading import micrometres_per_pixel
from sonar_watch.ichthyolith.records import Placed, Slide, SlideObject
from sonar_watch.ichthyolith.stored import SlideRecord, code_of
from sonar_watch.ichthyolith.sweep import Swept, found_inputs, sweep
from sonar_watch.ichthyolith.tree import Problem

log = logging.getLogger(__name__)

SCALE = "scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideResult:
    """What came of one slide.

    Parameters
    ----------
    slide : Slide
    objects : tuple of SlideObject
        From top to bottom of the slide; rejected ones among them.
    placed : tuple of Placed
        Of the tiles that could be read.
    scan : Scan
    problems : tuple of Problem
        Tiles that could not be used.
    ran : mapping of str to (int, str)
        Steps that were run now: on how many tiles or objects, and why. {} when all was known.
    inputs : mapping of str to str
        sha256 of each tile's file, by image.
    full_windows : tuple of str
        Image of each window with as many boxes as are kept of one: there may be more.
    """

    slide: Slide
    objects: tuple[SlideObject, ...]
    placed: tuple[Placed, ...]
    scan: Scan
    problems: tuple[Problem, ...]
    ran: Mapping[str, tuple[int, str]]
    inputs: Mapping[str, str]
    full_windows: tuple[str, ...] = ()


def count_slide(
    slide: Slide,
    record: SlideRecord,
    networks: Networks,
    options: SlideOptions,
    tick: Callable[[int], None] = lambda _: None,
) -> SlideResult:
    """Return what is on a slide; what its record knows is not worked out again.

    Parameters
    ----------
    slide : Slide
    record : SlideRecord
        Is saved with what is new.
    networks : Networks
    options : SlideOptions
    tick : callable
        Told how many windows are done.

    Raises
    ------
    WeightsError, InferenceError
        A network could not be run; broken tiles are no reason to stop.
    """
    inputs = found_inputs(networks.entry, networks.floor, options)
    swept = sweep(slide, record, networks.open_detector, inputs, options, tick)
    ran = dict(swept.ran)
    groups, reason = join(slide, swept, record, networks.confidence, options)
    if reason is not None:
        ran["objects"] = (len(groups), reason)
    groups = tuple(g for g in groups if options.list_noise or is_candidate(g))
    candidates = [group for group in groups if is_candidate(group)]
    looked = look(
        slide, candidates, swept.contents, record, networks.classifier,
        options.workers,
    )  # fmt: skip
    forget_gone(record, swept.found, swept.broken)
    um_per_px = options.um_per_px or scale_of(slide, swept, record)
    record.save()
    objects = tuple(
        _object(slide, group, looked.looks.get(group[0]), options, um_per_px) for group in groups
    )
    broken = {**swept.broken, **looked.failed}
    return SlideResult(
        slide=slide, objects=objects, placed=_readable(swept),
        scan=_scan(slide, swept, um_per_px), ran=ran | looked.ran, inputs=swept.contents,
        full_windows=_full_windows(swept, networks.confidence),
        problems=tuple(Problem(image=image, reason=broken[image]) for image in sorted(broken)),
    )


def scale_of(slide: Slide, swept: Swept, record: SlideRecord) -> float | None:
    """Return the micrometres per pixel that the first tile in order says, None where none does."""
    first = next((tile for tile in slide.tiles if tile.image in swept.found), None)
    if first is None:
        return None
    inputs: dict[str, Any] = {
        "program": code_of("ichthyolith.reading"),
        "content": {first.image: swept.contents[first.image]},
    }
    kept = record.result(SCALE, inputs, first.image)
    if kept is None:
        try:
            kept = [micrometres_per_pixel(first)]
        except (ImageError, OSError) as error:
            log.warning("%s: no scale: %s", first.image, error)
            return None
        record.keep(SCALE, inputs, kept, first.image)
    value: float | None = kept[0]
    return value


def _object(
    slide: Slide, views: tuple[View, ...], seen: Look | None, options: SlideOptions,
    um_per_px: float | None,
) -> SlideObject:
    judged = (views[0].found.class_name, views[0].found.confidence)
    if seen is not None and seen.probabilities is not None:
        judged = verdict(np.array(seen.probabilities, np.float32), options.accept)
    return as_object(slide, views, judged, seen and seen.axes_px, um_per_px)


def _full_windows(swept: Swept, confidence: float) -> tuple[str, ...]:
    """Return the images of windows of which the detector left out boxes that it was sure of."""
    often = Counter(
        (image, one.window) for image, found in swept.found.items() for one in found
        if one.confidence >= confidence
    )  # fmt: skip
    return tuple(image for (image, _), count in often.items() if count >= MAX_DETECTIONS)


def _readable(swept: Swept) -> tuple[Placed, ...]:
    return tuple(one for one in swept.placed if one.image in swept.found)


def _scan(slide: Slide, swept: Swept, um_per_px: float | None) -> Scan:
    area = None
    if um_per_px is not None:
        area = scanned_area_mm2(_readable(swept), sizes_of(slide), um_per_px)
    return Scan(
        site=slide.site, sample=slide.sample, slide=slide.slide, tiles=len(swept.found),
        broken_tiles=len(swept.broken), missing_tiles=missing_count(slide),
        scanned_area_mm2=area, um_per_px=um_per_px, coverage=coverage(slide, swept.broken),
    )  # fmt: skip

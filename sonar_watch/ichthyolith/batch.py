"""A tree of slides, one after the other: goes on where it stopped, runs again what changed.

Below the folder of results `slides/` holds a record of each slide (`stored`); everything else
there is written anew from these records, so a run that was killed ends, when it is started
again, with the files of one that was not. `history.jsonl` tells what was run when and why.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sonar_watch.errors import ConfigurationError, ImageError
from sonar_watch.ichthyolith.grid import missing_count, stray_tile
from sonar_watch.ichthyolith.networks import Networks
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.records import Slide, SlideObject
from sonar_watch.ichthyolith.slides import SlideResult, count_slide
from sonar_watch.ichthyolith.stored import SlideRecord, lock, record_path, remove_remains
from sonar_watch.ichthyolith.sweep import windows_of
from sonar_watch.ichthyolith.tree import Problem, read_tree

log = logging.getLogger(__name__)

RECORDS, HISTORY = "slides", "history.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What there is to do.

    Parameters
    ----------
    root : Path
        Folder of slides.
    slides : tuple of Slide
    problems : tuple of Problem
        Images that belong to no slide.
    windows : int
        Pieces of image that a network looks at: as many as tiles, unless tiles are large.
    """

    root: Path
    slides: tuple[Slide, ...]
    problems: tuple[Problem, ...]
    windows: int

    @property
    def tiles(self) -> int:
        """Images of all slides."""
        return sum(len(slide.tiles) for slide in self.slides)


@dataclass(slots=True, kw_only=True)
class Batch:
    """What came of all slides.

    Parameters
    ----------
    plan : Plan
    results : list of SlideResult
        In the order of the slides.
    """

    plan: Plan
    results: list[SlideResult] = field(default_factory=list)

    @property
    def objects(self) -> list[SlideObject]:
        """All objects, slide by slide."""
        return [one for result in self.results for one in result.objects]

    @property
    def problems(self) -> list[Problem]:
        """All images that could not be used, by name."""
        broken = [one for result in self.results for one in result.problems]
        return sorted([*self.plan.problems, *broken], key=lambda problem: problem.image)

    @property
    def ran(self) -> Mapping[str, int]:
        """How many tiles or objects each step was run for; {} when all was known."""
        counts: dict[str, int] = {}
        for result in self.results:
            for step, (count, _) in result.ran.items():
                counts[step] = counts.get(step, 0) + count
        return dict(sorted(counts.items()))


def check_apart(out: Path, root: Path) -> None:
    """Refuse a folder of results within that of slides: its pictures would be taken for tiles.

    Raises
    ------
    ConfigurationError
    """
    if root.is_dir() and out.resolve().is_relative_to(root.resolve()):
        raise ConfigurationError(
            f"--out {out}: lies within {root}, where its pictures would be taken for tiles; "
            "choose a folder beside it"
        )


@contextmanager
def results_folder(out: Path) -> Iterator[Path]:
    """Give the folder of results, made when missing, to this process alone.

    What a killed run left half written is removed.

    Raises
    ------
    ConfigurationError
        Another process is at work in it.
    """
    try:
        held = lock(out)
    except BlockingIOError as error:
        raise ConfigurationError(f"{out}: another run is at work there") from error
    with held:
        remove_remains(out)
        yield out


def make_plan(
    root: Path, options: SlideOptions, tick: Callable[[], object] = lambda: None
) -> Plan:
    """Return which slides there are; every image is opened for its header.

    A tile that stands far from all others of its slide is told: its name may be wrong.

    Parameters
    ----------
    root : Path
    options : SlideOptions
    tick : callable
        Called after each image.

    Raises
    ------
    ImageError
        No slide is found; says why of the first images.
    OSError
        `root` cannot be read.
    """
    slides, problems = read_tree(root, tick)
    if not slides:
        raise ImageError(
            f"{root}: no slide found; expected tiles named <sample>_<slide>_<Y>_<X>.jpg, or "
            f"stitched images{_first(problems)}"
        )
    for slide in slides:
        _tell_stray(slide)
    windows = sum(len(windows_of(tile, options)) for slide in slides for tile in slide.tiles)
    return Plan(root=root, slides=tuple(slides), problems=tuple(problems), windows=windows)


def run_batch(
    plan: Plan,
    out: Path,
    networks: Networks,
    options: SlideOptions,
    tick: Callable[[int], None] = lambda _: None,
) -> Batch:
    """Run every slide that changed since it was run last, and return the results of all.

    Parameters
    ----------
    plan : Plan
    out : Path
        See `results_folder`.
    networks : Networks
    options : SlideOptions
    tick : callable
        Told how many windows are done.

    Raises
    ------
    WeightsError, InferenceError
        A network could not be run. What was done until then is kept.
    OSError
        Results cannot be written.
    """
    batch = Batch(plan=plan)
    for slide in plan.slides:
        record = SlideRecord(record_path(out / RECORDS, slide))
        result = count_slide(slide, record, networks, options, tick)
        batch.results.append(result)
        _tell(out / HISTORY, result)
    unscaled = [one.slide.key for one in batch.results if one.scan.um_per_px is None]
    full = [image for one in batch.results for image in one.full_windows]
    if full:
        log.warning("%d windows, such as one in %s, hold as many boxes as are kept of one: what "
                    "lies there besides is not counted", len(full), full[0])  # fmt: skip
    if unscaled:
        log.warning("%d slides, such as %s, do not say their scale: no lengths and areas; give "
                    "um_per_px", len(unscaled), unscaled[0])  # fmt: skip
    return batch


def _tell(path: Path, result: SlideResult) -> None:
    """Log what was run and why, and append it to the history."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for problem in result.problems:
        log.warning("%s: left out: %s", problem.image, problem.reason)
    lines = []
    for step, (count, reason) in result.ran.items():
        log.info("%s: %s of %d: %s", result.slide.key, step, count, reason)
        lines.append({"time_utc": now, "slide": result.slide.key, "step": step, "count": count,
                      "because": reason})  # fmt: skip
    if not lines:
        log.info("%s: unchanged, nothing was run", result.slide.key)
        return
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def _tell_stray(slide: Slide) -> None:
    if (stray := stray_tile(slide)) is not None:
        log.warning(
            "%s: %s stands far from all other tiles, which makes %d places without one: is its "
            "name right?", slide.key, stray.image, missing_count(slide),
        )  # fmt: skip


def _first(problems: list[Problem]) -> str:
    told = "; ".join(f"{one.image}: {one.reason}" for one in problems[:3])
    return f" ({len(problems)} images could not be used: {told})" if problems else ""

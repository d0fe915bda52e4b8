"""How fast slides are searched here, beside `yolo predict` on the same tiles and weights.

Both go from files to boxes in one process, by turns, so that whatever else the machine does
meets both; the best turn of each counts, because other work only ever makes a turn slower.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sonar_watch.detection.detector import has_cuda
from sonar_watch.detection.peer_runtime import YoloPredict
from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.networks import Networks
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.records import Slide
from sonar_watch.ichthyolith.slides import count_slide
from sonar_watch.ichthyolith.stored import SlideRecord
from sonar_watch.ichthyolith.sweep import found_inputs, sweep, windows_of
from sonar_watch.ichthyolith.tree import read_tree

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedReport:
    """Tiles per second of each way, its best turn, and all turns in order.

    Parameters
    ----------
    tiles : int
        In each turn.
    turns : int
    ours, theirs : float
        From files to boxes: this package, and `yolo predict`.
    ours_whole : float
        From files to counted objects: also registered, merged, classified and measured.
    ratio : float
        `ours` over `theirs`.
    ratio_low : float
        The least of the turns side by side.
    ours_cpu_s, theirs_cpu_s : float
        Processor time per tile, all threads together, least of all turns: tells both ways apart
        even where other work takes most of the machine.
    ours_boxes, theirs_boxes : int
        Found, at the same least confidence: each has its own way to thin them out.
    ours_runtime, theirs_runtime : str
    """

    tiles: int
    turns: int
    ours: float
    theirs: float
    ours_whole: float
    ratio: float
    ratio_low: float
    ours_cpu_s: float
    theirs_cpu_s: float
    ours_boxes: int
    theirs_boxes: int
    ours_runtime: str
    theirs_runtime: str


def measure_speed(
    root: Path,
    options: SlideOptions,
    *,
    turns: int = 3,
    most_tiles: int | None = None,
    advance: Callable[[], object] = lambda: None,
) -> SpeedReport:
    """Return how fast both are on the tiles of a tree.

    Parameters
    ----------
    root : Path
    options : SlideOptions
        The weights must have a torch file.
    turns : int
        Of each; one more before them warms up and does not count.
    most_tiles : int or None
        Only so many, from the first slides.
    advance : callable
        Called after each part of a turn, three a turn.

    Raises
    ------
    ConfigurationError
        No tiles, or images so large that `yolo predict` would not see them in windows.
    WeightsError, InferenceError
        A network cannot be run.
    """
    slides = _slides(root, options, most_tiles)
    files = [tile.path for slide in slides for tile in slide.tiles]
    networks = Networks(options)
    device = options.device
    if device == "auto":
        device = "cuda:0" if has_cuda() and "torch" in networks.entry.files else "cpu"
    peer = YoloPredict(networks.entry, device, options.threads)
    works: dict[str, Callable[[], int]] = {
        "ours": lambda: _search(slides, networks, options),
        "theirs": lambda: sum(peer.count(files, confidence=networks.floor, iou=options.iou)),
        "whole": lambda: _count(slides, networks, options),
    }
    ours, theirs, whole = _by_turns(works, turns, advance).values()
    runtime = networks.open_detector().runtime
    networks.close()
    tiles = len(files)
    return SpeedReport(
        tiles=tiles, turns=turns, ours=tiles / min(ours.wall_s), theirs=tiles / min(theirs.wall_s),
        ours_whole=tiles / min(whole.wall_s), ratio=min(theirs.wall_s) / min(ours.wall_s),
        ratio_low=min(b / a for a, b in zip(ours.wall_s, theirs.wall_s, strict=True)),
        ours_cpu_s=min(ours.cpu_s) / tiles, theirs_cpu_s=min(theirs.cpu_s) / tiles,
        ours_boxes=ours.boxes, theirs_boxes=theirs.boxes, ours_runtime=runtime,
        theirs_runtime=peer.name,
    )  # fmt: skip


@dataclass(slots=True)
class _Timed:
    """What the turns of one way took."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    boxes: int = 0


def _by_turns(
    works: Mapping[str, Callable[[], int]], turns: int, advance: Callable[[], object]
) -> dict[str, _Timed]:
    """Do one work after the other, again and again; the first turn is not counted."""
    timed = {name: _Timed() for name in works}
    for turn in range(turns + 1):
        for name, work in works.items():
            one, start_s, start_cpu_s = timed[name], time.perf_counter(), time.process_time()
            one.boxes = work()
            if turn > 0:
                one.wall_s.append(time.perf_counter() - start_s)
                one.cpu_s.append(time.process_time() - start_cpu_s)
            advance()
    return timed


def _slides(root: Path, options: SlideOptions, most_tiles: int | None) -> list[Slide]:
    found, left = list[Slide](), most_tiles
    for slide in read_tree(root)[0]:
        tiles = tuple(tile for tile in slide.tiles if len(windows_of(tile, options)) == 1)[:left]
        if tiles:
            found.append(replace(slide, tiles=tiles))
        left = None if left is None else left - len(tiles)
        if left == 0:
            break
    if not found:
        raise ConfigurationError(
            f"{root}: expected tiles of at most {options.window_px} px, found none"
        )
    return found


def _search(slides: list[Slide], networks: Networks, options: SlideOptions) -> int:
    """Return how many boxes are found, as `yolo predict` would count them."""
    plain = replace(options, register=False)
    inputs = found_inputs(networks.entry, networks.floor, plain)
    boxes = 0
    with TemporaryDirectory(prefix="sonar-watch-") as folder:
        for number, slide in enumerate(slides):
            record = SlideRecord(Path(folder) / f"{number}.json")
            swept = sweep(slide, record, networks.open_detector, inputs, plain, lambda _: None)
            boxes += sum(map(len, swept.found.values()))
    return boxes


def _count(slides: list[Slide], networks: Networks, options: SlideOptions) -> int:
    with TemporaryDirectory(prefix="sonar-watch-") as folder:
        return sum(
            len(count_slide(slide, SlideRecord(Path(folder) / f"{number}.json"), networks,
                            options).objects)
            for number, slide in enumerate(slides)
        )  # fmt: skip

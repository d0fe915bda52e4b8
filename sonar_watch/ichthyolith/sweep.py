"""One pass over the pixels of a slide: the network's boxes in every tile, and where tiles lie.

Tiles are read ahead in threads; an image too large to be held is read in strips. What is known
from an earlier run is not looked at again.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.detection.tiling import (
    Detecting,
    Piece,
    Window,
    cut_edges,
    cut_from_strips,
    cut_out,
    detect_windows,
    windows,
)
from sonar_watch.detection.weights import WeightsEntry
from sonar_watch.errors import ImageError
from sonar_watch.ichthyolith.ahead import read_ahead
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.reading import read_tile, strips
from sonar_watch.ichthyolith.records import Placed, Slide, Tile
from sonar_watch.ichthyolith.regions import is_small
from sonar_watch.ichthyolith.registration import Registration, RegistrationOptions
from sonar_watch.ichthyolith.searching import Search
from sonar_watch.ichthyolith.stored import Inputs, SlideRecord, code_of, plainly

log = logging.getLogger(__name__)

SAVE_EVERY_S = 10.0
"""What a killed run loses, at most, of a slide in tiles."""

FOUND, PLACED = "boxes", "places"
READING_ERRORS = (ImageError, OSError)

_FOUND_BY = (
    "detection.decoding", "detection.detector", "detection.letterbox", "detection.overlap",
    "detection.packing", "detection.tiling", "detection.yolov5", "ichthyolith.particles",
    "ichthyolith.reading", "ichthyolith.searching", "ichthyolith.sweep",
)
_PLACED_BY = (
    "ichthyolith.offsets", "ichthyolith.positions", "ichthyolith.reading",
    "ichthyolith.registration",
)


class Found(NamedTuple):
    """One box of the network in a tile.

    Parameters
    ----------
    x1, y1, x2, y2 : float
        Tile pixels, to a hundredth.
    confidence : float
        To four places.
    class_name : str
    window : int
        Number of the window of the tile that saw it.
    cut : tuple of bool
        Whether the left, top, right and bottom edge of that window cuts it.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    confidence: float
    class_name: str
    window: int
    cut: tuple[bool, bool, bool, bool]


def windows_of(tile: Tile, options: SlideOptions) -> list[Window]:
    """Return the windows in which a tile is shown to the network: one when it is no larger."""
    return windows(tile.width_px, tile.height_px, options.window_px, options.overlap_px)


def found_inputs(weights: WeightsEntry, floor: float, options: SlideOptions) -> dict[str, Any]:
    """Return what the boxes are made of, tiles apart; `floor` is the least confidence kept."""
    return {
        "weights": weights.sha256, "classes": weights.class_names,
        "input_size": weights.input_size, "floor": floor, "iou": options.iou,
        "window_px": options.window_px, "overlap_px": options.overlap_px,
        "search": options.search, "program": code_of(*_FOUND_BY),
    }  # fmt: skip


def placed_inputs(slide: Slide, options: SlideOptions) -> dict[str, Any]:
    """Return what the places of tiles are made of, their pixels apart."""
    return {
        "register": options.register and len(slide.tiles) > 1,
        "max_shift_px": options.max_shift_px,
        "names": [[tile.image, tile.x_px, tile.y_px] for tile in slide.tiles],
        "program": code_of(*_PLACED_BY),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a pass over a slide gave.

    Parameters
    ----------
    found : mapping of str to tuple of Found
        By image; only of tiles that could be read.
    broken : mapping of str to str
        The other tiles and why.
    placed : tuple of Placed
    contents : mapping of str to str
        sha256 of each tile's file, by image.
    ran : mapping of str to (int, str)
        Steps that were run: for how many tiles, and why.
    """

    found: Mapping[str, tuple[Found, ...]]
    broken: Mapping[str, str]
    placed: tuple[Placed, ...]
    contents: Mapping[str, str]
    ran: Mapping[str, tuple[int, str]]


def sweep(
    slide: Slide,
    record: SlideRecord,
    open_detector: Callable[[], Detecting],
    inputs: Inputs,
    options: SlideOptions,
    tick: Callable[[int], None],
) -> Swept:
    """Return what is found where on a slide; what the record knows is taken from there.

    Parameters
    ----------
    slide : Slide
    record : SlideRecord
        What is found goes there, and is saved now and then.
    open_detector : callable
        Asked when there is something to look at, not before.
    inputs : mapping
        See `found_inputs`.
    options : SlideOptions
    tick : callable
        Told how many windows are done.

    Raises
    ------
    InferenceError
        The network could not be run.
    """
    contents, unreadable = contents_of(slide, record, options.workers)
    found_by = _as_known(record, {**inputs, "content": contents})
    placed_by = {**placed_inputs(slide, options), "content": {"": contents}}
    readable = [tile for tile in slide.tiles if tile.image in contents]
    unseen = [tile for tile in readable if record.result(FOUND, found_by, tile.image) is None]
    ran = {}
    if unseen:
        ran[FOUND] = (len(unseen), record.reason(FOUND, found_by, unseen[0].image))
    work = _Pass(slide, record, found_by, options, tick)
    tick(sum(len(windows_of(t, options)) for t in slide.tiles) - work.windows_in(unseen))
    if record.result(PLACED, placed_by) is None:
        ran[PLACED] = (len(readable), record.reason(PLACED, placed_by))
        work.registration = _registration(slide, options)
    work.run(readable, unseen, open_detector)
    if PLACED in ran:
        rows = [_as_row(one) for one in work.placed()]
        if not work.failed:  # else it is to be tried again
            record.keep(PLACED, placed_by, rows)
    else:
        rows = record.result(PLACED, placed_by)
    placed = tuple(map(_from_row, rows))
    record.keep_only(FOUND, set(contents))
    record.save()
    return _swept(record, found_by, placed, unreadable | work.failed, ran)


def _as_known(record: SlideRecord, found_by: Inputs) -> Inputs:
    """Return the inputs with the floor of an earlier run, where that was lower and saw all tiles.

    The boxes above a floor are the same whatever lies below it: who looked at more once and asks
    for less now need not look again.
    """
    earlier = record.inputs(FOUND).get("floor", found_by["floor"])
    known = {**found_by, "floor": earlier}
    if earlier < found_by["floor"] and all(
        record.result(FOUND, known, image) is not None for image in found_by["content"]
    ):
        return known
    return found_by


def contents_of(
    slide: Slide, record: SlideRecord, workers: int
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the sha256 of each tile's file, and of those that cannot be read why not."""
    contents, unreadable = dict[str, str](), dict[str, str]()
    for tile, value in read_ahead(slide.tiles, record.content_of, workers, (OSError,)):
        if isinstance(value, Exception):
            unreadable[tile.image] = f"cannot be read: {value}"
        else:
            contents[tile.image] = value
    return contents, unreadable


def _registration(slide: Slide, options: SlideOptions) -> Registration | None:
    if not options.register or len(slide.tiles) < 2:
        return None
    return Registration(slide, RegistrationOptions(max_shift_px=options.max_shift_px))


@dataclass(slots=True)
class _Pass:
    """The state of one pass: which windows the network has, and what it said so far."""

    slide: Slide
    record: SlideRecord
    found_by: Inputs
    options: SlideOptions
    tick: Callable[[int], None]
    registration: Registration | None = None
    failed: dict[str, str] = field(default_factory=dict)
    """Tiles that could not be read this time, though their content may be good, and why."""
    _given: deque[tuple[Tile, int, bool]] = field(default_factory=deque)
    """Windows that the network has: the tile, the number, and whether it is the last of it."""
    _answered: dict[str, int] = field(default_factory=dict)
    _rows: dict[str, list[list[Any]]] = field(default_factory=dict)
    _saved_s: float = field(default_factory=time.monotonic)

    def windows_in(self, tiles: list[Tile]) -> int:
        """Return in how many windows tiles are shown."""
        return sum(len(windows_of(tile, self.options)) for tile in tiles)

    def run(
        self, tiles: list[Tile], unseen: list[Tile], open_detector: Callable[[], Detecting]
    ) -> None:
        """Read the tiles that are unseen or to be registered; show the network the unseen."""
        names = {tile.image for tile in unseen}
        wanted = [tile for tile in tiles if tile.image in names or self._is_registered(tile)]
        pieces = self._pieces(wanted, names)
        if not unseen:
            deque(pieces, maxlen=0)
            return
        search = Search(open_detector(), self.options.window_px, self.options.search)
        for window, found in detect_windows(
            search, pieces, size_px=None, batch=self.options.batch
        ):
            self._take(window, found)
        log.info("%s: %d windows were shown to the network as %.1f: %s",
                 self.slide.key, search.windows, search.shown, search.where)  # fmt: skip

    def placed(self) -> tuple[Placed, ...]:
        """Return where the tiles lie, by their names when nothing was measured."""
        if self.registration is not None:
            return self.registration.placed()
        return tuple(
            Placed(image=tile.image, x_px=tile.x_px, y_px=tile.y_px, placing="nominal")
            for tile in self.slide.tiles
        )

    def _is_registered(self, tile: Tile) -> bool:
        return self.registration is not None and self.registration.needs(tile)

    def _pieces(self, tiles: list[Tile], unseen: set[str]) -> Iterator[Piece]:
        """Yield the windows of the unseen tiles; broken ones are noted and passed over."""
        for tile, image in read_ahead(tiles, _read_small, self.options.workers, READING_ERRORS):
            try:
                yield from self._pieces_of(tile, image, tile.image in unseen)
            except READING_ERRORS as error:
                self._give_up(tile, error, tile.image in unseen)

    def _give_up(self, tile: Tile, error: Exception, is_unseen: bool) -> None:
        """Note a tile that cannot be read; what was found in it already is left out."""
        log.warning("%s: %s", tile.image, error)
        if is_unseen:
            given = sum(one.image == tile.image for one, _, _ in self._given)
            answered = self._answered.get(tile.image, 0)
            self.tick(self.windows_in([tile]) - given - answered)
        if isinstance(error, OSError):
            self._rows.pop(tile.image, None)
            self.failed[tile.image] = str(error)
        elif is_unseen:
            self._keep(tile, {"broken": str(error)})

    def _pieces_of(
        self, tile: Tile, image: ByteImage | Exception | None, is_unseen: bool
    ) -> Iterator[Piece]:
        if isinstance(image, Exception):
            raise image
        if self._is_registered(tile):
            self._register(tile, image)
        if not is_unseen:
            return
        wanted = windows_of(tile, self.options)
        self._rows[tile.image] = []
        if image is not None:
            pieces = cut_out(image, wanted)
        else:
            pieces = cut_from_strips(strips(tile, self.options.window_px, 0), wanted)
        for number, piece in enumerate(pieces):
            self._given.append((tile, number, number + 1 == len(wanted)))
            yield piece

    def _register(self, tile: Tile, image: ByteImage | None) -> None:
        """Note where a tile fits its neighbours; one too large to be held whole is left out."""
        if image is None:
            try:
                image = read_tile(tile)
            except ImageError as error:
                log.warning("%s: not registered: %s", tile.image, error)
                return
        if self.registration is not None:
            self.registration.see(tile, image)

    def _take(self, window: Window, found: Detections) -> None:
        """Note what was found in the window that was given first of those not answered yet."""
        tile, number, is_last = self._given.popleft()
        self._answered[tile.image] = number + 1
        self.tick(1)
        if tile.image not in self._rows:  # broke further down
            return
        self._rows[tile.image] += _rows_of(window, number, found)
        if is_last:
            self._keep(tile, {"boxes": self._rows[tile.image]})

    def _keep(self, tile: Tile, result: dict[str, Any]) -> None:
        self._rows.pop(tile.image, None)
        self.record.keep(FOUND, self.found_by, plainly(result), tile.image)
        if time.monotonic() - self._saved_s > SAVE_EVERY_S:
            self.record.save()
            self._saved_s = time.monotonic()


def _read_small(tile: Tile) -> ByteImage | None:
    """Return the pixels of a tile, None for one that is read in strips."""
    return read_tile(tile) if is_small(tile) else None


def _rows_of(window: Window, number: int, found: Detections) -> list[list[Any]]:
    """Return rows as they are kept: numbers rounded, so that fresh and kept ones are the same.

    Slivers at an edge of which the rounding leaves nothing show nothing.
    """
    cut = cut_edges(found.xyxy, window).tolist()
    rows = [
        [*(round(side, 2) for side in one.xyxy), round(one.confidence, 4), one.class_name,
         number, edges]
        for one, edges in zip(found, cut, strict=True)
    ]  # fmt: skip
    return [row for row in rows if row[0] < row[2] and row[1] < row[3]]


def _as_row(one: Placed) -> list[Any]:
    residual_px = None if one.residual_px is None else round(one.residual_px, 2)
    return [one.image, round(one.x_px, 2), round(one.y_px, 2), one.placing, residual_px]


def _from_row(row: list[Any]) -> Placed:
    image, x, y, placing, residual = row
    return Placed(image=image, x_px=x, y_px=y, placing=placing, residual_px=residual)


def _swept(
    record: SlideRecord,
    found_by: Inputs,
    placed: tuple[Placed, ...],
    failed: Mapping[str, str],
    ran: Mapping[str, tuple[int, str]],
) -> Swept:
    found, broken = dict[str, tuple[Found, ...]](), dict(failed)
    for image in found_by["content"]:
        result = record.result(FOUND, found_by, image)
        if result is None or image in broken:
            continue
        if "broken" in result:
            broken[image] = result["broken"]
        else:
            found[image] = tuple(map(_found, result["boxes"]))
    return Swept(
        found=found, broken=broken, placed=placed, contents=found_by["content"], ran=ran
    )


def _found(row: list[Any]) -> Found:
    x1, y1, x2, y2, confidence, class_name, window, (left, top, right, bottom) = row
    return Found(x1, y1, x2, y2, confidence, class_name, window, (left, top, right, bottom))

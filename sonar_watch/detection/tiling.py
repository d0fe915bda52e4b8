"""Large images in windows: where they lie, how they are cut out, what is found in each.

Knows no network and no file: whoever reads the image hands over pieces of it, or strips of it
as they are decoded, and gets boxes in the frame of the whole image. What windows see twice, or
cut, is put together by `merging`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.detection.letterbox import PADDING
from sonar_watch.errors import ConfigurationError

Piece = tuple["Window", ByteImage]

EDGE_SHARE = 1 / 200
"""Of a window's longer side: how near to its edge a box counts as cut by it. A network sees a
window of 1200 px at half that size; a box that ends on the edge is off by some pixels there."""


class Window(NamedTuple):
    """A part of an image: where its top left corner lies, and how large it is."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int

    @property
    def right_px(self) -> int:
        """The first column beyond it."""
        return self.x_px + self.width_px

    @property
    def bottom_px(self) -> int:
        """The first row beyond it."""
        return self.y_px + self.height_px


class Detecting(Protocol):
    """What finds things in images, such as `Detector`."""

    def detect(self, images: Sequence[ByteImage]) -> list[Detections]:
        """Return what is found in each image, in order; each as if it came alone."""
        ...


def windows(width_px: int, height_px: int, size_px: int, overlap_px: int) -> list[Window]:
    """Return the windows that cover an image, row by row.

    All are `size_px` wide and high, but where the image itself is smaller; the last of a row or
    column ends on the image's edge and overlaps the one before it by more.

    Parameters
    ----------
    width_px, height_px : int
        Of the image.
    size_px : int
        Sides of a window.
    overlap_px : int
        Of neighbours, at least; 0 up to below `size_px`.

    Raises
    ------
    ConfigurationError
        No pixels, or an overlap beyond its range.

    Examples
    --------
    >>> [window.x_px for window in windows(2500, 900, 1200, 240)]
    [0, 960, 1300]
    """
    if min(width_px, height_px, size_px) < 1:
        raise ConfigurationError(
            "windows: expected an image and a size of 1 px or more, received "
            f"{width_px} x {height_px} px and {size_px} px"
        )
    if not 0 <= overlap_px < size_px:
        raise ConfigurationError(
            f"overlap_px: expected 0 up to below the {size_px} px of a window, "
            f"received {overlap_px}"
        )
    width, height = min(size_px, width_px), min(size_px, height_px)
    return [
        Window(x, y, width, height)
        for y in _starts(height_px, size_px, overlap_px)
        for x in _starts(width_px, size_px, overlap_px)
    ]


def _starts(length_px: int, size_px: int, overlap_px: int) -> list[int]:
    """Return where windows start along one axis."""
    step, last = size_px - overlap_px, max(length_px - size_px, 0)
    return [min(count * step, last) for count in range(math.ceil(last / step) + 1)]


def whole(image: ByteImage) -> Window:
    """Return the one window that is all of an image."""
    return Window(0, 0, image.shape[1], image.shape[0])


def cut_out(image: ByteImage, wanted: Iterable[Window]) -> Iterator[Piece]:
    """Yield the windows of an image with their pixels, which are not copied.

    Raises
    ------
    ValueError
        A window beyond the image.
    """
    for window in wanted:
        yield window, _rows(image[:, window.x_px : window.right_px], 0, window)


def cut_from_strips(
    strips: Iterable[tuple[int, ByteImage]], wanted: Sequence[Window]
) -> Iterator[Piece]:
    """Yield windows of an image that comes in strips, as soon as their last row is there.

    At most the strips that a window spans are held: with strips as high as the windows, two.

    Parameters
    ----------
    strips : iterable of (int, ndarray)
        Top row and pixels of each, top to bottom, all of the image's width; they may overlap.
    wanted : sequence of Window
        With tops that do not go back, as `windows` gives them.

    Raises
    ------
    ValueError
        Strips or windows that are not in order, a gap between strips, or an image that ends
        before the last window does.
    """
    held: deque[tuple[int, ByteImage]] = deque()
    source = iter(strips)
    top_px = 0
    for window in wanted:
        if window.y_px < top_px:
            raise ValueError(f"windows: expected them from top to bottom, received {window}")
        top_px = window.y_px
        _let_go(held, top_px)
        while not held or _bottom(held) < window.bottom_px:
            _take(held, source, window)
            _let_go(held, top_px)
        yield window, _spanning(held, window)


def _take(
    held: deque[tuple[int, ByteImage]], source: Iterator[tuple[int, ByteImage]], window: Window
) -> None:
    """Take one more strip."""
    strip = next(source, None)
    if strip is None:
        end_px = _bottom(held) if held else 0
        raise ValueError(f"strips: the image ends at row {end_px}, before the end of {window}")
    first, last = (held[-1][0], _bottom(held)) if held else (0, window.y_px)
    if not first <= strip[0] <= last:
        raise ValueError(
            f"strips: expected the next to start at row {first} to {last}, received row {strip[0]}"
        )
    held.append(strip)


def _let_go(held: deque[tuple[int, ByteImage]], top_px: int) -> None:
    """Forget the strips of which the next one has all rows from `top_px` on."""
    while len(held) > 1 and held[1][0] <= top_px and _end(held[1]) >= _end(held[0]):
        held.popleft()


def _end(strip: tuple[int, ByteImage]) -> int:
    return strip[0] + len(strip[1])


def _bottom(held: Iterable[tuple[int, ByteImage]]) -> int:
    return max(map(_end, held))


def _spanning(held: Iterable[tuple[int, ByteImage]], window: Window) -> ByteImage:
    """Return the window's pixels: of one strip when it has them all, else put together."""
    parts, row_px = [], window.y_px
    for top_px, image in held:
        columns = image[:, window.x_px : window.right_px]
        if top_px <= window.y_px and top_px + len(image) >= window.bottom_px:
            return _rows(columns, top_px, window)
        if top_px + len(image) > row_px:
            parts.append(columns[row_px - top_px : window.bottom_px - top_px])
            row_px += len(parts[-1])
    return _rows(np.concatenate(parts), window.y_px, window)


def _rows(columns: ByteImage, top_px: int, window: Window) -> ByteImage:
    """Return the window's rows of its columns, of which the first is row `top_px`."""
    piece = columns[max(window.y_px - top_px, 0) : window.bottom_px - top_px]
    if piece.shape[:2] != (window.height_px, window.width_px):
        raise ValueError(f"{window} lies beyond the image")
    return piece


def padded(image: ByteImage, size_px: int, level: int = PADDING) -> ByteImage:
    """Return the image with grey bars to its right and below.

    Whatever its size, an object is then as large for the network as in a full window.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
    size_px : int
        Sides of what is returned.
    level : int
        Of the bars; that which networks are taught with, unless told.

    Returns
    -------
    ndarray, shape (size_px, size_px) or (size_px, size_px, 3), uint8
        The image itself when it has that size.

    Raises
    ------
    ValueError
        An image that is larger, or is none.
    """
    if image.ndim not in (2, 3) or max(image.shape[:2]) > size_px:
        raise ValueError(f"expected an image up to {size_px} px, received shape {image.shape}")
    if image.shape[:2] == (size_px, size_px):
        return image
    canvas = np.full((size_px, size_px, *image.shape[2:]), level, np.uint8)
    canvas[: image.shape[0], : image.shape[1]] = image
    return canvas


def detect_windows(
    detector: Detecting, pieces: Iterable[Piece], *, size_px: int | None, batch: int
) -> Iterator[tuple[Window, Detections]]:
    """Yield what is found in each piece, in order, in the frame of the whole image.

    Pieces are taken as they are needed, never more than a batch of them.

    Parameters
    ----------
    detector : Detecting
    pieces : iterable of (Window, ndarray)
        See `cut_out` and `cut_from_strips`; `whole` for an image that is not cut up.
    size_px : int or None
        Pieces are padded to it, so that all have one shape and scale; None leaves them.
    batch : int
        Pieces that are handed to the detector at once.

    Raises
    ------
    ConfigurationError
        A batch below 1.
    ValueError
        A piece that is not as large as its window, or larger than `size_px`.
    InferenceError
        The detector failed.
    """
    if batch < 1:
        raise ConfigurationError(f"batch: expected 1 or more, received {batch}")
    source = iter(pieces)
    while some := list(islice(source, batch)):
        found = detector.detect([_fitted(piece, size_px) for piece in some])
        for (window, _), one in zip(some, found, strict=True):
            yield window, in_whole(one, window)


def _fitted(piece: Piece, size_px: int | None) -> ByteImage:
    window, image = piece
    if image.shape[:2] != (window.height_px, window.width_px):
        raise ValueError(f"expected the pixels of {window}, received shape {image.shape}")
    return image if size_px is None else padded(image, size_px)


def in_whole(found: Detections, window: Window) -> Detections:
    """Return what was found in a window, in the frame of the image that it is a part of.

    Boxes end where the window does; those beyond it, in what pads it, are dropped.
    """
    limit = np.array([window.width_px, window.height_px] * 2, np.float32)
    boxes = np.clip(found.xyxy, np.float32(0), limit)
    visible = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    offset = np.array([window.x_px, window.y_px] * 2, np.float32)
    return Detections(
        xyxy=boxes[visible] + offset,
        confidence=found.confidence[visible],
        class_id=found.class_id[visible],
        class_names=found.class_names,
    )


def cut_edges(
    xyxy: npt.NDArray[Any],
    window: Window,
    *,
    image: Window | None = None,
    within_px: float | None = None,
) -> npt.NDArray[np.bool_]:
    """Return which edges of a window cut each box: what it shows goes on beyond them.

    Parameters
    ----------
    xyxy : ndarray, shape (n, 4), pixels
        In the frame of `window`'s corner, as `detect_windows` gives them.
    window : Window
        What they were found in.
    image : Window or None
        All there is, in the same frame: an edge that it shares with the window cuts nothing,
        because no neighbour sees more. None takes every edge of the window as one that cuts.
    within_px : float or None
        How near to the edge a box must end; None is `EDGE_SHARE` of the window, 2 px at least.

    Returns
    -------
    ndarray, shape (n, 4), bool
        Left, top, right, bottom.
    """
    boxes = np.asarray(xyxy, float).reshape(-1, 4)
    if within_px is None:
        within_px = max(EDGE_SHARE * max(window.width_px, window.height_px), 2.0)
    edges = _edges(window)
    near = np.abs(boxes - edges) <= within_px
    if image is not None:
        near &= edges != _edges(image)
    return np.asarray(near, bool)


def _edges(window: Window) -> npt.NDArray[np.float64]:
    return np.array([window.x_px, window.y_px, window.right_px, window.bottom_px], float)

"""Windows cover an image, strips give the same pieces, boxes come back to the whole image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from realdata import real_data

from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.detection.detector import DetectorOptions, open_detector
from sonar_watch.detection.tiling import (
    Window,
    cut_edges,
    cut_from_strips,
    cut_out,
    detect_windows,
    in_whole,
    padded,
    whole,
    windows,
)
from sonar_watch.detection.weights import WeightsEntry
from sonar_watch.errors import ConfigurationError

LAYOUTS = st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 30)).flatmap(
    lambda three: st.tuples(*map(st.just, three), st.integers(0, three[2] - 1))
)

UNHURRIED = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no reason to fail."""


def picture(width: int, height: int, channels: tuple[int, ...] = (3,)) -> ByteImage:
    return np.random.default_rng(5).integers(0, 256, (height, width, *channels), np.uint8)


@UNHURRIED
@given(LAYOUTS)
def test_windows_cover_every_pixel_and_overlap_as_asked(layout: tuple[int, int, int, int]) -> None:
    width, height, size, overlap = layout
    found = windows(*layout)
    seen = np.zeros((height, width), int)
    for one in found:
        assert (one.width_px, one.height_px) == (min(size, width), min(size, height))
        assert 0 <= one.x_px <= one.right_px <= width
        assert 0 <= one.y_px <= one.bottom_px <= height
        seen[one.y_px : one.bottom_px, one.x_px : one.right_px] += 1
    assert seen.min() >= 1
    assert found == sorted(found, key=lambda one: (one.y_px, one.x_px))
    columns = sorted({one.x_px for one in found})
    assert all(a + size - b >= overlap for a, b in pairwise(columns))
    assert len(found) == len(set(found))


@UNHURRIED
@given(LAYOUTS)
def test_no_window_could_be_spared(layout: tuple[int, int, int, int]) -> None:
    width, _, size, overlap = layout
    columns = {one.x_px for one in windows(*layout)}
    fewest = 1
    while size + (fewest - 1) * (size - overlap) < width:
        fewest += 1
    assert len(columns) == fewest


@pytest.mark.parametrize("resolution", [(3000, 2500), (1200, 1201), (700, 5000), (35_000, 1300)])
@pytest.mark.parametrize("overlap", [1, 240, 1100])
def test_windows_are_those_of_another_tiler(resolution: tuple[int, int], overlap: int) -> None:
    slicer = pytest.importorskip("supervision.detection.tools.inference_slicer")
    # With an overlap; without one, the other does not end its last window on the edge.
    theirs = slicer.InferenceSlicer._generate_offset(resolution, (1200, 1200), (overlap, overlap))
    ours = [(one.x_px, one.y_px, one.right_px, one.bottom_px)
            for one in windows(*resolution, 1200, overlap)]  # fmt: skip
    assert ours == [tuple(row) for row in theirs.tolist()]


@pytest.mark.parametrize("wrong", [(0, 5, 5, 0), (5, 5, 0, 0), (5, 5, 5, 5), (5, 5, 5, -1)])
def test_windows_that_cannot_be_are_refused(wrong: tuple[int, int, int, int]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        windows(*wrong)


def strips_of(image: ByteImage, high: int, overlap: int) -> Iterator[tuple[int, ByteImage]]:
    for top in range(0, max(len(image) - overlap, 1), high - overlap):
        yield top, image[top : top + high]


@UNHURRIED
@given(LAYOUTS, st.integers(1, 50), st.data())
def test_pieces_from_strips_are_those_of_the_whole_image(
    layout: tuple[int, int, int, int], high: int, data: st.DataObject
) -> None:
    image = picture(*layout[:2])
    strips = strips_of(image, high, data.draw(st.integers(0, high - 1)))
    wanted = windows(*layout)
    pieces = list(cut_from_strips(strips, wanted))
    assert [window for window, _ in pieces] == wanted
    for (_, one), (_, other) in zip(pieces, cut_out(image, wanted), strict=True):
        assert np.array_equal(one, other)


def test_strips_are_taken_only_when_needed() -> None:
    taken: list[int] = []

    def strips() -> Iterator[tuple[int, ByteImage]]:
        for top, rows in strips_of(picture(30, 100), 10, 2):
            taken.append(top)
            yield top, rows

    tops = [(window.y_px, taken[-1]) for window, _ in
            cut_from_strips(strips(), windows(30, 100, 10, 2))]  # fmt: skip
    assert {top for top, _ in tops} == {*range(0, 90, 8), 90}
    assert all(last <= top for top, last in tops if top < 90)


def test_a_large_image_costs_two_strips() -> None:
    import tracemalloc

    def strips() -> Iterator[tuple[int, ByteImage]]:
        for top in range(0, 4000 - 40, 160):
            yield top, np.full((200, 3000, 3), top % 251, np.uint8)

    one_strip = 200 * 3000 * 3
    tracemalloc.start()
    try:
        for window, piece in cut_from_strips(strips(), windows(3000, 3960, 200, 40)):
            assert piece.shape == (200, 200, 3)
            assert piece[0, 0, 0] in (window.y_px % 251, (window.y_px - window.y_px % 160) % 251)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * one_strip


@pytest.mark.parametrize(
    ("tops", "message"),
    [((0, 10, 25), "row 10 to 20, received row 25"), ((0, 10), "ends at row 20"),
     ((), "ends at row 0"), ((5, 10, 20), "row 0 to 0, received row 5"),
     ((0, 10, 5, 20), "row 10 to 20, received row 5")],
)  # fmt: skip
def test_strips_that_do_not_make_an_image_are_told(tops: Sequence[int], message: str) -> None:
    strips = [(top, picture(10, 10)) for top in tops]
    with pytest.raises(ValueError, match=message):
        list(cut_from_strips(strips, windows(10, 30, 10, 0)))


def test_windows_in_disorder_and_beyond_the_image_are_told() -> None:
    image = picture(10, 30)
    with pytest.raises(ValueError, match="top to bottom"):
        list(cut_from_strips(strips_of(image, 10, 0), windows(10, 30, 10, 0)[::-1]))
    for window in (Window(5, 0, 10, 10), Window(0, 25, 10, 10)):
        with pytest.raises(ValueError, match="beyond the image"):
            list(cut_out(image, [window]))
    with pytest.raises(ValueError, match="beyond the image"):
        list(cut_from_strips(strips_of(image, 10, 0), [Window(5, 0, 10, 10)]))


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_bars_are_grey_and_below_and_right(channels: tuple[int, ...]) -> None:
    image = picture(7, 5, channels)
    result = padded(image, 9)
    assert result.shape == (9, 9, *channels)
    assert np.array_equal(result[:5, :7], image)
    assert np.all(result[5:] == 114)
    assert np.all(result[:, 7:] == 114)
    assert np.all(padded(image, 9, 200)[5:] == 200)


def test_an_image_of_full_size_is_not_copied_and_a_larger_one_refused() -> None:
    image = picture(9, 9)
    assert padded(image, 9) is image
    with pytest.raises(ValueError, match="up to 8 px"):
        padded(image, 8)


@dataclass
class BrightSpots:
    """Finds pixels of 255, each as a box of 3 x 3 about it, and remembers its batches."""

    batches: list[list[tuple[int, ...]]] = field(default_factory=list)

    def detect(self, images: Sequence[ByteImage]) -> list[Detections]:
        self.batches.append([image.shape for image in images])
        return [self._found(image) for image in images]

    def _found(self, image: ByteImage) -> Detections:
        places = np.argwhere(image == 255)[:, 1::-1]
        rows = [(x - 1, y - 1, x + 2, y + 2, 0.5, 0) for x, y in places.tolist()]
        return Detections.from_rows(np.array(rows).reshape(-1, 6), ("spot",))


def test_boxes_come_back_in_the_frame_of_the_image() -> None:
    image = np.zeros((50, 70), np.uint8)
    spots = [(3, 4), (30, 20), (68, 48), (35, 40)]
    for x, y in spots:
        image[y, x] = 255
    detector = BrightSpots()
    wanted = windows(70, 50, 32, 8)
    found = list(detect_windows(detector, cut_out(image, wanted), size_px=32, batch=4))
    assert [window for window, _ in found] == wanted
    centres = {((x1 + x2) / 2, (y1 + y2) / 2) for _, one in found for x1, y1, x2, y2 in
               one.xyxy.tolist() if x2 - x1 == y2 - y1 == 3}  # fmt: skip
    assert centres == {(x + 0.5, y + 0.5) for x, y in spots}
    assert [len(batch) for batch in detector.batches] == [4, 2]
    assert {shape for batch in detector.batches for shape in batch} == {(32, 32)}


def test_boxes_end_where_the_window_does_and_its_bars_hold_none() -> None:
    found = Detections.from_rows(
        [[5, 5, 40, 40, 0.9, 0], [21, 3, 30, 9, 0.8, 0], [1, 1, 4, 4, 0.7, 0]], ("a",)
    )
    result = in_whole(found, Window(100, 200, 20, 15))
    assert result.xyxy.tolist() == [[105, 205, 120, 215], [101, 201, 104, 204]]
    assert result.confidence.tolist() == pytest.approx([0.9, 0.7])


def test_pieces_are_taken_a_batch_at_a_time() -> None:
    image, taken = picture(64, 64, ()), list[Window]()

    def pieces() -> Iterator[tuple[Window, ByteImage]]:
        for piece in cut_out(image, windows(64, 64, 16, 0)):
            taken.append(piece[0])
            yield piece

    results = detect_windows(BrightSpots(), pieces(), size_px=16, batch=3)
    assert taken == []
    next(results)
    assert len(taken) == 3


def test_pieces_that_are_not_their_windows_are_refused() -> None:
    piece = (Window(0, 0, 10, 10), picture(10, 9))
    with pytest.raises(ValueError, match="expected the pixels of"):
        list(detect_windows(BrightSpots(), [piece], size_px=16, batch=1))
    with pytest.raises(ConfigurationError, match="batch"):
        list(detect_windows(BrightSpots(), [], size_px=16, batch=0))


def test_what_windows_see_is_what_the_detector_sees_in_them_alone(
    build_model: Callable[..., WeightsEntry],
) -> None:
    entry = build_model()
    options = DetectorOptions(weights=entry.name, models_dir=entry.file("openvino").path.parent,
                              device="cpu", threads=1, confidence=0.01)  # fmt: skip
    detector = open_detector(options)
    image = picture(150, 100)
    found = list(detect_windows(detector, cut_out(image, windows(150, 100, 64, 16)), size_px=64,
                                batch=5))  # fmt: skip
    for window, one in found:
        (alone,) = detector.detect([image[window.y_px : window.bottom_px,
                                          window.x_px : window.right_px]])  # fmt: skip
        offset = np.array([window.x_px, window.y_px] * 2, np.float32)
        assert np.array_equal(one.xyxy, alone.xyxy + offset)
        assert np.array_equal(one.confidence, alone.confidence)
        assert len(one)
    ((window, one),) = detect_windows(detector, [(whole(image), image)], size_px=None, batch=8)
    assert window == Window(0, 0, 150, 100)
    assert one == detector.detect([image])[0]
    detector.close()


def test_boxes_that_end_on_an_inner_edge_are_cut_there() -> None:
    image, window = Window(0, 0, 1000, 600), Window(600, 0, 400, 400)
    boxes = [[600, 50, 700, 90], [700, 0, 800, 90], [900, 50, 1000, 90], [700, 300, 800, 399],
             [603, 300, 800, 396], [598, 5, 700, 90], [610, 9, 990, 390]]  # fmt: skip
    edges = cut_edges(np.array(boxes), window, image=image)
    assert [[name for name, cut in zip("LTRB", row, strict=True) if cut] for row in edges] == [
        ["L"], [], [], ["B"], [], ["L"], []
    ]  # fmt: skip
    assert cut_edges(np.array(boxes), window).sum(axis=0).tolist() == [2, 1, 1, 1]
    assert cut_edges(np.array(boxes), window, within_px=5)[4].tolist() == [True, False, False, True]
    assert cut_edges(np.empty((0, 4)), window).shape == (0, 4)


def test_labels_that_an_edge_cuts_are_found_to_be() -> None:
    import json

    tiles = json.loads(real_data("slides", "labels.json").read_text())
    objects = [(one["cut"], one["box"], Window(0, 0, tile["width"], tile["height"]))
               for tile in tiles for one in tile["objects"]]  # fmt: skip
    assert len(objects) > 40
    for cut, box, window in objects:
        assert cut_edges(box, window, within_px=1).any() == cut
        assert cut_edges(box, window).any() or not cut
    near = [box for cut, box, window in objects if not cut and cut_edges(box, window).any()]
    assert len(near) == 1  # 2 px from the edge


def test_a_real_tile_in_strips_is_the_tile() -> None:
    from sonar_watch.images import read_image

    path = sorted(real_data("slides", "Site_1149").rglob("*.jpg"))[0]
    image = read_image(path)
    wanted = windows(image.shape[1], image.shape[0], 500, 100)
    pieces = [piece for _, piece in cut_from_strips(strips_of(image, 300, 20), wanted)]
    assert len(pieces) == 9
    for (_, one), other in zip(cut_out(image, wanted), pieces, strict=True):
        assert np.array_equal(one, other)

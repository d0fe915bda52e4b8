"""Small drawn slides, and networks built by hand that find what is drawn on them.

Objects are discs of 60 px on grey glass, and what they lack says what they are: teeth lack blue,
denticles red, noise green. The detector compares each spot with such a disc, at half the size of
the flattened tiles; where the edge cuts a disc it is less sure and its box ends on the edge. A
fake lacks blue and nearly as much green: the detector takes it for a tooth, the classifier does
not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from sonar_watch.detection.offline import import_openvino
from sonar_watch.detection.weights import (
    MANIFEST_NAME,
    WeightsEntry,
    WeightsFile,
    read_manifest,
    write_manifest,
)
from sonar_watch.ichthyolith.particles import LEVEL

GREY = 135
DISC_PX = 60
TILE_PX = 320
INPUT_PX = 160
STRIDE_PX = 4
CLASSES = ("tooth", "denticle", "noise")
_COLOURS = {
    "tooth": (0, GREY, GREY), "denticle": (GREY, GREY, 0), "noise": (GREY, 0, GREY),
    "fake": (0, 14, GREY),
}  # fmt: skip


class Disc(NamedTuple):
    """What is drawn: class and centre, slide pixels."""

    class_name: str
    x_px: float
    y_px: float


def draw_slide(
    folder: Path,
    discs: Sequence[Disc],
    places: Mapping[tuple[int, int], tuple[int, int]],
    *,
    name: str = "S1_001",
    seed: int = 1,
    size_px: int = TILE_PX,
) -> list[Path]:
    """Write the tiles of a slide and return their files.

    Parameters
    ----------
    places : mapping of (y, x) to (y, x)
        Of each tile: what its name says, and where it really lies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    right = max(x for _, x in places.values()) + size_px
    bottom = max(y for y, _ in places.values()) + size_px
    glass = draw_glass(right, bottom, discs, seed)
    files = []
    for (nominal_y, nominal_x), (y, x) in sorted(places.items()):
        files.append(folder / f"{name}_{nominal_y}_{nominal_x}.png")
        assert cv2.imwrite(str(files[-1]), glass[y : y + size_px, x : x + size_px])
    return files


def draw_glass(width_px: int, height_px: int, discs: Sequence[Disc], seed: int = 1) -> np.ndarray:
    """Return a picture of glass with dust, so that overlaps can be told, and discs on it."""
    rng = np.random.default_rng(seed)
    glass = np.full((height_px, width_px, 3), GREY, np.uint8)
    for x, y in rng.integers(0, (width_px, height_px), (width_px * height_px // 2000, 2)).tolist():
        cv2.circle(glass, (x, y), 2, (GREY - 25,) * 3, -1)
    for disc in discs:
        centre = round(disc.x_px), round(disc.y_px)
        cv2.circle(glass, centre, DISC_PX // 2, _COLOURS[disc.class_name], -1)
    return glass


def add_detector(folder: Path, name: str = "discs", gain: float = 0.9) -> None:
    """Write the detector into a folder with a manifest."""
    _add(folder, name, _network(gain), classes=CLASSES, input_size=(INPUT_PX, INPUT_PX))


def add_classifier(folder: Path, name: str = "looks", sharpness: float = 30.0) -> None:
    """Write the classifier into a folder with a manifest."""
    _add(folder, name, _look(sharpness), classes=("tooth", "denticle", "sawtoothed", "noise"),
         input_size=(32, 32), head="classifier")  # fmt: skip


def _add(folder: Path, name: str, model: object, **facts: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    paths = {"openvino": folder / f"{name}.xml", "openvino_weights": folder / f"{name}.bin"}
    import_openvino().save_model(model, paths["openvino"], compress_to_fp16=False)
    files = {
        role: WeightsFile(path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        for role, path in paths.items()
    }
    known = read_manifest(folder) if (folder / MANIFEST_NAME).exists() else {}
    write_manifest(folder, {**known, name: WeightsEntry(name=name, files=files, **facts)})


def _look(sharpness: float) -> object:
    """Return a network that says what a crop lacks, green more than the rest."""
    openvino = import_openvino()
    ops = openvino.opset13
    image = ops.parameter([1, 3, 32, 32], np.float32, name="images")  # RGB
    lacking = ops.subtract(np.float32(GREY / 255), ops.reduce_mean(image, np.array([2, 3])))
    says = np.array([[0, 1, 0, 0], [0, 0, 0, 1.5], [1, 0, 0, 0]], np.float32) * sharpness
    shares = ops.softmax(ops.matmul(lacking, says, False, False), 1)
    return openvino.Model([shares], [image], "looks")


def _network(gain: float) -> object:
    openvino = import_openvino()
    ops = openvino.opset13
    image = ops.parameter([1, 3, INPUT_PX, INPUT_PX], np.float32, name="images")  # RGB
    lacking = ops.subtract(np.float32(LEVEL / 255), image)
    # Bars and dust lack all colours alike.
    lacking = ops.subtract(lacking, ops.reduce_min(lacking, np.array([1]), True))
    kernel = _disc_kernel() * gain / (LEVEL / 255)
    # red, green, blue -> tooth (blue), denticle (red), noise (green)
    kernels = np.zeros((3, 3, *kernel.shape), np.float32)
    for place, channel in enumerate((2, 0, 1)):
        kernels[place, channel] = kernel
    pad = [kernel.shape[0] // 2] * 2
    scores = ops.convolution(lacking, kernels, [STRIDE_PX] * 2, pad, pad, [1, 1])
    near = [DISC_PX * INPUT_PX // TILE_PX // STRIDE_PX | 1] * 2
    padding = [near[0] // 2] * 2
    highest = ops.max_pool(scores, [1, 1], [1, 1], padding, padding, near).output(0)
    scores = ops.multiply(scores, ops.convert(ops.equal(scores, highest), "f32"))
    cells = INPUT_PX // STRIDE_PX
    scores = ops.reshape(ops.clamp(scores, 0.0, 0.98), np.array([1, 3, cells * cells]), False)
    y, x = np.indices((cells, cells)).reshape(2, -1) * STRIDE_PX
    side = np.full(cells * cells, DISC_PX * INPUT_PX / TILE_PX)
    boxes = np.stack([x, y, side, side])[None].astype(np.float32)
    return openvino.Model([ops.concat([boxes, scores], 1)], [image], "discs")


def _disc_kernel() -> np.ndarray:
    """Return what a disc at the centre of it gives 1: itself, less what is around."""
    radius = DISC_PX / 2 * INPUT_PX / TILE_PX
    half = int(radius * 1.5)
    y, x = np.indices((2 * half + 1, 2 * half + 1)) - half
    away = np.hypot(x, y)
    inside, around = away <= radius, (away > radius) & (away <= half)
    return np.where(inside, 1 / inside.sum(), 0) - np.where(around, 1 / around.sum(), 0)

"""The slide without its particles: light that falls off, dust, bumps, the edge of the cover glass;
and what the camera adds at the end.

Numbers were measured on empty tiles of a HIROX RX-100 in transmitted light (13 x 13 fields of
seven tiles, 1200 px): brightness, fall-off, deviation and correlation of the grain.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from sonar_watch.detection.detections import ByteImage, Float32Array
from sonar_watch.ichthyolith.synthesis.fields import chance, clouds
from sonar_watch.opencv import opencv

BRIGHTNESS = (135.0, 132.5, 135.0)
"""Median of an empty tile in blue, green, red."""
_FALL_OFF = (
    (0.721, 0.845, 0.933, 0.982, 1.000),
    (0.794, 0.918, 1.000, 1.051, 1.065),
    (0.834, 0.954, 1.035, 1.084, 1.102),
    (0.833, 0.954, 1.037, 1.086, 1.102),
    (0.777, 0.913, 0.995, 1.040, 1.059),
)
"""Brightness over its median, at five by five places of a tile."""
_GRAIN = (2.42, 1.36, 2.15)
"""Deviation in blue, green, red of a tile at 640 px, without particles."""
_GRAIN_PX = 1280


def draw_glass(size_px: int, scale: float, rng: np.random.Generator) -> Float32Array:
    """Return the light that comes through a slide without particles.

    Parameters
    ----------
    size_px : int
        Side of the picture.
    scale : float
        Pixels of the picture per pixel of a tile.
    rng : Generator

    Returns
    -------
    ndarray, shape (size_px, size_px, 3), float32, grey values
    """
    cv2 = opencv()
    small = np.array(_FALL_OFF, np.float32)
    part = min(size_px / scale / 1200, 1.0)
    if part < 0.9:
        small = _window(small, part, rng)
    depth = rng.uniform(0.6, 1.25)
    small = 1 + (small - 1) * np.float32(depth)
    small = small + np.float32(0.012) * rng.standard_normal(small.shape, np.float32)
    colour = np.array(BRIGHTNESS) * (1 + rng.normal(0, 0.007, 3))
    planes = small[..., None] * colour.astype(np.float32)
    planes = planes * (1 + np.float32(0.003) * rng.standard_normal(planes.shape, np.float32))
    light = cv2.resize(planes, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(light, np.float32)


def _window(grid: Float32Array, part: float, rng: np.random.Generator) -> Float32Array:
    """Return a part of the fall-off, resampled to the same grid."""
    cv2 = opencv()
    start = rng.uniform(0, 4 * (1 - part), 2)
    lines = [(at + np.linspace(0, 4 * part, 5)).astype(np.float32) for at in start]
    return np.asarray(
        cv2.remap(
            grid, np.tile(lines[0], (5, 1)), np.tile(lines[1][:, None], (1, 5)), cv2.INTER_LINEAR
        ),
        np.float32,
    )


def dirt_on(light: Float32Array, scale: float, rng: np.random.Generator) -> None:
    """Lay dust, bumps of the medium, faint shadows and scratches on a slide, in place."""
    size = light.shape[0]
    factor = np.ones((size, size), np.float32)
    if chance(rng, 0.75):
        _bumps(factor, scale, rng)
    if chance(rng, 0.7):
        factor *= _dust(size, scale, rng)
    if chance(rng, 0.3):
        factor -= np.float32(rng.uniform(0.003, 0.02)) * clouds((size, size), size / 5, rng)
    if chance(rng, 0.08):
        factor *= _scratches(size, rng)
    light *= factor[..., None]
    if chance(rng, 0.07):
        light *= _cover_edge(size, scale, rng)[..., None]


def _bumps(factor: Float32Array, scale: float, rng: np.random.Generator) -> None:
    """Add small bumps of the medium: one side bright, the other dark."""
    cv2 = opencv()
    size = factor.shape[0]
    area = (size / scale / 1200) ** 2
    count = int(rng.choice([40, 150, 500]) * rng.uniform(0.5, 1.5) * area) + 1
    relief = np.zeros((size, size), np.float32)
    at = rng.integers(0, size, (2, count))
    relief[at[0], at[1]] = rng.exponential(1.0, count).astype(np.float32)
    relief = cv2.GaussianBlur(relief, (0, 0), rng.uniform(1.4, 3.2) * scale)
    slope = cv2.Sobel(relief, cv2.CV_32F, 1, 0) + np.float32(rng.uniform(-1, 1)) * cv2.Sobel(
        relief, cv2.CV_32F, 0, 1
    )
    peak = float(np.abs(slope).max())
    if peak > 0:
        factor += np.float32(rng.uniform(0.05, 0.3) / peak) * slope


def _dust(size: int, scale: float, rng: np.random.Generator) -> Float32Array:
    """Return specks: scattered, and sometimes a band or a cluster of them."""
    cv2 = opencv()
    area = (size / scale / 1200) ** 2
    count = int(rng.choice([10, 40, 120]) * rng.uniform(0.3, 1.5) * area) + 1
    at = rng.uniform(0, size, (count, 2))
    if chance(rng, 0.3):
        turn, more = rng.uniform(0, np.pi), int(rng.integers(40, 300) * area) + 1
        run = rng.normal(0, size * rng.uniform(0.08, 0.3), more)
        side = rng.normal(0, size * rng.uniform(0.02, 0.08), more)
        band = rng.uniform(0, size, 2) + np.column_stack(
            [run * np.cos(turn) - side * np.sin(turn), run * np.sin(turn) + side * np.cos(turn)]
        )
        at = np.vstack([at, band])
    plane = np.zeros((size, size), np.uint8)
    radii = np.clip(rng.exponential(1.0, len(at)) + 0.6, 0.6, 7.0) * scale
    dark = rng.integers(40, 255, len(at))
    for (x, y), radius, value in zip(at.tolist(), radii.tolist(), dark.tolist(), strict=True):
        cv2.circle(
            plane,
            (round(x * 16), round(y * 16)),
            max(round(radius * 16), 6),
            value,
            -1,
            cv2.LINE_AA,
            4,
        )
    soft = cv2.GaussianBlur(plane, (0, 0), rng.uniform(0.4, 0.9))
    passes = 1 - soft.astype(np.float32) * np.float32(rng.uniform(0.4, 0.95) / 255)
    return np.asarray(passes, np.float32)


def _scratches(size: int, rng: np.random.Generator) -> Float32Array:
    cv2 = opencv()
    plane = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        line = rng.uniform(0, size, (2, 2)).astype(np.int32)
        cv2.line(plane, line[0].tolist(), line[1].tolist(), 255, 1, cv2.LINE_AA)
    return np.asarray(1 - plane.astype(np.float32) * np.float32(rng.uniform(0.03, 0.2) / 255))


def _cover_edge(size: int, scale: float, rng: np.random.Generator) -> Float32Array:
    """Return the edge of the cover glass: a dark band, other light beyond it."""
    cv2 = opencv()
    turn = rng.choice(4) * np.pi / 2 + rng.normal(0, 0.05)
    x = np.arange(size, dtype=np.float32) - size / 2
    far = np.float32(np.cos(turn)) * x + np.float32(np.sin(turn)) * x[:, None]
    far = far - np.float32(size * rng.uniform(0.25, 0.48))
    wide = rng.uniform(8, 70) * scale
    beyond, band = rng.uniform(0.1, 1.05), rng.uniform(0.03, 0.35)
    passes = np.where(far > 0, np.float32(band), np.float32(1))
    passes = np.where(far > wide, np.float32(beyond), passes)
    return np.asarray(cv2.GaussianBlur(passes, (0, 0), rng.uniform(0.8, 4.0) * scale), np.float32)


@cache
def _grain() -> Float32Array:
    """Return a sheet of grain, the same in every process; parts of it are used at random."""
    cv2 = opencv()
    rng = np.random.default_rng(29)
    shape = (_GRAIN_PX, _GRAIN_PX)
    shared = rng.standard_normal(shape, np.float32)
    own = (rng.standard_normal(shape, np.float32) for _ in range(3))
    planes = [np.float32(0.72) * shared + np.float32(0.69) * one for one in own]
    kernel = np.array([0.175, 1, 0.175], np.float32)
    kernel /= np.sqrt((kernel**2).sum())
    sheet = cv2.sepFilter2D(np.stack(planes, -1), cv2.CV_32F, kernel, kernel)
    return np.asarray(sheet * np.array(_GRAIN, np.float32), np.float32)


def photographed(light: Float32Array, rng: np.random.Generator, *, grain: float = 1.0) -> ByteImage:
    """Return the picture that the camera takes of the light.

    Parameters
    ----------
    light : ndarray, shape (n, n, 3), float32, grey values
        Changed in place. At most 1280 px.
    grain : float
        Strength of the noise over that of the real camera; 0 where the light has its own.

    Returns
    -------
    ndarray, shape (n, n, 3), uint8
    """
    cv2 = opencv()
    size = light.shape[0]
    gain = np.exp(rng.normal(0, 0.09)) * (1 + rng.normal(0, 0.008, 3))
    light *= gain.astype(np.float32)
    if grain > 0:
        y, x = rng.integers(0, _GRAIN_PX - size + 1, 2)
        sheet = _grain()[y : y + size, x : x + size]
        light += sheet * np.float32(grain * rng.uniform(0.85, 1.2))
    lift = np.float32(rng.uniform(2, 9))
    light += lift
    return np.asarray(cv2.convertScaleAbs(np.maximum(light, 0, out=light)), np.uint8)

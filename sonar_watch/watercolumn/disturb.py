"""The reverse of `pictures`: a fan as others would show it, to train and to test with."""

from __future__ import annotations

import numpy as np

from sonar_watch.opencv import opencv
from sonar_watch.records import ByteImage
from sonar_watch.watercolumn.palettes import PALETTES, palette
from sonar_watch.watercolumn.pictures import PictureOptions, normalise

_WORDS = ("EM 304  1500 m/s", "Line 0042", "2026-01-02 03:04:05", "Ping 18234", "-30 dB", "DEPTH")
_INKS = ((255, 255, 255), (200, 200, 200), (90, 90, 90), (0, 0, 0), (60, 220, 60))
_DARK, _LIGHT = (0, 0, 0), (255, 255, 255)


def disturb(image: ByteImage, rng: np.random.Generator) -> ByteImage:
    """Return a grey fan as a screenshot: some palette and page, lines, text, scale bar, JPEG.

    Everything is drawn on the same pixels: boxes stay where they are.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
        In the grey encoding, 0 = no data; of layers the contrast is shown.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (h, w, 3), uint8, BGR
    """
    grey = image if image.ndim == 2 else image[..., 1]
    name = str(rng.choice(PALETTES))
    light = name in ("grey_inverted", "rainbow_white", "ek500") or rng.random() < 0.25
    shown = coloured(grey, name, page=_LIGHT if light and name != "grey" else _DARK)
    if rng.random() < 0.6:
        draw_grid(shown, rng)
    if rng.random() < 0.6:
        draw_text(shown, rng)
    if rng.random() < 0.4:
        draw_scale(shown, name, rng)
    return through_jpeg(shown, int(rng.integers(55, 96))) if rng.random() < 0.7 else shown


def weather(image: ByteImage, rng: np.random.Generator) -> ByteImage:
    """Return what `normalise` makes of a disturbed fan: what a network meets in a screenshot."""
    return normalise(disturb(image, rng), PictureOptions())


def coloured(grey: ByteImage, name: str, page: tuple[int, int, int] = _DARK) -> ByteImage:
    """Return a grey fan in a palette, on a page of one colour (BGR)."""
    shown = palette(name)[grey]
    shown[grey == 0] = page
    return shown


def draw_grid(shown: ByteImage, rng: np.random.Generator) -> None:
    """Rule lines over a picture, in place."""
    cv2 = opencv()
    height, width = shown.shape[:2]
    ink = _INKS[int(rng.integers(len(_INKS)))]
    step = int(rng.integers(60, 200))
    start = int(rng.integers(5, 50))
    for x in range(start, width, step):
        cv2.line(shown, (x, 0), (x, height), ink, 1)
    for y in range(start, height, step):
        cv2.line(shown, (0, y), (width, y), ink, 1)


def draw_text(shown: ByteImage, rng: np.random.Generator) -> None:
    """Write some words on a picture, in place: mostly beside the fan, some over it."""
    cv2 = opencv()
    height, width = shown.shape[:2]
    for _ in range(int(rng.integers(1, 5))):
        ink = _INKS[int(rng.integers(len(_INKS)))]
        side = rng.random() < 0.7
        x = int(rng.choice([4, max(4, width - 170)])) if side else int(rng.integers(0, width))
        y = int(rng.integers(14, max(15, height // 4 if side else height)))
        word = _WORDS[int(rng.integers(len(_WORDS)))]
        cv2.putText(shown, word, (x, y), 0, float(rng.uniform(0.35, 0.6)), ink, 1, cv2.LINE_AA)


def draw_scale(shown: ByteImage, name: str, rng: np.random.Generator) -> None:
    """Put the palette as a bar into an upper corner of a picture, in place."""
    height, width = shown.shape[:2]
    length, thick = max(8, height // 4), max(6, width // 90)
    bar = palette(name)[np.linspace(255, 0, length).astype(np.uint8)]
    left = int(rng.choice([6, max(6, width - thick - 6)]))
    area = shown[6 : 6 + length, left : left + thick]
    area[:] = bar[: area.shape[0], None]


def through_jpeg(shown: ByteImage, quality: int) -> ByteImage:
    """Return a picture as JPEG leaves it, quality 0 to 100."""
    cv2 = opencv()
    _, code = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)

"""A fan that went through a palette, lines, text and JPEG comes back as the fan it was."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from watercolumn_builders import make_ping

from sonar_watch.detection.detector import Detector, DetectorOptions
from sonar_watch.errors import ConfigurationError
from sonar_watch.records import ByteImage
from sonar_watch.simulation.cruise import demo_survey
from sonar_watch.simulation.echo import hear
from sonar_watch.watercolumn.disturb import (
    coloured,
    disturb,
    draw_grid,
    draw_scale,
    draw_text,
    through_jpeg,
    weather,
)
from sonar_watch.watercolumn.encoding import to_bytes
from sonar_watch.watercolumn.palettes import PALETTES, cells_of, identify, levels_of, palette
from sonar_watch.watercolumn.pictures import PictureOptions, normalise, normalise_frame
from sonar_watch.watercolumn.raster import Rasteriser, RasterOptions

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
ON_WHITE = ("grey_inverted", "rainbow_white", "ek500")


HEIGHT_PX, WIDTH_PX, SEABED_PX = 300, 1000, 270.0


@pytest.fixture(scope="module")
def fan() -> ByteImage:
    """A painted fan in the grey encoding: speckle of 4 dB, two broken streaks, the seabed."""
    rng = np.random.default_rng(8)
    speckle = 10 * np.log10(rng.exponential(size=(HEIGHT_PX, WIDTH_PX)) + 0.03)
    level_db = cv2.GaussianBlur(speckle, (3, 3), 0.6)
    level_db -= np.median(level_db)
    y, x = np.indices(level_db.shape) + 0.5
    for foot_px in (330.0, 620.0):
        streak = np.exp(-(((x - foot_px - 0.1 * (SEABED_PX - y)) / 9.0) ** 2))
        level_db += np.where((y > 110) & (y < SEABED_PX), 14 * streak, 0.0)
    level_db += np.where(y > SEABED_PX, 25.0, 0.0)
    inside = (np.abs(x - WIDTH_PX / 2) < 1.85 * y) & (y < SEABED_PX + 14)
    return np.where(inside, to_bytes(level_db.astype(np.float32), "contrast"), 0).astype(np.uint8)


def screenshot(fan: ByteImage, name: str, page: tuple[int, int, int], seed: int) -> ByteImage:
    rng = np.random.default_rng(seed)
    shown = coloured(fan, name, page)
    draw_grid(shown, rng)
    draw_text(shown, rng)
    draw_scale(shown, name, rng)
    return through_jpeg(shown, 60)


def likeness(one: ByteImage, other: ByteImage) -> float:
    """Correlation over the pixels that both show, at the scale at which detectors look."""
    both = (one > 0) & (other > 0)
    means = [cv2.blur(image.astype(np.float32), (3, 3))[both] for image in (one, other)]
    return float(np.corrcoef(*means)[0, 1])


@pytest.mark.parametrize("name", PALETTES)
def test_a_screenshot_becomes_the_contrast_it_was_made_of(fan: ByteImage, name: str) -> None:
    # A seabed as white as the page cannot be told from it: such palettes are tried on black.
    light = name in ON_WHITE or (len(name) % 2 and name not in ("grey", "hot"))
    page = WHITE if light else BLACK
    restored = normalise(screenshot(fan, name, page, seed=len(name)))
    assert restored.shape == fan.shape
    assert likeness(restored, fan) > 0.9
    shown = fan > 0
    assert np.mean(restored[shown] > 0) > 0.85  # a rim, and a seabed as white as the page, go
    assert np.mean(restored[~shown] == 0) > 0.95  # page, text, scale bar and axes are gone


def heard_fan() -> ByteImage:
    """The demo's sea in grey, with the ship beside the first plume's foot."""
    survey = demo_survey()
    north_m = survey.scene.plumes[0].north_m
    state = min(survey.states(survey.lines[0]), key=lambda one: abs(one.north_m - north_m))
    ping, _ = hear(survey.scene, survey.sounder, state, survey.seed)
    return Rasteriser(RasterOptions(encoding="grey")).frame(ping).image


def test_the_detector_finds_in_screenshots_what_it_finds_in_the_clean_picture() -> None:
    fan = heard_fan()
    detector = Detector(DetectorOptions(device="cpu", threads=1, confidence=0.15))
    clean = detector.detect([fan])[0].of_class("signal")
    clean = clean[clean.confidence >= 0.3]
    assert len(clean) >= 1
    names = ("grey_inverted", "jet", "viridis", "rainbow_white")
    pictures = [
        normalise(screenshot(fan, name, WHITE if name in ON_WHITE else BLACK, seed))
        for seed, name in enumerate(names)
    ]
    for name, found in zip(names, detector.detect(pictures), strict=True):
        plumes = found.of_class("signal")
        middles = (plumes.xyxy[:, 0] + plumes.xyxy[:, 2]) / 2
        for left, _, right, _ in clean.xyxy:
            assert np.any((left <= middles) & (middles <= right)), name


def test_lightness_stands_in_for_a_palette_that_nobody_knows(fan: ByteImage) -> None:
    bloody = np.stack([fan // 3, fan // 6, fan], axis=-1)
    assert likeness(normalise(bloody), fan) > 0.9


@pytest.mark.parametrize(
    ("name", "page"), [("grey", BLACK), ("grey", WHITE), ("grey_inverted", WHITE)]
)
def test_whether_dark_or_light_is_strong_is_seen(
    fan: ByteImage, name: str, page: tuple[int, int, int]
) -> None:
    assert likeness(normalise(coloured(fan, name, page)), fan) > 0.85


def test_the_span_gives_the_decibels(fan: ByteImage) -> None:
    shown = coloured(fan, "grey")
    half = normalise(shown, PictureOptions(span_db=16.0)).astype(float)
    whole = normalise(shown, PictureOptions(span_db=32.0)).astype(float)
    bright = (whole > 120) & (whole < 250)
    assert np.median((whole[bright] - 64.5) / (half[bright] - 64.5)) == pytest.approx(2, rel=0.05)
    assert likeness(whole, fan) > 0.9
    both = (whole > 0) & (fan > 30) & (fan < 200)
    assert np.median(np.abs(whole[both] - fan[both])) < 8  # 1 dB


def test_levels_that_rise_with_range_are_flattened(fan: ByteImage) -> None:
    y, x = np.indices(fan.shape)
    ramp = np.hypot(x - fan.shape[1] / 2, y) * 0.35
    rising = np.where(fan > 0, np.clip(fan / 3 + ramp, 1, 255), 0).astype(np.uint8)
    assert likeness(rising, fan) < 0.8 < 0.9 < likeness(normalise(rising), fan)


@pytest.mark.parametrize("shape", [(1, 1), (10, 400), (30, 30), (64, 64, 3), (200, 300, 3)])
@pytest.mark.parametrize("kind", ["black", "white", "noise"])
def test_pictures_without_a_fan_pass_through_in_grey(shape: tuple[int, ...], kind: str) -> None:
    rng = np.random.default_rng(1)
    image: npt.NDArray[np.uint8] = np.full(shape, 255 * (kind == "white"), np.uint8)
    if kind == "noise":
        image = rng.integers(0, 256, shape, np.uint8)
    result = normalise(image)
    assert result.shape == shape[:2]
    assert result.dtype == np.uint8


def test_nothing_is_changed_when_told_so_and_inputs_never_are(fan: ByteImage) -> None:
    shown = screenshot(fan, "jet", BLACK, 4)
    before = shown.copy()
    normalise(shown)
    assert np.array_equal(shown, before)
    assert np.array_equal(normalise(fan, PictureOptions(palette="as_is")), fan)


def test_only_frames_of_others_pictures_are_read_anew() -> None:
    frame = Rasteriser().frame(make_ping(speckle_db=4.0))
    assert normalise_frame(frame) is frame
    foreign = replace(frame, image=coloured(frame.image[..., 1], "jet"), encoding="picture")
    read = normalise_frame(foreign)
    assert (read.encoding, read.image.ndim, read.frame_id) == ("grey", 2, frame.frame_id)
    assert likeness(read.image, frame.image[..., 1]) > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [({"palette": "mauve"}, "palette: expected auto"), ({"span_db": 0.0}, "span_db"),
     ({"usual_spread_db": -1.0}, "usual_spread_db")],
)
def test_options_beyond_their_range_are_refused(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        PictureOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in PALETTES if not name.startswith("grey")])
def test_palettes_are_known_by_their_colours_and_read_back(name: str) -> None:
    level = np.random.default_rng(2).integers(20, 236, (60, 60), np.uint8)
    cells = cells_of(palette(name)[level])
    assert identify(cells.ravel()[:2000], tuple(n for n in PALETTES if "grey" not in n))[0] == name
    found, distance = levels_of(cells, name)
    assert np.mean(np.abs(found.astype(int) - level) <= 12) > 0.95
    assert np.median(distance) < 6


def test_disturbing_is_the_same_for_the_same_seed_and_keeps_the_size(fan: ByteImage) -> None:
    one, two = (disturb(fan, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, two)
    assert one.shape == (*fan.shape, 3)
    assert not np.array_equal(one, disturb(fan, np.random.default_rng(6)))
    layers = np.stack([fan // 2, fan, fan // 3], axis=-1)
    assert np.array_equal(disturb(layers, np.random.default_rng(5)), one)


def test_weathered_fans_remain_fans(fan: ByteImage) -> None:
    alike = [likeness(weather(fan, np.random.default_rng(seed)), fan) for seed in range(6)]
    assert np.median(alike) > 0.9
    assert min(alike) > 0.7

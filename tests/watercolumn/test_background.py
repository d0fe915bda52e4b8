"""The memory of the pictures: what stands still, what passes, what a checkpoint keeps."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from watercolumn_builders import make_ping

from sonar_watch.errors import FormatError
from sonar_watch.watercolumn.background import (
    KEPT_CONFIGURATIONS,
    ROWS,
    SHORT_PINGS,
    Background,
    BackgroundOptions,
    Memory,
)
from sonar_watch.watercolumn.encoding import LAYERS, WINDOW_DB, to_bytes, to_db
from sonar_watch.watercolumn.raster import Rasteriser

OPTIONS = BackgroundOptions()
BEAMS = 6


def take(background, level_db, count=1, seed=None, options=OPTIONS):
    """Feed pings of one level, speckled when a seed is given; return the last recent mean."""
    rng = np.random.default_rng(seed)
    valid = np.ones((BEAMS, ROWS), bool)
    for _ in range(count):
        contrast = np.full((BEAMS, ROWS), level_db, np.float32)
        if seed is not None:
            contrast += 5.6 * rng.standard_normal(contrast.shape, np.float32)
        recent = background.take(contrast, valid, valid, background.last_s + 1.0, options)
    return recent


def sail(count=6, beam_db=None, **options):
    """Pings a second apart, speckled, three beams louder by `beam_db`."""
    for number in range(count):
        ping = make_ping(counter=number + 1, speckle_db=5.0, **options)
        ping = replace(ping, time_utc=ping.time_utc + timedelta(seconds=number))
        if beam_db:
            samples = ping.samples_half_db.copy()
            samples[39:42] = np.clip(samples[39:42].astype(int) + 2 * beam_db, -128, 127)
            ping = replace(ping, samples_half_db=samples)
        yield ping


def test_what_stands_still_becomes_static():
    background = Background(BEAMS)
    take(background, 4.0, count=400)
    assert background.static_db(ROWS) == pytest.approx(4.0, abs=0.3)
    assert take(background, 4.0) == pytest.approx(0.0, abs=0.6)


def test_a_plume_that_passes_hardly_enters_the_static_background():
    background = Background(BEAMS)
    take(background, 0.0, count=100)
    take(background, 15.0, count=15)
    assert np.all(background.static_db(ROWS) < 0.6)


def test_speckle_averages_out_in_the_recent_mean():
    background = Background(BEAMS)
    recent = take(background, 0.0, count=30, seed=5)
    assert 2.2 < recent.std() < 3.4  # 5.6 dB over four pings


def test_the_first_ping_and_the_first_after_a_gap_stand_for_themselves():
    background = Background(BEAMS)
    assert take(background, 9.0) == pytest.approx(9.0)
    take(background, 0.0, count=20)
    background.last_s -= 100.0  # nothing for so long
    valid = np.ones((BEAMS, ROWS), bool)
    level = np.full((BEAMS, ROWS), 9.0, np.float32)
    recent = background.take(level, valid, valid, background.last_s + 100.0, OPTIONS)
    assert recent == pytest.approx(9.0 - background.static_db(ROWS), abs=0.5)


def test_a_checkpoint_goes_on_to_the_bit():
    kept = Background(BEAMS, factor=4)
    take(kept, 3.0, count=20, seed=1)
    again = Background.from_bytes(kept.to_bytes())
    assert again.to_bytes() == kept.to_bytes()
    assert np.array_equal(take(again, 3.0, count=3, seed=2), take(kept, 3.0, count=3, seed=2))


@pytest.mark.parametrize("damaged", [b"", b"\xff\xff\xff\xff", b"\x02\x00\x00\x00{}abc"])
def test_a_damaged_checkpoint_is_refused(damaged):
    with pytest.raises(FormatError, match="stored background"):
        Background.from_bytes(damaged)


def test_longer_ranges_make_longer_rows_and_keep_what_is_known():
    background = Background(BEAMS, factor=2)
    take(background, 4.0, count=400)
    assert background.fit(2 * ROWS + 1) == 4
    half = ROWS // 2
    assert background.static_db(half) == pytest.approx(4.0, abs=0.4)
    assert np.all(background.static_db(ROWS)[:, half:] == 0)
    assert [background.fit(ROWS) for _ in range(SHORT_PINGS + 1)][-2:] == [4, 2]
    assert background.static_db(half) == pytest.approx(4.0, abs=0.4)


def test_a_few_short_pings_do_not_erase_what_is_known():
    background = Background(BEAMS, factor=4)
    take(background, 4.0, count=400)
    for _ in range(SHORT_PINGS):
        assert background.fit(ROWS) == 4
    assert background.fit(4 * ROWS) == 4
    assert background.static_db(ROWS)[:, -1] == pytest.approx(4.0, abs=0.4)


def test_rows_do_not_flip_to_and_fro():
    background = Background(BEAMS)
    sizes = [background.fit(samples) for samples in (1020, 1030, 1020, 1030, 1020)]
    assert sizes == [4, 8, 8, 8, 8]


def test_what_is_forgotten_is_said_and_damage_is_left_out(caplog):
    memory = Memory()
    for number in range(KEPT_CONFIGURATIONS + 1):
        memory.of(f"setting {number:02d}", BEAMS)
    changes = memory.changes()
    assert changes["setting 00"] is None
    stored = {name: body for name, body in changes.items() if body} | {"setting 99": b"old"}
    again = Memory()
    again.restore(stored)
    assert list(again._known) == sorted(set(stored) - {"setting 99"})
    assert "setting 99" in caplog.text


def test_restoring_keeps_the_configurations_seen_last():
    memory, stored = Memory(), {}
    for number in range(KEPT_CONFIGURATIONS + 3):
        take(memory.of(f"setting {number}", BEAMS), 1.0, count=number + 1)
        for name, body in memory.changes().items():
            stored.pop(name, None)
            stored |= {name: body} if body else {}
    assert memory.changes() == {}
    again = Memory()
    again.restore(stored)
    assert list(again._known) == list(memory._known)


def test_a_static_beam_fades_from_the_contrast_and_stays_in_the_level():
    raster = Rasteriser()
    frames = [raster.frame(ping) for ping in sail(60, beam_db=8)]
    loud = make_ping(speckle_db=0.0).beam_angle_deg[40]
    x, y = frames[0].geometry.to_pixels(60 * np.tan(np.radians(loud)), 65.0)
    spot = np.s_[round(y) - 6 : round(y) + 6, round(x) - 1 : round(x) + 1]
    first, last = (to_db(frame.image)[spot].mean() for frame in (frames[0], frames[-1]))
    assert first > 5.0
    assert last < first - 3.0
    assert to_db(frames[-1].image, "level")[spot].mean() > 4.0


def test_pictures_after_a_restart_are_those_of_a_watch_that_never_stopped():
    pings = list(sail(10))
    unbroken, first, second = Rasteriser(), Rasteriser(), Rasteriser()
    expected = [unbroken.frame(ping).image for ping in pings]
    stored = {}
    for ping in pings[:6]:
        first.frame(ping)
        stored |= first.memory()
    second.restore(stored)
    for ping, image in zip(pings[6:], expected[6:], strict=True):
        assert np.array_equal(second.frame(ping).image, image)


def test_forgetting_is_a_new_start():
    pings = list(sail(4))
    used = Rasteriser()
    images = [used.frame(ping).image for ping in pings]
    used.forget()
    assert np.array_equal(used.frame(pings[0]).image, images[0])


@pytest.mark.parametrize("layer", LAYERS)
def test_values_read_back_to_decibels(layer):
    low, high = WINDOW_DB[layer]
    level = np.linspace(low, high, 60, dtype=np.float32).reshape(6, 10)
    image = np.zeros((6, 10, 3), np.uint8)
    image[..., LAYERS.index(layer)] = to_bytes(level.copy(), layer)
    assert to_db(image, layer) == pytest.approx(level, abs=(high - low) / 254)
    assert np.isnan(to_db(np.zeros((2, 2), np.uint8))).all()

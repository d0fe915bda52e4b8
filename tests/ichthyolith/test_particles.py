"""Drawn particles: sizes, shapes and light as real ones have them."""

import numpy as np
import pytest
from drawn_slides import seeded

from sonar_watch.ichthyolith.records import CLASSES
from sonar_watch.ichthyolith.synthesis.debris import (
    KINDS,
    draw_debris,
    draw_fibrous,
    draw_lath,
    draw_shard,
)
from sonar_watch.ichthyolith.synthesis.denticles import draw_denticle, draw_sawtoothed
from sonar_watch.ichthyolith.synthesis.opaque import draw_bubble, draw_grain
from sonar_watch.ichthyolith.synthesis.teeth import draw_tooth

ICHTHYOLITH = {"tooth": draw_tooth, "denticle": draw_denticle, "sawtoothed": draw_sawtoothed}
EVERY = [*ICHTHYOLITH.values(), *(draw for draw, _ in KINDS.values())]


def axes(mask):
    """Return coordinates of the pixels of a mask along and across its longest axis."""
    points = np.argwhere(mask).astype(float)
    points -= points.mean(0)
    _, _, directions = np.linalg.svd(points, full_matrices=False)
    return points @ directions[0], points @ directions[1]


@pytest.mark.parametrize("draw", EVERY)
@pytest.mark.parametrize("length_px", [17.0, 75.0])
def test_every_particle_is_light_that_passes_and_ends_at_one(draw, length_px):
    rng, light = seeded(3)
    particle = draw(length_px, light, rng)
    height, width = particle.mask.shape
    assert particle.passes.shape == (height, width, 3)
    assert particle.passes.dtype == np.float32
    assert particle.class_name in CLASSES
    assert np.isfinite(particle.passes).all()
    assert 0 < particle.passes.min() <= particle.passes.max() < 1.5
    assert particle.mask.any()
    np.testing.assert_array_equal(particle.passes[0], 1)
    np.testing.assert_array_equal(particle.passes[:, -1], 1)
    assert not particle.mask[0].any()
    assert not particle.mask[:, -1].any()


@pytest.mark.parametrize(("name", "draw"), ICHTHYOLITH.items())
def test_an_ichthyolith_is_as_long_as_asked(name, draw):
    rng, light = seeded(4)
    ratios = []
    for length in (30.0, 60.0, 120.0) * 3:
        along, _ = axes(draw(length, light, rng).mask)
        ratios.append((along.max() - along.min()) / length)
    assert 0.75 < np.median(ratios) < 1.25
    assert max(ratios) < 1.6


@pytest.mark.parametrize("draw", [draw_tooth, draw_debris])
def test_the_seed_decides_everything(draw):
    first, again = (draw(50.0, seeded(9)[1], np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(first.passes, again.passes)
    other = draw(50.0, seeded(9)[1], np.random.default_rng(7))
    assert other.passes.shape != first.passes.shape or (other.passes != first.passes).any()


def narrowing(draw, seed):
    """Return the median of width at the narrower end over width at the wider end."""
    rng, light = seeded(seed)
    found = []
    for _ in range(15):
        along, across = axes(draw(90.0, light, rng).mask)
        ends = []
        for end in (-1, 1):
            near = along * end > 0.72 * (along * end).max()
            ends.append(np.ptp(across[near]))
        found.append(min(ends) / max(ends))
    return float(np.median(found))


def test_teeth_taper_to_a_point_and_laths_do_not():
    assert narrowing(draw_tooth, 1) < 0.55
    assert narrowing(draw_lath, 1) > 0.65
    assert narrowing(draw_fibrous, 1) > 0.6


def test_a_tooth_is_stained_brown_as_real_ones_are():
    rng, light = seeded(2)
    ratios = []
    for _ in range(15):
        density = -np.log(draw_tooth(80.0, light, rng).passes)
        stained = (density[..., 1] > 0.35) & (density[..., 1] < 1.5)
        if stained.sum() > 80:
            blue, green, red = density[stained].mean(0)
            ratios.append((blue / green, red / green))
    blue, red = np.median(ratios, axis=0)
    assert 1.05 < blue < 1.45  # On real teeth 1.2 (0.9 to 1.5) ...
    assert 0.7 < red < 0.97  # ... and 0.85 (0.75 to 1.0).


def test_a_sawtoothed_bar_is_darkest_along_its_middle():
    rng, light = seeded(6)
    darker = []
    for _ in range(12):
        particle = draw_sawtoothed(100.0, light, rng)
        on = particle.mask > 0
        _, across = axes(particle.mask)
        part = np.abs(across) / np.abs(across).max()
        green = particle.passes[on][:, 1]
        darker.append(green[part < 0.3].mean() < green[(part > 0.5) & (part < 0.85)].mean() - 0.03)
    assert np.mean(darker) > 0.7


def test_a_bubble_is_a_dark_ring_and_a_grain_is_black():
    rng, light = seeded(5)
    bubble = draw_bubble(60.0, light, rng)
    green = bubble.passes[..., 1]
    middle = green[green.shape[0] // 2, green.shape[1] // 2]
    assert green.min() < 0.3
    assert middle > green.min() + 0.1
    grains = [draw_grain(60.0, light, rng) for _ in range(9)]
    assert np.median([one.passes[one.mask > 0].mean() for one in grains]) < 0.25


def test_a_shard_is_clear_but_for_its_edges():
    rng, light = seeded(7)
    clear = []
    for _ in range(9):
        shard = draw_shard(90.0, light, rng)
        clear.append(np.median(shard.passes[shard.mask > 0][:, 1]))
    assert 0.88 < np.median(clear) < 1.08


def test_debris_is_of_every_kind():
    rng, light = seeded(1)
    shapes = [draw_debris(40.0, light, rng) for _ in range(40)]
    assert {one.class_name for one in shapes} == {"noise"}
    darkness = np.array([one.passes[one.mask > 0].mean() for one in shapes])
    assert (darkness < 0.4).any()
    assert (darkness > 0.9).any()

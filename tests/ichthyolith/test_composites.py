"""Composites: boxes where the particles are, real tiles turned with their labels, and light."""

import numpy as np
import pytest
from drawn_slides import clear_tooth, lay, seeded, write_slides
from realdata import real_data

from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.records import CLASSES
from sonar_watch.ichthyolith.synthesis.composite import CompositeOptions, compose, contrast_of
from sonar_watch.ichthyolith.synthesis.cutouts import cut_out, shown
from sonar_watch.ichthyolith.synthesis.glass import BRIGHTNESS, draw_glass, photographed
from sonar_watch.ichthyolith.synthesis.placing import Occupied, spots
from sonar_watch.ichthyolith.synthesis.staging import staged
from sonar_watch.ichthyolith.synthesis.stock import Stock, read_stock
from sonar_watch.ichthyolith.synthesis.tiles import RealTile, chosen_tiles, coarse_glass, read_tiles
from sonar_watch.images import read_image

SMALL = CompositeOptions(size_px=256, field_px=480, ichthyoliths=6.0, empty_share=0.0)


def test_boxes_of_a_composite_are_on_it_and_hold_what_stands_out():
    rng = np.random.default_rng(1)
    changes = []
    for _ in range(4):
        picture, truth = compose(Stock(), SMALL, rng)
        assert picture.shape == (256, 256, 3)
        assert picture.dtype == np.uint8
        assert truth.class_names == CLASSES
        assert (truth.xyxy >= 0).all()
        assert (truth.xyxy <= 256).all()
        assert (truth.xyxy[:, 2:] - truth.xyxy[:, :2] >= 3).all()
        smooth = np.median(picture)
        for (x1, y1, x2, y2), kind in zip(truth.xyxy.astype(int), truth.class_id, strict=True):
            if CLASSES[kind] != "noise":
                changes.append(np.abs(picture[y1:y2, x1:x2].astype(float) - smooth).max())
    assert len(changes) >= 4
    assert np.median(changes) > 40


def test_the_seed_decides_a_composite():
    first, again, other = (
        compose(Stock(), SMALL, np.random.default_rng(seed))[0] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_a_composite_can_be_bare_of_ichthyoliths_or_of_debris():
    rng = np.random.default_rng(2)
    none = CompositeOptions(size_px=128, field_px=300, empty_share=1.0)
    bare = CompositeOptions(size_px=128, field_px=300, empty_share=0.0, debris=0.0,
                            ichthyoliths=9.0, mix={"denticle": 1.0})
    for _ in range(3):
        assert set(compose(Stock(), none, rng)[1].class_id.tolist()) <= {CLASSES.index("noise")}
    found = {kind for _ in range(3) for kind in compose(Stock(), bare, rng)[1].class_id.tolist()}
    assert found == {CLASSES.index("denticle")}


@pytest.mark.parametrize(
    "wrong",
    [{"size_px": 10}, {"size_px": 64, "field_px": 4000}, {"empty_share": 1.5}, {"debris": -1.0},
     {"mix": {"noise": 1.0}}, {"mix": {"tooth": 0.0}}],
)
def test_options_beyond_their_range_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="expected"):
        CompositeOptions(**wrong)


def test_particles_are_laid_where_they_are_seen_and_room_is_kept_count_of():
    rng, light = seeded(1)
    tooth = clear_tooth(100, light, rng)
    whole = int(tooth.mask.sum())
    places = [spot for _ in range(20) for spot in spots(tooth, 200, 0.6, rng)]
    assert len(places) > 50
    for spot in places:
        assert spot.mask.sum() >= 0.6 * whole
        x1, y1, x2, y2 = spot.box
        assert 0 <= x1 < x2 <= 200
        assert 0 <= y1 < y2 <= 200
    assert any(spot.mask.sum() < whole for spot in places)
    occupied = Occupied(200)
    assert occupied.share(places[0]) == 0
    occupied.add(places[0])
    assert occupied.share(places[0]) == 1


def test_a_particle_cut_out_of_a_picture_is_the_one_that_was_laid_there():
    rng, light = seeded(3, 1.0)
    agreement, strayed = [], []
    for seed in range(5):
        tooth = clear_tooth(80, light, np.random.default_rng(seed))
        height, width = tooth.mask.shape
        glass = draw_glass(300, 1.0, rng)[10 : 30 + height, 30 : 50 + width]
        lay(glass, tooth, 10, 10)
        picture = np.clip(glass + rng.normal(0, 1.5, glass.shape), 0, 255).astype(np.uint8)
        found = cut_out(picture, "tooth", "here")
        assert found is not None
        true = np.zeros(found.mask.shape, np.uint8)
        true[10 : 10 + height, 10 : 10 + width] = tooth.mask
        # Clear parts of a tooth may be missed; glass is not to be taken for tooth.
        agreement.append((found.mask & true).sum() / (found.mask | true).sum())
        strayed.append((found.mask & (1 - true)).sum() / found.mask.sum())
        difference = found.passes[10 : 10 + height, 10 : 10 + width] - tooth.passes
        assert np.abs(difference[tooth.mask > 0]).mean() < 0.06
        again = shown(found, found.length_px, light, rng)
        assert again.class_name == "tooth"
        assert abs(contrast_of(again) - contrast_of(tooth)) < 0.35
    assert np.median(agreement) > 0.7
    assert max(strayed) < 0.35


def test_a_particle_that_its_crop_cuts_is_not_cut_out():
    rng, light = seeded(3, 1.0)
    glass = draw_glass(200, 1.0, rng)
    x1, y1, x2, y2 = lay(glass, clear_tooth(100, light, rng), 40, 40)
    picture = np.clip(glass, 0, 255).astype(np.uint8)
    assert cut_out(picture[y1 - 8 : y2 + 8, x1 - 8 : x2 + 8], "tooth", "") is not None
    middle = (x1 + x2) // 2, (y1 + y2) // 2
    assert cut_out(picture[middle[1] - 9 : middle[1] + 9, middle[0] - 9 : middle[0] + 9],
                   "tooth", "") is None
    assert cut_out(picture[:9, :9], "tooth", "") is None


def test_real_tiles_give_what_is_sure_and_hide_what_is_not(tmp_path):
    root = write_slides(tmp_path)
    tiles = chosen_tiles(root, ["A_1_002"])
    assert [tile.slide for tile in tiles] == ["A_1_001"]
    (ready,), cutouts = read_tiles(root, tiles)
    sure, unsure = (one.xyxy_px for one in tiles[0].objects)
    assert [box for name, box in ready.boxes if name == "tooth"] == [sure]
    assert "tooth" in {one.class_name for one in cutouts}
    assert "noise" in {one.class_name for one in cutouts}
    x1, y1, x2, y2 = (int(edge) for edge in unsure)
    before = read_image(root / tiles[0].image)[y1:y2, x1:x2]
    after = ready.image[y1:y2, x1:x2]
    assert before.min() < 60
    assert np.ptp(after.astype(float).mean(2)) < 40
    for name, box in ready.boxes:
        if name == "noise":
            assert box[2] < x1 or box[0] > x2 or box[3] < y1 or box[1] > y2


@pytest.mark.parametrize("name", ["A_1_001", "A_1/A_1_001", "S/A_1/A_1_001"])
def test_a_slide_is_left_out_by_any_of_its_names(tmp_path, name):
    root = write_slides(tmp_path)
    assert [tile.slide for tile in chosen_tiles(root, [name])] == ["A_1_002"]


def test_a_slide_that_is_not_there_cannot_be_left_out(tmp_path):
    root = write_slides(tmp_path)
    with pytest.raises(ConfigurationError, match="expected a slide, sample or site among A_1_001"):
        chosen_tiles(root, ["A_1_003"])
    with pytest.raises(ConfigurationError, match="no tile is left"):
        chosen_tiles(root, ["S"])


def test_boxes_turn_with_their_tile():
    image = np.full((300, 300, 3), 140, np.uint8)
    image[60:100, 190:270] = 10
    tile = RealTile(slide="s", image=image, glass=coarse_glass(image),
                    boxes=(("tooth", (190.0, 60.0, 270.0, 100.0)),))
    kept = 0
    for seed in range(24):
        picture, boxes = staged(tile, 200, 300, np.random.default_rng(seed))
        rows, columns = np.nonzero(picture[..., 0] < 75)
        if not boxes:
            assert not rows.size
            continue
        kept += 1
        seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        np.testing.assert_allclose(boxes[0][1], seen, atol=1.6)
    assert kept > 12


def test_real_and_simulated_glass_make_composites_with_cut_outs(tmp_path):
    root = write_slides(tmp_path)
    stock = read_stock(None, root, chosen_tiles(root))
    options = CompositeOptions(size_px=200, field_px=400, drawn_share=0.0, real_glass_share=1.0,
                               empty_share=0.0, mix={"tooth": 1.0})
    teeth = 0
    for seed in range(4):
        picture, truth = compose(stock, options, np.random.default_rng(seed))
        assert picture.shape == (200, 200, 3)
        teeth += int((truth.class_id == 0).sum())
    assert teeth >= 3


def statistics(picture):
    """Return brightness, darkest corner over brightest, grain, and share of edges."""
    cv2 = pytest.importorskip("cv2")
    grey = picture.astype(np.float32).mean(2)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 3)
    coarse = cv2.resize(grey, (8, 8), interpolation=cv2.INTER_AREA)
    edges = np.abs(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1), cv2.CV_32F)) > 6
    return (float(np.median(grey)), float(coarse[0, 0] / np.quantile(coarse, 0.95)),
            1.4826 * float(np.median(np.abs(fine))), float(edges.mean()))


def test_empty_glass_is_as_bright_and_as_grainy_as_measured():
    rng = np.random.default_rng(5)
    found = np.median(
        [statistics(photographed(draw_glass(640, 0.533, rng), rng)) for _ in range(5)], axis=0
    )
    assert found[0] == pytest.approx(np.mean(BRIGHTNESS), rel=0.12)
    assert 0.55 < found[1] < 0.85
    assert found[2] == pytest.approx(1.6, rel=0.3)
    assert found[3] < 0.004


def test_composites_have_the_statistics_of_real_tiles():
    cv2 = pytest.importorskip("cv2")
    root = real_data("slides")
    tiles = chosen_tiles(root, ["Site_1149"])[::4]
    real = [
        statistics(cv2.resize(read_image(root / tile.image), (640, 640))) for tile in tiles
    ]
    rng, stock = np.random.default_rng(8), Stock()
    options = CompositeOptions()
    drawn = [statistics(compose(stock, options, rng)[0]) for _ in range(7)]
    real_median, drawn_median = np.median(real, axis=0), np.median(drawn, axis=0)
    np.testing.assert_allclose(drawn_median[0], real_median[0], rtol=0.15)
    np.testing.assert_allclose(drawn_median[1], real_median[1], rtol=0.15)
    np.testing.assert_allclose(drawn_median[2], real_median[2], rtol=0.35)
    assert 0.4 < drawn_median[3] / real_median[3] < 2.5

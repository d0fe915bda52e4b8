"""Sets of composites on disk: whole, repeatable, gone on with, and split by survey."""

import json

import numpy as np
import pytest
from drawn_slides import clear_tooth, lay, seeded, write_slides

from sonar_watch.cli import main
from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.particles import LEVEL
from sonar_watch.ichthyolith.records import CLASSES
from sonar_watch.ichthyolith.synthesis import dataset
from sonar_watch.ichthyolith.synthesis.composite import CompositeOptions
from sonar_watch.ichthyolith.synthesis.dataset import batches_of, make_slide_set, objects_of
from sonar_watch.ichthyolith.synthesis.glass import draw_glass
from sonar_watch.ichthyolith.synthesis.recipe import SlideSetOptions
from sonar_watch.ichthyolith.synthesis.stock import read_exemplars, read_stock
from sonar_watch.images import read_image, write_png
from sonar_watch.learning.annotations import label_path, read_dataset, read_labels
from sonar_watch.learning.crops import read_crops

SMALL = CompositeOptions(size_px=128, field_px=400, ichthyoliths=8.0, empty_share=0.0, debris=40.0)


def set_of(**more) -> SlideSetOptions:
    return SlideSetOptions(**{"composites": 6, "validation_share": 0.34, "composite": SMALL} | more)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def write_exemplars(root, count=9):
    for name in ("tooth", "denticle"):
        (root / name).mkdir(parents=True)
        for number in range(count):
            rng, light = seeded(number, 0.5)
            glass = draw_glass(90, 0.5, rng)
            lay(glass, clear_tooth(50, light, rng), 8, 8)
            write_png(root / name / f"{name}_{number}.png", np.clip(glass, 0, 255).astype("uint8"))
    return root


def test_a_set_is_read_back_with_its_labels(tmp_path):
    path = make_slide_set(tmp_path, set_of())
    found = read_dataset(path)
    assert found.class_names == CLASSES
    assert {split: len(images) for split, images in found.images.items()} == {"train": 4, "val": 2}
    assert not set(found.surveys["train"]) & set(found.surveys["val"])
    boxes = 0
    for images in found.images.values():
        for image in images:
            assert read_image(image).shape == (128, 128, 3)
            assert label_path(image).exists()
            boxes += len(read_labels(label_path(image), 128, 128, CLASSES))
    assert boxes == sum(objects_of(tmp_path, set_of()).values()) > 6


def test_pictures_of_a_set_are_flattened_and_crops_are_not(tmp_path):
    options = set_of(composite=CompositeOptions(size_px=320, field_px=600, ichthyoliths=1.0,
                                                debris=4.0))
    path = make_slide_set(tmp_path / "boxes", options)
    levels = []
    for image in read_dataset(path).images["train"]:
        cells = read_image(image).reshape(8, 40, 8, 40, 3)
        levels.append(np.median(cells, axis=(1, 3)).reshape(-1, 3))
    # Composites without flattening are near 135, and a fifth darker in the corners.
    np.testing.assert_allclose(np.quantile(levels, [0.1, 0.5, 0.9], axis=1), LEVEL, atol=4)
    make_slide_set(tmp_path / "crops", set_of(form="crops", composite=options.composite))
    crops = [read_image(one) for one in sorted((tmp_path / "crops").rglob("*.jpg"))]
    assert np.median([np.quantile(crop, 0.8) for crop in crops]) < 165


def test_a_set_begun_with_glass_as_it_was_is_not_gone_on_with(tmp_path):
    make_slide_set(tmp_path, set_of(composites=1, validation_share=0.0))
    recipe = json.loads((tmp_path / "recipe.json").read_text())
    assert recipe.pop("glass_level") == LEVEL
    (tmp_path / "recipe.json").write_text(json.dumps(recipe, indent=1))
    with pytest.raises(ConfigurationError, match="made with other options"):
        make_slide_set(tmp_path, set_of(composites=1, validation_share=0.0))


def test_a_set_that_was_cut_short_goes_on_and_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "BATCH", 2)
    done = []
    make_slide_set(tmp_path / "once", set_of(), done.append)
    assert sum(done) == 6
    whole = contents(tmp_path / "once")
    (tmp_path / "once" / "parts" / "train-sim-1-0001.json").unlink()
    for image in (tmp_path / "once" / "images" / "train").glob("sim-1-0001*"):
        image.unlink()
    made = []
    monkeypatch.setattr(dataset, "make_batch", lambda *args: made.append(args[2]) or
                        make_again(*args))
    make_slide_set(tmp_path / "once", set_of())
    assert [batch.survey for batch in made] == ["sim-1-0001"]
    assert contents(tmp_path / "once") == whole


make_again = dataset.make_batch


@pytest.mark.slow
def test_a_set_does_not_depend_on_the_number_of_processes(tmp_path):
    options = set_of(composites=220)
    first = make_slide_set(tmp_path / "one", options)
    second = make_slide_set(tmp_path / "two", options, workers=2)
    one, two = (contents(path.parent) for path in (first, second))
    one.pop("dataset.yaml"), two.pop("dataset.yaml")  # They name their folders.
    assert one == two


def test_a_folder_with_another_set_is_refused(tmp_path):
    make_slide_set(tmp_path, set_of(composites=1, validation_share=0.0))
    with pytest.raises(ConfigurationError, match="holds a set made with other options"):
        make_slide_set(tmp_path, set_of(composites=1, validation_share=0.0, seed=2))


@pytest.mark.parametrize(
    "wrong",
    [{"composites": 0}, {"validation_share": 1.0}, {"form": "masks"}, {"leave_out": ("x",)}],
)
def test_options_of_a_set_beyond_their_range_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="expected"):
        set_of(**wrong)


def test_batches_count_to_the_set():
    batches = list(batches_of(set_of(composites=1001, validation_share=0.1)))
    assert sum(batch.count for batch in batches if batch.split == "val") == 100
    assert sum(batch.count for batch in batches) == 1001
    assert len({batch.survey for batch in batches}) == len(batches)


def test_crops_are_read_by_the_training_of_classifiers(tmp_path):
    options = set_of(form="crops", composites=6, noise_crops=2,
                     composite=CompositeOptions(size_px=320, field_px=320, ichthyoliths=14.0,
                                                empty_share=0.0, debris=30.0))
    assert make_slide_set(tmp_path, options) == tmp_path
    found = read_crops(tmp_path, CLASSES)
    counts = objects_of(tmp_path, options)
    assert len(found.train) + len(found.val) == sum(counts.values())
    assert counts["tooth"] > 2
    assert counts["noise"] <= 12
    for crop in found.train[:5]:
        height, width = read_image(crop.path).shape[:2]
        assert height == width <= 320


def test_no_exemplar_and_no_real_tile_is_in_both_splits(tmp_path):
    exemplars = read_exemplars(write_exemplars(tmp_path / "exemplars"))
    assert len(exemplars) > 10
    root = write_slides(tmp_path / "real")
    stock = read_stock(tmp_path / "exemplars", root, dataset.chosen_tiles(root))
    train, val = stock.part_for("train"), stock.part_for("val")
    names = [{one.source for one in part.exemplars} for part in (train, val)]
    assert names[1]
    assert not names[0] & names[1]
    assert train.tiles
    assert not val.tiles
    assert not val.cutouts


def test_exemplars_that_are_not_there_are_asked_for(tmp_path):
    with pytest.raises(ConfigurationError, match="expected pictures in tooth/"):
        make_slide_set(tmp_path / "out", set_of(exemplars=tmp_path))
    assert not (tmp_path / "out").exists()


def test_the_command_leaves_slides_out_and_says_what_it_made(tmp_path, capsys):
    root = write_slides(tmp_path / "real")
    words = ["simulate", "--kind", "slides", "--out", str(tmp_path / "set"), "--composites", "3",
             "--picture", "128", "--field", "400", "--real", str(root), "--leave-out", "A_1_001"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["composites"] == 3
    assert sum(said["objects"].values()) > 0
    surveys = read_dataset(tmp_path / "set" / "dataset.yaml").surveys
    assert "S/A_1/A_1_002" in surveys["train"]
    assert not any("A_1_001" in name for names in surveys.values() for name in names)


@pytest.mark.parametrize(
    "words",
    [["--leave-out", "x"], ["--depth", "30"], ["--sheet", "320"], ["--real", "/nowhere"],
     ["--composites", "2", "--kind", "dataset"]],
)
def test_the_command_refuses_what_would_be_without_effect(tmp_path, words):
    assert main(["simulate", "--kind", "slides", "--out", str(tmp_path / "set"), *words]) == 78
    assert not (tmp_path / "set").exists()

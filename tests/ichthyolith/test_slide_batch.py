"""A tree of slides: goes on where it stopped, runs again what changed, and says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tinyslides import TILE_PX, Disc, add_detector, draw_slide

from sonar_watch.errors import ConfigurationError, ImageError, WeightsError
from sonar_watch.ichthyolith.batch import Batch, check_apart, make_plan, results_folder, run_batch
from sonar_watch.ichthyolith.networks import Networks
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.results import count_all, summary, write_manifest, write_tables
from sonar_watch.ichthyolith.reviewing import write_lessons
from sonar_watch.ichthyolith.tables import read_detections

ALONE = {(0, 0): (0, 0)}
DRAWN = {
    "A_001": [Disc("tooth", 80, 80), Disc("tooth", 200, 90)],
    "A_002": [Disc("denticle", 160, 160), Disc("noise", 60, 60)],
    "B_001": [],
}


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disc models")
    add_detector(folder)
    return folder


@pytest.fixture
def options(models_dir: Path) -> SlideOptions:
    return SlideOptions(
        weights="discs", stages="one", confidence=0.3, window_px=TILE_PX, overlap_px=64,
        um_per_px=2.0, device="cpu", threads=1, models_dir=models_dir,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, discs in DRAWN.items():
        folder = tmp_path / "tiles" / "Site" / name.partition("_")[0] / name
        draw_slide(folder, discs, ALONE, name=name, seed=len(discs))
    return tmp_path / "tiles"


def run(root: Path, out: Path, options: SlideOptions, *verdicts: Path) -> Batch:
    """Run as the command does and leave the same tables."""
    networks = Networks(options)
    with results_folder(out):
        batch = run_batch(make_plan(root, options), out, networks, options)
        counted = count_all(batch, networks, options, verdicts)
        write_tables(out, batch, counted)
        write_manifest(out, batch, networks, options, counted)
    networks.close()
    return batch


def contents(out: Path) -> dict[str, bytes]:
    """Return all that a run leaves behind for people."""
    return {path.name: path.read_bytes() for path in out.glob("*.*")
            if path.is_file() and path.name not in ("history.jsonl", ".lock")}  # fmt: skip


def test_a_tree_is_counted_by_slide_and_sample(
    root: Path, tmp_path: Path, options: SlideOptions
) -> None:
    out = tmp_path / "out"
    batch = run(root, out, options)
    objects = read_detections(out / "detections.csv")
    assert [(one.sample, one.slide, one.class_name) for one in objects] == [
        ("A", "001", "tooth"), ("A", "001", "tooth"), ("A", "002", "denticle"),
    ]  # fmt: skip
    assert tuple(objects) == tuple(batch.objects)
    census = (out / "census.csv").read_text().splitlines()
    assert [row.split(",")[:4] for row in census[1:]] == [
        ["slide", "Site", "A", "001"], ["slide", "Site", "A", "002"], ["sample", "Site", "A", ""],
        ["slide", "Site", "B", "001"], ["sample", "Site", "B", ""],
    ]  # fmt: skip
    assert (out / "problems.csv").read_text() == "image,reason\n"
    assert (out / "tiles.csv").read_text().count("\n") == 4
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["weights"]["name"] == "discs"
    assert set(manifest["slides"]) == {"Site/A/001", "Site/A/002", "Site/B/001"}


def test_run_again_it_runs_nothing_and_leaves_the_same(
    root: Path, tmp_path: Path, options: SlideOptions
) -> None:
    first = run(root, tmp_path / "out", options)
    before = contents(tmp_path / "out")
    assert first.ran["boxes"] == 3
    second = run(root, tmp_path / "out", options)
    assert second.ran == {}
    assert contents(tmp_path / "out") == before
    other = run(root, tmp_path / "other", replace(options, workers=1, batch=1, threads=2))
    assert other.ran == first.ran
    assert contents(tmp_path / "other") == before


def test_history_tells_what_was_run_and_why(
    root: Path, tmp_path: Path, options: SlideOptions
) -> None:
    run(root, tmp_path / "out", options)
    run(root, tmp_path / "out", replace(options, confidence=0.5))
    draw_slide(root / "Site" / "B" / "B_001", [Disc("tooth", 99, 99)], ALONE, name="B_001")
    run(root, tmp_path / "out", replace(options, confidence=0.5))
    lines = [json.loads(line) for line in (tmp_path / "out/history.jsonl").read_text().splitlines()]
    told = [(line["slide"], line["step"], line["because"]) for line in lines]
    assert told[0] == ("Site/A/001", "boxes", "not looked at before")
    assert ("Site/A/001", "objects", "confidence: 0.3 -> 0.5") in told
    assert told[-4:] == [
        ("Site/B/001", "boxes", "its pixels changed"),
        ("Site/B/001", "places", "its pixels changed"),
        ("Site/B/001", "objects", "its pixels changed"),
        ("Site/B/001", "lengths", "not looked at before"),
    ]


def test_stopped_between_slides_it_goes_on(
    root: Path, tmp_path: Path, options: SlideOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sonar_watch.ichthyolith import batch as module

    done: list[str] = []
    count_slide = module.count_slide

    def until_the_second(slide, *rest):  # type: ignore[no-untyped-def]
        if done:
            raise KeyboardInterrupt
        done.append(slide.key)
        return count_slide(slide, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(module, "count_slide", until_the_second)
        with pytest.raises(KeyboardInterrupt):
            run(root, tmp_path / "out", options)
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert run(root, tmp_path / "out", options).ran["boxes"] == 2
    run(root, tmp_path / "whole", options)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_what_could_not_be_used_is_listed(
    root: Path, tmp_path: Path, options: SlideOptions
) -> None:
    tile = root / "Site/A/A_001/A_001_0_0.png"
    content = tile.read_bytes()
    tile.write_bytes(content[: len(content) // 2] + bytes(99) + content[len(content) // 2 + 99 :])
    (root / "Site/A/A_002/thumb.png").write_bytes(b"no picture")
    batch = run(root, tmp_path / "out", options)
    listed = (tmp_path / "out/problems.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in listed[1:]] == [
        "Site/A/A_001/A_001_0_0.png", "Site/A/A_002/thumb.png",
    ]  # fmt: skip
    assert [one.class_name for one in batch.objects] == ["denticle"]


def test_places_without_a_tile_are_listed(
    root: Path, tmp_path: Path, options: SlideOptions
) -> None:
    corners = {(0, 0): (0, 0), (0, 256): (0, 256), (256, 0): (256, 0)}
    draw_slide(root / "Site/A/A_001", DRAWN["A_001"], corners, name="A_001", seed=2)
    run(root, tmp_path / "out", options)
    assert (tmp_path / "out/missing.csv").read_text().splitlines() == [
        "site,sample,slide,y_px,x_px", "Site,A,001,256,256",
    ]  # fmt: skip


def test_a_tile_with_a_wrong_digit_is_told(
    root: Path, tmp_path: Path, options: SlideOptions, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    far = {(0, 0): (0, 0), (0, 256): (0, 256), (256, 2_560_000): (256, 256)}
    draw_slide(root / "Site/A/A_001", DRAWN["A_001"], far, name="A_001", seed=2)
    monkeypatch.setattr("sonar_watch.ichthyolith.results._MOST_MISSING", 1000)
    ticks: list[int] = []
    assert make_plan(root, options, lambda: ticks.append(1)).tiles == len(ticks) == 5
    assert "A_001_256_2560000.png stands far from all other tiles" in caplog.text
    run(root, tmp_path / "out", options)
    assert (tmp_path / "out/missing.csv").read_text().count("\n") == 1
    assert "19999 places without a tile are not listed" in caplog.text


def test_windows_with_more_boxes_than_are_kept_are_told(
    root: Path, tmp_path: Path, options: SlideOptions, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sonar_watch.ichthyolith.slides.MAX_DETECTIONS", 2)
    batch = run(root, tmp_path / "out", options)
    assert [len(one.full_windows) for one in batch.results] == [1, 1, 0]
    assert "2 windows, such as one in Site/A/A_001/A_001_0_0.png, hold as many" in caplog.text
    networks = Networks(options)
    assert summary(batch, count_all(batch, networks, options), options)["full_windows"] == 2
    assert run(root, tmp_path / "out", options).results[0].full_windows  # also from what is kept


def test_a_slide_without_a_scale_is_told(
    root: Path, tmp_path: Path, options: SlideOptions, caplog: pytest.LogCaptureFixture
) -> None:
    batch = run(root, tmp_path / "out", replace(options, um_per_px=None))
    assert {one.length_um for one in batch.objects} == {None}
    assert "3 slides, such as Site/A/001, do not say their scale" in caplog.text


def test_results_among_the_tiles_are_refused(root: Path) -> None:
    with pytest.raises(ConfigurationError, match="lies within"):
        check_apart(root / "o", root)
    check_apart(root.parent / "o", root)


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = results_folder(out)
    first.__enter__()
    with pytest.raises(ConfigurationError, match="at work"), results_folder(out):
        pytest.fail("entered")
    first.__exit__(None, None, None)
    with results_folder(out):
        assert (out / ".lock").exists()


def test_half_written_files_are_removed(tmp_path: Path) -> None:
    left = tmp_path / "out" / "slides" / ".001.json.77.tmp"
    left.parent.mkdir(parents=True)
    left.write_text("{")
    with results_folder(tmp_path / "out"):
        assert not left.exists()


def test_a_folder_without_slides_is_said(tmp_path: Path, options: SlideOptions) -> None:
    (tmp_path / "a.png").write_bytes(b"none")
    with pytest.raises(ImageError, match=r"no slide found.*1 images could not be used: a\.png"):
        make_plan(tmp_path, options)


def test_verdicts_change_counts_without_any_network(
    root: Path, tmp_path: Path, options: SlideOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(root, tmp_path / "out", options)
    tooth, other, denticle = read_detections(tmp_path / "out" / "detections.csv")
    verdicts = tmp_path / "verdicts.json"
    verdicts.write_text(json.dumps({
        "schema": "sonar_watch.slide_verdicts/1", "reviewer": "A",
        "verdicts": [
            {"object_id": one.object_id, "class": said, "seen_class": one.class_name,
             "slide": "s", "image": one.best.image, "xyxy_px": list(one.best.xyxy_px)}
            for one, said in ((tooth, "noise"), (denticle, "sawtoothed"))
        ],
    }))  # fmt: skip
    monkeypatch.setattr("sonar_watch.ichthyolith.networks.Detector", None)
    batch = run(root, tmp_path / "out", options, verdicts)
    networks = Networks(options)
    counted = count_all(batch, networks, options, [verdicts])
    tally = counted.census[1].counts["sawtoothed"].tally  # of slide A/002
    assert (tally.reviewed, tally.rescued) == (1, 1)
    told = summary(batch, counted, options)
    assert told["counts"] == {"sawtoothed": 1, "tooth": 1}
    assert (told["reviewed"], told["rejected"], told["ran"]) == (2, 1, {})
    assert told["verdicts"]["rejected"] == told["verdicts"]["changed"] == 1
    statuses = [one.class_name for one in read_detections(tmp_path / "out" / "detections.csv")]
    assert statuses == ["noise", "tooth", "sawtoothed"]
    assert other.object_id in {one.object_id for one in counted.objects if not one.reviewed}
    data, crops = write_lessons(tmp_path / "lessons", batch, counted, networks, options)
    assert data.name == "dataset.yaml"
    assert crops == {"tooth": 0, "denticle": 0, "sawtoothed": 1, "noise": 1}


def test_weights_of_other_things_are_refused(options: SlideOptions, tmp_path: Path) -> None:
    add_detector(tmp_path, "fish")
    text = (tmp_path / "MANIFEST.yaml").read_text()
    (tmp_path / "MANIFEST.yaml").write_text(text.replace("- denticle", "- herring"))
    with pytest.raises(WeightsError, match=r"expected some of the classes .*herring.*class_map"):
        Networks(replace(options, weights="fish", models_dir=tmp_path))


def test_thresholds_and_skill_come_from_the_manifest(
    options: SlideOptions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_detector(tmp_path, "measured")
    text = (tmp_path / "MANIFEST.yaml").read_text()
    scores = "scores: {slides: {one: {confidence: 0.37, skill: {tooth: [18, 4, 3]}}}}"
    (tmp_path / "MANIFEST.yaml").write_text(text.replace("scores: {}", scores))
    wanted = replace(options, weights="measured", confidence="auto", models_dir=tmp_path)
    networks = Networks(wanted)
    assert networks.confidence == 0.37
    assert networks.skills()["tooth"].misses == 3
    assert Networks(replace(wanted, confidence=0.37)).skills() == networks.skills()
    assert Networks(replace(wanted, confidence=0.5)).skills() == {}
    assert "measured with confidence 0.37" in caplog.text
    assert Networks(options).skills() == {}
    assert Networks(replace(options, confidence="auto")).confidence == 0.3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"confidence": 0.0}, "confidence: expected auto, or 0.01 to 1"),
        ({"accept": 0.0}, "accept: expected above 0"),
        ({"overlap_px": 1200}, "overlap_px: expected 0 or more, below window_px 1200"),
        ({"um_per_px": 0.0}, "um_per_px: expected above 0"),
        ({"workers": 0}, "workers: expected 1 or more"),
        ({"max_shift_px": -1}, "max_shift_px: expected 0 or more"),
    ],
)
def test_options_beyond_their_range_are_refused(changed: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        SlideOptions(**changed)  # type: ignore[arg-type]

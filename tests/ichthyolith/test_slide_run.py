"""One slide from its tiles to its objects: each counted once, nothing worked out twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tinyslides import DISC_PX, TILE_PX, Disc, add_classifier, add_detector, draw_glass, draw_slide

from sonar_watch.detection.detections import Detections
from sonar_watch.detection.weights import read_manifest, write_manifest
from sonar_watch.errors import WeightsError
from sonar_watch.ichthyolith.ahead import read_ahead
from sonar_watch.ichthyolith.networks import Networks
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.records import Slide, SlideObject
from sonar_watch.ichthyolith.slides import SlideResult, count_slide
from sonar_watch.ichthyolith.stored import SlideRecord, code_of, record_path
from sonar_watch.ichthyolith.tree import read_tree

PLACES = {(0, 0): (0, 0), (0, 256): (7, 245), (256, 0): (251, 6), (256, 256): (259, 250)}
DISCS = [
    Disc("tooth", 100, 100), Disc("tooth", 300, 120), Disc("denticle", 250, 260),
    Disc("noise", 60, 250), Disc("tooth", 450, 200), Disc("tooth", 245, 400),
]
FOUND = {"tooth": 4, "denticle": 1}

Run = Callable[..., SlideResult]


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disc models")
    add_detector(folder)
    add_detector(folder, "keener", gain=1.1)
    add_classifier(folder)
    add_classifier(folder, "looks again", sharpness=20.0)
    return folder


@pytest.fixture
def options(models_dir: Path) -> SlideOptions:
    return SlideOptions(
        weights="discs", stages="one", confidence=0.3, window_px=TILE_PX, overlap_px=64,
        um_per_px=2.0, device="cpu", threads=1, models_dir=models_dir,
    )


@pytest.fixture
def tiles(tmp_path: Path) -> list[Path]:
    return draw_slide(tmp_path / "tiles" / "Site" / "S1" / "S1_001", DISCS, PLACES)


@pytest.fixture
def run(tmp_path: Path, options: SlideOptions) -> Run:
    """Return a function that runs the first slide as a process of its own would."""

    def again(chosen: SlideOptions = options) -> SlideResult:
        slides, _ = read_tree(tmp_path / "tiles")
        networks = Networks(chosen)
        try:
            return count_slide(slides[0], SlideRecord(tmp_path / "record.json"), networks, chosen)
        finally:
            networks.close()

    return again


def counts(result: SlideResult) -> dict[str, int]:
    names = [one.class_name for one in result.objects]
    return {name: names.count(name) for name in dict.fromkeys(sorted(names, reverse=True))}


def test_every_object_is_counted_once_wherever_tiles_lie(tiles: list[Path], run: Run) -> None:
    """The denticle lies where four tiles meet, which lie elsewhere than they say."""
    result = run()
    assert counts(result) == FOUND
    (denticle,) = (one for one in result.objects if one.class_name == "denticle")
    assert len(denticle.sightings) >= 3
    assert not any(one.cut for one in result.objects)
    boxes = np.array([one.slide_xyxy_px for one in result.objects])
    drawn = np.array([disc[1:] for disc in DISCS if disc.class_name != "noise"])
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    away = np.abs(centres[:, None] - drawn[None]).max(axis=-1)
    assert sorted(away.argmin(axis=0)) == list(range(len(drawn)))
    assert away.min(axis=0).max() < 12  # 4 of the network's grid, the rest of where (0, 0) lies


def test_without_registration_names_are_believed(
    tiles: list[Path], run: Run, options: SlideOptions
) -> None:
    result = run(replace(options, register=False))
    assert {one.placing for one in result.placed} == {"nominal"}
    assert [(one.y_px, one.x_px) for one in result.placed] == list(PLACES)


def test_lengths_are_those_of_the_discs(tiles: list[Path], run: Run) -> None:
    for one in run().objects:
        assert one.length_um == pytest.approx(2.0 * DISC_PX, rel=0.1)
        assert one.width_um == pytest.approx(2.0 * DISC_PX, rel=0.1)


@pytest.mark.parametrize("size_px", [TILE_PX, 1000])
def test_what_no_view_shows_whole_is_measured_in_pieces(
    tmp_path: Path, run: Run, options: SlideOptions, size_px: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As two tiles that overlap by half a disc, and as windows of one image, read in strips."""
    places = {(0, 0): (0, 0), (0, 290): (0, 290)} if size_px == TILE_PX else {(0, 0): (0, 0)}
    discs = [Disc("tooth", 305, 150), Disc("tooth", 100, 100)]
    draw_slide(tmp_path / "tiles" / "Site" / "S1" / "S1_001", discs, places, size_px=size_px)
    monkeypatch.setattr("sonar_watch.ichthyolith.regions.WHOLE_PX", TILE_PX**2)
    result = run(replace(options, register=False, overlap_px=30))
    assert [any(seen.cut for seen in one.sightings) for one in result.objects] == [False, True]
    assert not any(one.cut for one in result.objects)
    for one in result.objects:
        assert one.length_um == pytest.approx(2.0 * DISC_PX, rel=0.1)
        assert one.width_um == pytest.approx(2.0 * DISC_PX, rel=0.1)
    assert run(replace(options, register=False, overlap_px=30)).ran == {}


def test_what_is_known_is_not_worked_out_again(
    tiles: list[Path], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run()
    assert set(first.ran) == {"boxes", "places", "objects", "lengths"}
    # No pixel is needed: neither network nor reader may be asked.
    monkeypatch.setattr("sonar_watch.ichthyolith.networks.Detector", None)
    monkeypatch.setattr("sonar_watch.ichthyolith.sweep.read_tile", None)
    monkeypatch.setattr("sonar_watch.ichthyolith.regions.read_tile", None)
    second = run()
    assert second.ran == {}
    assert second.objects == first.objects
    assert second.placed == first.placed


@pytest.mark.parametrize(
    ("change", "ran", "because"),
    [
        ({"confidence": 0.75}, {"objects"}, "confidence: 0.3 -> 0.75"),
        ({"confidence": 0.2}, {"objects"}, "confidence: 0.3 -> 0.2"),
        ({"join": 0.9}, {"objects"}, "join: 0.5 -> 0.9"),
        ({"iou": 0.4}, {"boxes"}, "iou: 0.5 -> 0.4"),
        ({"search": "everywhere"}, {"boxes", "objects"}, 'search: "particles" -> "everywhere"'),
        ({"weights": "keener"}, {"boxes", "objects"}, "weights:"),
        ({"max_shift_px": 30}, {"places", "objects"}, "max_shift_px: 40 -> 30"),
        ({"um_per_px": 1.0}, set(), ""),
        ({"workers": 1, "batch": 1}, set(), ""),
    ],
)
def test_what_changed_is_run_again_and_only_that(
    tiles: list[Path], run: Run, options: SlideOptions, change: dict[str, object],
    ran: set[str], because: str,
) -> None:
    run()
    result = run(replace(options, **change))  # type: ignore[arg-type]
    assert set(result.ran) - {"lengths"} == ran
    assert any(because in reason for _, reason in result.ran.values()) or not because
    fresh = SlideRecord(Path("nowhere"))
    slides, _ = read_tree(tiles[0].parents[3])
    networks = Networks(replace(options, **change))  # type: ignore[arg-type]
    fresh.save = lambda: None  # type: ignore[method-assign]
    other = count_slide(slides[0], fresh, networks, replace(options, **change))  # type: ignore[arg-type]
    assert other.objects == result.objects


def test_who_asks_for_less_need_not_look_again(
    tiles: list[Path], run: Run, options: SlideOptions
) -> None:
    fresh = run()
    assert run(replace(options, confidence=0.02)).ran["boxes"][1] == "floor: 0.05 -> 0.02"
    less = run()
    assert set(less.ran) - {"lengths"} == {"objects"}
    assert less.objects == fresh.objects
    cv2.imwrite(str(tiles[0]), cv2.imread(str(tiles[0]))[::-1])
    assert run().ran["boxes"] == (4, "floor: 0.02 -> 0.05")


def test_a_class_by_another_name_in_the_manifest_is_a_change(
    tiles: list[Path], run: Run, options: SlideOptions, tmp_path: Path
) -> None:
    run()
    models = tmp_path / "models"
    add_detector(models)
    known = read_manifest(models)["discs"]
    named = replace(known, class_map={"denticle": "sawtoothed"})
    write_manifest(models, {"discs": named})
    result = run(replace(options, models_dir=models))
    assert "classes:" in result.ran["boxes"][1]
    assert counts(result) == {"tooth": 4, "sawtoothed": 1}


def test_the_classifier_rejects_what_the_detector_mistook(
    tmp_path: Path, run: Run, options: SlideOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    discs = [Disc("tooth", 100, 100), Disc("fake", 220, 120), Disc("denticle", 160, 240)]
    draw_slide(tmp_path / "tiles" / "Site" / "S1" / "S1_001", discs, {(0, 0): (0, 0)})
    assert counts(run()) == {"tooth": 2, "denticle": 1}
    two = replace(options, stages="two", classifier="looks")
    result = run(two)
    assert counts(result) == {"tooth": 1, "noise": 1, "denticle": 1}
    assert set(result.ran) == {"classes"}
    (fake,) = (one for one in result.objects if one.class_name == "noise")
    assert fake.detector_class == "tooth"
    assert fake.confidence > 0.8
    other = run(replace(two, classifier="looks again"))
    assert (other.ran["classes"][0], set(other.ran)) == (3, {"classes"})
    assert "classifier:" in other.ran["classes"][1]
    # Probabilities are kept: what is let through is decided without any network.
    monkeypatch.setattr("sonar_watch.ichthyolith.networks.CropClassifier", None)
    lenient = run(replace(two, classifier="looks again", accept=0.01))
    assert lenient.ran == {}
    assert counts(lenient) == {"tooth": 2, "denticle": 1}


def test_a_classifier_that_cannot_be_opened_ends_the_run(
    tiles: list[Path], run: Run, options: SlideOptions, models_dir: Path
) -> None:
    add_classifier(models_dir, "broken")
    (models_dir / "broken.bin").write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"broken\.bin: expected sha256"):
        run(replace(options, stages="two", classifier="broken"))


def test_one_changed_tile_is_looked_at_alone(tiles: list[Path], run: Run) -> None:
    run()
    image = cv2.imread(str(tiles[3]))
    cv2.circle(image, (250, 250), DISC_PX // 2, (0, 135, 135), -1)
    assert cv2.imwrite(str(tiles[3]), image)
    result = run()
    assert result.ran["boxes"] == (1, "its pixels changed")
    assert counts(result)["tooth"] == FOUND["tooth"] + 1


def test_touched_files_are_not_run_again(tiles: list[Path], run: Run) -> None:
    run()
    for tile in tiles:
        tile.write_bytes(tile.read_bytes())
    assert run().ran == {}


def test_a_tile_that_is_gone_is_forgotten(tiles: list[Path], run: Run, tmp_path: Path) -> None:
    run()
    tiles[0].unlink()
    result = run()
    assert set(result.ran) == {"places", "objects"} | (set(result.ran) & {"lengths"})
    assert result.scan.missing_tiles == 1
    record = json.loads((tmp_path / "record.json").read_text())
    assert len(record["steps"]["boxes"]["parts"]) == 3


def looks(tmp_path: Path) -> tuple[set[str], set[str]]:
    """Return what is kept of second looks, and the boxes that are kept."""
    steps = json.loads((tmp_path / "record.json").read_text())["steps"]
    boxes = {
        f"{image} {' '.join(f'{side:g}' for side in row[:4])}"
        for image, part in steps["boxes"]["parts"].items() for row in part["result"]["boxes"]
    }  # fmt: skip
    return {*steps["lengths"]["parts"], *steps["classes"]["parts"]}, boxes


def test_looks_at_boxes_that_are_gone_are_forgotten(
    tiles: list[Path], run: Run, options: SlideOptions, tmp_path: Path
) -> None:
    two = replace(options, stages="two", classifier="looks")
    run(two)
    before, _ = looks(tmp_path)
    run(replace(two, confidence=0.6))
    assert looks(tmp_path)[0] == before  # those of a lower threshold may be asked for again
    tiles[0].unlink()
    result = run(two)
    seen, boxes = looks(tmp_path)
    assert result.objects
    assert seen <= boxes
    assert not before <= boxes


def test_looks_at_a_tile_that_is_away_are_kept(
    tiles: list[Path], run: Run, options: SlideOptions, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two = replace(options, stages="two", classifier="looks")
    run(two)
    before, _ = looks(tmp_path)
    content_of = SlideRecord.content_of

    def share_is_away(record, tile):  # type: ignore[no-untyped-def]
        if tile.path == tiles[1]:
            raise OSError("stale file handle")
        return content_of(record, tile)

    with monkeypatch.context() as patched:
        patched.setattr(SlideRecord, "content_of", share_is_away)
        assert len(run(two).problems) == 1
    assert before <= looks(tmp_path)[0]


def test_a_broken_tile_is_told_and_the_rest_goes_on(
    tiles: list[Path], run: Run, tmp_path: Path
) -> None:
    content = tiles[0].read_bytes()
    half = len(content) // 2
    tiles[0].write_bytes(content[:half] + bytes(200) + content[half + 200 :])
    result = run()
    assert [problem.image for problem in result.problems] == ["Site/S1/S1_001/S1_001_0_0.png"]
    assert result.scan.broken_tiles == 1
    assert result.scan.tiles == 3
    assert result.scan.coverage == 0.75
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["steps"]["objects"]["inputs"]["slack_px"] == 4.0  # the others were registered
    assert counts(result)["tooth"] == FOUND["tooth"] - 1
    again = run()
    assert again.ran == {}
    assert again.problems == result.problems
    tiles[0].write_bytes(content)
    assert counts(run()) == FOUND


def test_a_tile_that_cannot_be_read_now_is_tried_again(
    tiles: list[Path], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sonar_watch.ichthyolith import sweep

    read_tile = sweep.read_tile

    def share_is_away(tile):  # type: ignore[no-untyped-def]
        if tile.path == tiles[1]:
            raise OSError("stale file handle")
        return read_tile(tile)

    with monkeypatch.context() as patched:
        patched.setattr(sweep, "read_tile", share_is_away)
        result = run()
        assert [problem.reason for problem in result.problems] == ["stale file handle"]
    result = run()
    assert result.ran["boxes"] == (1, "not looked at before")
    assert result.problems == ()
    assert counts(result) == FOUND


def test_a_large_image_is_seen_in_strips_and_gives_the_same(
    tmp_path: Path, run: Run, options: SlideOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tiles" / "Site" / "S2" / "S2_001"
    folder.mkdir(parents=True)
    assert cv2.imwrite(str(folder / "S2_001.png"), draw_glass(570, 579, DISCS))
    whole = run()
    assert counts(whole) == FOUND
    (tmp_path / "record.json").unlink()
    monkeypatch.setattr("sonar_watch.ichthyolith.regions.WHOLE_PX", 1000)
    monkeypatch.setattr("sonar_watch.ichthyolith.sweep.read_tile", None)
    monkeypatch.setattr("sonar_watch.ichthyolith.regions.read_tile", None)
    assert run().objects == whole.objects


def test_a_sliver_that_rounding_leaves_nothing_of_is_no_object(
    tiles: list[Path], options: SlideOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crop of it cannot be cut out: it would end the run of all slides."""

    class Sliver:
        def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
            row = [TILE_PX - 0.003, 20.0, TILE_PX + 9.0, 60.0, 0.9, 0.0]
            return [Detections.from_rows(np.array([row], np.float32), ("tooth",)) for _ in images]

        def close(self) -> None: ...

    monkeypatch.setattr("sonar_watch.ichthyolith.networks.Networks.open_detector",
                        lambda self: Sliver())  # fmt: skip
    slides, _ = read_tree(tiles[0].parents[3])
    two = replace(options, stages="two", classifier="looks")
    record = SlideRecord(Path("nowhere"))
    record.save = lambda: None  # type: ignore[method-assign]
    assert count_slide(slides[0], record, Networks(two), two).objects == ()


def test_progress_ends_at_the_number_of_windows(
    tiles: list[Path], options: SlideOptions, tmp_path: Path
) -> None:
    tiles[0].write_bytes(tiles[0].read_bytes()[:-3000] + bytes(3000))
    slides, _problems = read_tree(tmp_path / "tiles")
    for _ in range(2):
        done: list[int] = []
        record = SlideRecord(tmp_path / "record.json")
        count_slide(slides[0], record, Networks(options), options, done.append)
        assert sum(done) == len(slides[0].tiles)


def test_ids_stay_when_the_threshold_changes(
    tiles: list[Path], run: Run, options: SlideOptions
) -> None:
    def ids(objects: tuple[SlideObject, ...]) -> set[str]:
        return {one.object_id for one in objects}

    strict = run(replace(options, confidence=0.74))
    assert 0 < len(strict.objects) < 5
    assert ids(strict.objects) < ids(run().objects)


def test_a_damaged_record_is_done_anew(
    tiles: list[Path], run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = run()
    (tmp_path / "record.json").write_text('{"schema": "sonar_watch.slide/1", "fil')
    assert run().objects == first.objects
    assert "not readable, all of it is done anew" in caplog.text


def test_records_have_files_of_their_own(tmp_path: Path) -> None:
    names = ["a", "A", "a/b", "a%2Fb", "", ".", "..", "a b", "ä", ".hidden"]
    paths = {
        record_path(tmp_path, Slide(site=one, sample="s", slide=other, tiles=()))
        for one in names for other in names
    }
    assert len(paths) == len(names) ** 2
    for path in paths:
        assert path.resolve().is_relative_to(tmp_path)
        assert not any(part.startswith(".") for part in path.relative_to(tmp_path).parts)


def test_the_program_s_own_change_is_a_reason() -> None:
    assert code_of("ichthyolith.sweep") != code_of("ichthyolith.joining")
    assert code_of("ichthyolith") not in (code_of("ichthyolith.sweep"), code_of("detection"))


def test_reading_ahead_keeps_order_and_bounds() -> None:
    started: list[int] = []

    def read(item: int) -> int:
        started.append(item)
        if item == 5:
            raise ValueError("five")
        return item * item

    values = []
    for item, value in read_ahead(range(20), read, 3, (ValueError,)):
        assert len(started) <= item + 1 + 6
        values.append(value)
    assert [str(value) for value in values[:7]] == ["0", "1", "4", "9", "16", "five", "36"]
    with pytest.raises(ValueError, match="five"):
        list(read_ahead(range(20), read, 3))

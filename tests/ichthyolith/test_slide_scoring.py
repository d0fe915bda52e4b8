"""Objects of a run beside labels: what counts, what does not, and how sure that is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from realdata import real_data

from sonar_watch.cli import main
from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.ichthyolith.judging import judged_by_labels
from sonar_watch.ichthyolith.labels import LabelledObject, LabelledTile, read_labels
from sonar_watch.ichthyolith.records import ICHTHYOLITHS, Box, Sighting, SlideObject
from sonar_watch.ichthyolith.scoring import ScoringOptions, score_slides
from sonar_watch.ichthyolith.tables import write_detections
from sonar_watch.images import write_png

TOOTH: Box = (100, 100, 200, 180)
OTHER: Box = (400, 400, 460, 520)
AWAY: Box = (800, 800, 900, 900)


def make_object(
    xyxy: Box = TOOTH, name: str = "tooth", confidence: float = 0.9, *,
    image: str = "a/b/001/one.jpg", also: tuple[tuple[str, Box], ...] = (), object_id: str = "",
) -> SlideObject:
    """Return an object seen in one tile, and in those of `also`."""
    best = Sighting(image=image, xyxy_px=xyxy, confidence=confidence, class_name=name)
    others = tuple(replace(best, image=other, xyxy_px=box) for other, box in also)
    return SlideObject(
        object_id=object_id or f"{image} {xyxy}", site="a", sample="b", slide="001",
        class_name=name, confidence=confidence, best=best, sightings=(best, *others),
        slide_xyxy_px=xyxy, detector_class=name, detector_confidence=confidence,
    )


def make_tile(*objects: LabelledObject, image: str = "a/b/001/one.jpg") -> LabelledTile:
    site, sample, slide, _ = image.split("/")
    return LabelledTile(image=image, site=site, sample=sample, slide=slide, objects=objects)


def label(xyxy: Box = TOOTH, name: str = "tooth", **more: bool) -> LabelledObject:
    return LabelledObject(xyxy_px=xyxy, class_name=name, **more)


def counts(scores, name: str = "all") -> tuple[int, int, int]:
    one = scores.of(name)
    return one.truths, one.found, one.hits


def test_found_missed_and_false() -> None:
    tile = make_tile(label(), label(OTHER, "denticle"))
    scores = score_slides([make_object(), make_object(AWAY, "denticle")], [tile])
    assert counts(scores) == (2, 2, 1)
    assert counts(scores, "tooth") == (1, 1, 1)
    assert counts(scores, "denticle") == (1, 1, 0)
    one = scores.of("all")
    assert (one.precision, one.recall, one.f1) == (0.5, 0.5, 0.5)
    nothing = scores.of("sawtoothed")
    assert (nothing.precision, nothing.recall, nothing.f1) == (None, None, None)
    assert nothing.recall_95 == (0.0, 1.0)


def test_overlap_decides() -> None:
    moved = (TOOTH[0] + 30, TOOTH[1], TOOTH[2] + 30, TOOTH[3])  # shares 70 of 130 px: 0.54
    assert counts(score_slides([make_object(moved)], [make_tile(label())])) == (1, 1, 1)
    strict = ScoringOptions(iou=0.6)
    assert counts(score_slides([make_object(moved)], [make_tile(label())], strict)) == (1, 1, 0)


def test_a_second_box_on_a_tooth_is_false() -> None:
    nearly = (TOOTH[0] + 2, *TOOTH[1:])
    found = [make_object(nearly, confidence=0.5), make_object()]
    assert counts(score_slides(found, [make_tile(label())])) == (1, 2, 1)


def test_the_wrong_class_is_wrong_twice_but_right_as_any() -> None:
    scores = score_slides([make_object(name="denticle")], [make_tile(label())])
    assert counts(scores) == (1, 1, 0)
    assert counts(scores, "any") == (1, 1, 1)
    assert scores.confusion["tooth", "denticle"] == 1
    assert sum(scores.confusion.values()) == 1


def test_what_is_unsure_counts_neither_way_whatever_it_is_called() -> None:
    tile = make_tile(label(sure=False), label(OTHER))
    for name in ICHTHYOLITHS:
        scores = score_slides([make_object(name=name)], [tile])
        assert counts(scores) == counts(scores, "any") == (1, 0, 0)
        assert scores.of(name).found == 0
        assert scores.confusion["nothing", name] == 0
    assert scores.unsure == 1


def test_what_was_rejected_is_not_found() -> None:
    rejected = replace(make_object(), class_name="noise", confidence=0.8)
    tile = make_tile(label())
    assert counts(score_slides([rejected], [tile])) == (1, 0, 0)
    before = ScoringOptions(stage="detector")
    assert counts(score_slides([rejected], [tile], before)) == (1, 1, 1)


def test_a_threshold_is_kept_to_the_last_bit() -> None:
    found = [make_object(confidence=0.7), make_object(AWAY, confidence=0.3)]
    for confidence, expected in ((0.0, 2), (0.3, 2), (0.31, 1), (0.7, 1), (0.71, 0)):
        scores = score_slides(found, [make_tile(label())], ScoringOptions(confidence=confidence))
        assert scores.of("all").found == expected
        assert sum(often for (_, name), often in scores.confusion.items()
                   if name != "nothing") == expected
    assert (scores.of("all").best_f1, scores.of("all").best_confidence) == (
        1.0, pytest.approx(0.7)
    )


def test_an_object_on_two_tiles_is_false_once_and_only_if_true_nowhere() -> None:
    other = "a/b/001/two.jpg"
    tiles = [make_tile(label()), make_tile(image=other)]
    right = make_object(also=((other, (0, 100, 40, 180)),))
    assert counts(score_slides([right], tiles)) == (1, 1, 1)
    wrong = make_object(AWAY, also=((other, (0, 100, 40, 180)),))
    assert counts(score_slides([wrong], tiles)) == (1, 1, 0)
    twice_in_one = make_object(also=(("a/b/001/one.jpg", (100, 100, 150, 180)),))
    assert counts(score_slides([twice_in_one], tiles)) == (1, 1, 1)


def test_cut_labels_are_asked_for_unless_told_otherwise() -> None:
    tile = make_tile(label((0, 100, 60, 180), cut=True))
    asked = make_object((0, 102, 58, 180))
    assert counts(score_slides([asked], [tile])) == (1, 1, 1)
    assert counts(score_slides([], [tile])) == (1, 0, 0)
    ignoring = ScoringOptions(cut="ignored")
    assert counts(score_slides([asked], [tile], ignoring)) == (0, 0, 0)
    assert counts(score_slides([], [tile], ignoring)) == (0, 0, 0)


def test_tiles_are_known_by_path_or_by_a_name_that_is_unique() -> None:
    tile = make_tile(label())
    moved = make_object(image="elsewhere/one.jpg")
    assert counts(score_slides([moved], [tile])) == (1, 1, 1)
    unlabelled = make_object(image="a/b/001/three.jpg")
    scores = score_slides([unlabelled, moved], [tile])
    assert (scores.elsewhere, scores.of("all").found) == (1, 1)
    with pytest.raises(ConfigurationError, match=r"labelled tiles such as a/b/001/one\.jpg"):
        score_slides([unlabelled], [tile])
    twins = [tile, make_tile(label(), image="a/b/002/one.jpg")]
    with pytest.raises(ConfigurationError, match="received 1 on others"):
        score_slides([moved], twins)
    with pytest.raises(ConfigurationError, match="expected labelled tiles, received none"):
        score_slides([], [])


def test_intervals_go_by_slide() -> None:
    tiles = [make_tile(label(), label(OTHER), image=f"a/b/00{number}/one.jpg")
             for number in range(6)]
    found = [make_object(box, image=tile.image) for tile in tiles for box in (TOOTH, OTHER)]
    whole, half = score_slides(found, tiles), score_slides(found[:6], tiles)
    assert whole.of("tooth").f1_95 == (1.0, 1.0)
    low, high = half.of("tooth").f1_95
    assert low < 0.35 < half.of("tooth").f1 < 0.85 < high  # slides are all or nothing here
    assert half.of("tooth").recall_95 == pytest.approx((0.254, 0.746), abs=0.001)
    assert score_slides(found[:2], tiles[:1]).of("tooth").f1_95 == (0.0, 1.0)


def test_the_order_of_objects_does_not_matter_and_tables_add_up() -> None:
    random = np.random.default_rng(3)
    tiles, found = [], []
    for number in range(20):
        image = f"a/b/{number:03}/one.jpg"
        boxes = [(x, y, x + 40, y + 60) for x, y in random.uniform(0, 900, (6, 2)).tolist()]
        names = random.choice(ICHTHYOLITHS, 6)
        tiles.append(make_tile(*(label(box, str(name), sure=bool(random.random() < 0.8))
                                 for box, name in zip(boxes, names, strict=True)), image=image))
        for box in boxes[:4]:
            shift = random.normal(0, 6, 2)
            moved = tuple(float(edge + shift[place % 2]) for place, edge in enumerate(box))
            found.append(make_object(moved, str(random.choice(ICHTHYOLITHS)),
                                     float(random.uniform(0.1, 1)), image=image))
    scores = score_slides(found, tiles)
    assert score_slides([found[one] for one in random.permutation(len(found))], tiles) == scores
    for name in (*ICHTHYOLITHS,):
        truths = sum(often for (there, _), often in scores.confusion.items() if there == name)
        assert truths == scores.of(name).truths
        right = scores.confusion[name, name]
        assert right <= scores.of("any").hits
    assert scores.of("all").truths == sum(scores.of(name).truths for name in ICHTHYOLITHS)
    assert 0 < scores.of("all").hits < scores.of("any").hits


@pytest.mark.parametrize(
    ("text", "message"),
    [("{}", "expected a list of tiles, received dict"), ("[{", "Expecting property name"),
     ('[{"image": "a"}]', r"labels\.json tile 1: expected a tile's labels: KeyError 'objects'"),
     ('[{"image": "a", "objects": [{"box": [3, 0, 1, 2], "class": "tooth"}]}]',
      "expected left < right"),
     ('[{"image": "a", "objects": [{"box": [0, 0, 1, 2], "class": "shark"}]}]',
      "class: expected one of .* received 'shark'"),
     ('[{"image": "a", "objects": [{"box": [0, 0, 1, 2], "class": "tooth", "certainty": "?"}]}]',
      "certainty: expected sure or unsure")],
)
def test_broken_labels_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_labels(tmp_path)


def test_no_labels_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"labels\.json: expected the labels"):
        read_labels(tmp_path)
    with pytest.raises(ConfigurationError, match="iou: expected above 0"):
        ScoringOptions(iou=0)


def test_the_real_labels() -> None:
    tiles = read_labels(real_data("slides"))
    nothing, perfect = score_slides([], tiles), score_slides(
        [make_object(one.xyxy_px, one.class_name, image=tile.image)
         for tile in tiles for one in tile.objects], tiles,
    )
    assert (perfect.tiles, perfect.unsure) == (29, 24)
    for name, truths in (("tooth", 21), ("denticle", 4), ("sawtoothed", 1), ("all", 26)):
        assert counts(perfect, name) == (truths, truths, truths)
        assert counts(nothing, name) == (truths, 0, 0)
    assert perfect.of("tooth").recall_95[0] == pytest.approx(0.845, abs=0.001)


def test_labels_say_what_a_run_found() -> None:
    tile = make_tile(label(), label(OTHER, "denticle"), label(AWAY, sure=False),
                     label((600, 600, 640, 640), "sawtoothed"))
    right = make_object((102, 100, 200, 180), "denticle", 0.2)
    false = make_object((300, 300, 340, 340))
    half = make_object((150, 100, 250, 180))  # shares a third: nobody can say
    unsure, unlabelled = make_object(AWAY), make_object(image="a/b/009/x.jpg")
    judged = judged_by_labels([right, false, half, unsure, unlabelled], [tile])
    assert all(one.reviewed for one in judged)
    assert [(one.object_id, one.class_name) for one in judged] == [
        (right.object_id, "tooth"), (false.object_id, "noise"),
        ("label-one-1", "denticle"), ("label-one-3", "sawtoothed"),
    ]
    assert judged[2].best.xyxy_px == OTHER


def write_labels(folder: Path) -> None:
    tiles = [{"image": f"a/b/{slide}/{slide}.jpg", "site": "a", "sample": "b", "slide": slide,
              "objects": [{"box": TOOTH, "class": "tooth", "certainty": "sure", "cut": False}]}
             for slide in ("001", "002")]
    (folder / "labels.json").write_text(json.dumps(tiles))


def test_runs_beside_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_labels(tmp_path)
    first, second = (make_object(image=f"a/b/{one}/{one}.jpg", object_id=one)
                     for one in ("001", "002"))
    rejected = replace(second, class_name="noise")
    for name, objects in (("first", [first]), ("second", [second]), ("two", [first, rejected])):
        write_detections(tmp_path / f"{name}.csv", objects)
    pooled = f"folds={tmp_path / 'first.csv'},{tmp_path / 'second.csv'}"
    words = ["evaluate", "--slides", str(tmp_path), "--detections", pooled]
    assert main([*words, str(tmp_path / "two.csv")]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {(row["run"], row["stage"]): (row["found"], row["recall"])
            for row in rows if row.get("class") == "tooth"}
    assert told == {("folds", "final"): (2, 1.0), ("two", "final"): (1, 0.5),
                    ("two", "detector"): (2, 1.0)}
    tables = [row["confusion"] for row in rows if "confusion" in row]
    assert [table["tooth"]["nothing"] for table in tables] == [0, 1, 0]
    assert main([*words, "--only", "002"]) == 0
    assert '"truths":1' in capsys.readouterr().out


def test_hard_cases_become_crops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_labels(tmp_path)
    for slide in ("001", "002"):
        (tmp_path / "a" / "b" / slide).mkdir(parents=True)
        write_png(tmp_path / "a" / "b" / slide / f"{slide}.jpg", np.full((300, 300, 3), 130, "u1"))
    found = [make_object(TOOTH, image="a/b/001/001.jpg", object_id="1"),
             make_object((10, 200, 60, 250), image="a/b/001/001.jpg", object_id="2")]
    write_detections(tmp_path / "a.csv", found)
    words = ["evaluate", "--slides", str(tmp_path), "--detections", str(tmp_path / "a.csv")]
    assert main([*words, "--crops", str(tmp_path / "crops")]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["crops"] == {
        "tooth": 2, "denticle": 0, "sawtoothed": 0, "noise": 1,
    }
    written = sorted(path.relative_to(tmp_path / "crops").as_posix()
                     for path in (tmp_path / "crops").rglob("*.png"))
    assert written == ["noise/a-b-001__2.png", "tooth/a-b-001__1.png",
                       "tooth/a-b-002__label-002-0.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--detections", "{0}/a.csv", "{0}/a.csv"], "two runs are called 'a'"),
     (["--detections", "{0}/a.csv,{0}/b.csv"], "expected files of different tiles"),
     (["--detections", "{0}/c.csv"], "no such file"), ([], "--slides: expected --detections"),
     (["--detections", "{0}/a.csv", "--only", "9"], "--only 9: expected slides"),
     (["--detections", "{0}/a.csv", "--radius", "9"], "--radius: without effect on slides")],
)
def test_what_cannot_be_scored_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    write_labels(tmp_path)
    for name in ("a", "b"):
        write_detections(tmp_path / f"{name}.csv", [make_object(image="a/b/001/001.jpg")])
    given = [word.format(tmp_path) for word in words]
    assert main(["evaluate", "--slides", str(tmp_path), *given]) == 78
    assert message in capsys.readouterr().err


def test_a_gallery_of_what_was_right_false_and_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles, random = tmp_path / "tiles", np.random.default_rng(3)
    image = "a/b/001/b_001_0_0.jpg"
    (tiles / image).parent.mkdir(parents=True)
    import cv2

    cv2.imwrite(str(tiles / image), random.integers(90, 160, (1200, 1200, 3), np.uint8))
    (tiles / "labels.json").write_text(json.dumps([{
        "image": image, "site": "a", "sample": "b", "slide": "001", "objects": [
            {"box": box, "class": name, "certainty": "sure", "cut": False}
            for box, name in ((TOOTH, "tooth"), (OTHER, "denticle"), (AWAY, "tooth"))],
    }]))  # fmt: skip
    found = [make_object(image=image), make_object(OTHER, image=image),
             make_object((10, 10, 60, 60), image=image),
             make_object((600, 10, 660, 60), "noise", image=image)]
    write_detections(tmp_path / "detections.csv", found)
    words = ["evaluate", "--slides", str(tiles), "--detections", str(tmp_path / "detections.csv")]
    for plots, confidence, there in (
        ("all", [], ["hits", "false_alarms", "missed"]),
        ("all", ["--confidence", "0.95"], ["missed"]),  # those of before are gone
    ):
        assert main([*words, *confidence, "--plots", str(tmp_path / plots)]) == 0
        drawn = [Path(one) for row in capsys.readouterr().out.splitlines()
                 for one in json.loads(row).get("plots", [])]
        assert [path.stem for path in drawn] == there
        assert sorted(path.stem for path in (tmp_path / plots).iterdir()) == sorted(there)
        widths = {cv2.imread(str(path)).shape[1] for path in drawn}
        assert len(widths) == 1


def test_what_a_gallery_tells_of_each() -> None:
    from sonar_watch.ichthyolith.score_gallery import FALSE, HITS, MISSED, grouped

    tile = make_tile(label(), label(OTHER, "denticle"), label(AWAY), label((600, 600, 700, 700)))
    false = (10.0, 10.0, 60.0, 60.0)
    groups = grouped([
        make_object(), make_object(OTHER, confidence=0.7), make_object(false, "sawtoothed"),
        make_object(AWAY, "noise", 0.2), make_object((300, 10, 340, 50), "noise"),
    ], [tile])  # fmt: skip
    told = {name: [(one.best.xyxy_px, one.confidence, said) for one, said in group]
            for name, group in groups.items()}
    assert told == {
        HITS: [(TOOTH, 0.9, "tooth")],
        FALSE: [(OTHER, 0.7, "tooth, is denticle"), (false, 0.9, "sawtoothed")],
        MISSED: [(AWAY, 0.2, "rejected tooth"), ((600, 600, 700, 700), 0.0, "tooth")],
    }

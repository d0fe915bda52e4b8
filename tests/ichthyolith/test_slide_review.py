"""What a person says of objects: read, applied, found again; and the folder of the gallery."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from review_builders import make_file, make_object, make_review, make_tile, make_verdict

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.ichthyolith.records import Box, SlideObject
from sonar_watch.ichthyolith.review import (
    GalleryOptions,
    apply_verdicts,
    join_reviews,
    read_verdicts,
    uncertainty,
    write_gallery,
)
from sonar_watch.images import read_image


def study_of(page: Path) -> dict[str, Any]:
    """What the page is told, its rows as mappings."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script id="study" type="application/json">(.*?)</script>', text, re.S)
    assert found
    study: dict[str, Any] = json.loads(found[1])
    study["rows"] = [dict(zip(study["columns"], row, strict=True)) for row in study["rows"]]
    return study


def test_reads_what_a_page_saved(tmp_path: Path) -> None:
    path = make_file(
        tmp_path / "v.json", {"object_id": "b", "earlier": True}, {"class": "unsure"}, objects=12
    )
    review = read_verdicts(path)
    assert (review.reviewer, review.objects) == ("A. Name", 12)
    assert [(one.object_id, one.class_name, one.earlier) for one in review.verdicts] == [
        ("b", "noise", True), ("a", "unsure", False)]  # fmt: skip
    assert review.verdicts[0].xyxy_px == (10.0, 10.0, 50.0, 30.0)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"class": "fish"}, "verdict 1: class: expected one of tooth, denticle"),
        ({"seen_class": "unsure"}, "seen_class: expected one of tooth"),
        ({"object_id": ""}, "object_id: expected a name"),
        ({"image": 3}, "image: expected a name, received 3"),
        ({"xyxy_px": [1, 2, 3]}, "xyxy_px: expected left, top, right, bottom"),
        ({"xyxy_px": [50, 10, 10, 30]}, "xyxy_px: expected left, top, right, bottom"),
        ({"xyxy_px": [1, 2, "3", 4]}, "xyxy_px: expected left, top, right, bottom"),
        ({"xyxy_px": [float("nan"), 2, 3, 4]}, "xyxy_px: expected left, top, right, bottom"),
    ],
)
def test_names_the_broken_verdict(row: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = make_file(tmp_path / "v.json", row)
    with pytest.raises(FormatError, match=says) as caught:
        read_verdicts(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "expected verdicts of a gallery"),
        ("[]", "schema: expected sonar_watch.slide_verdicts/1, received 'list'"),
        ('{"schema": "other/1"}', "received 'other/1'"),
        ('{"schema": "sonar_watch.slide_verdicts/1"}', "verdicts: expected a list"),
        ('{"schema": "sonar_watch.slide_verdicts/1", "verdicts": [7]}', "expected an object"),
    ],
)
def test_refuses_other_files(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=says):
        read_verdicts(path)


def test_refuses_two_verdicts_of_one_object(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="one verdict of each object, two of a"):
        read_verdicts(make_file(tmp_path / "v.json", {}, {"class": "tooth"}))
    with pytest.raises(FormatError, match="expected verdicts of a gallery"):
        read_verdicts(tmp_path / "none.json")


def test_the_last_file_counts_but_not_what_it_only_took_over() -> None:
    first = make_review(make_verdict(1, "tooth"), make_verdict(2, "noise"), reviewer="A")
    second = make_review(
        make_verdict(1, "denticle"),
        make_verdict(2, "tooth", earlier=True),
        make_verdict(3, "noise", earlier=True),
        reviewer="B",
    )
    joined = join_reviews([first, second])
    assert [one.class_name for one in joined.verdicts] == ["denticle", "noise", "noise"]
    assert joined.reviewer == "A, B"


def test_applies_by_name_and_says_what_it_did() -> None:
    objects = [
        make_object(number, box=(60 * number, 0, 60 * number + 40, 40)) for number in range(5)
    ]
    said = [
        make_verdict(0, "tooth"),
        make_verdict(1, "noise"),
        make_verdict(2, "denticle"),
        make_verdict(3, "unsure"),
        make_verdict(99, "noise", image="elsewhere.png"),
    ]
    applied = apply_verdicts(objects, said)
    assert [one.class_name for one in applied.objects] == [
        "tooth", "noise", "denticle", "tooth", "tooth"]  # fmt: skip
    assert [one.reviewed for one in applied.objects] == [True, True, True, False, False]
    assert [one.confidence for one in applied.objects] == [1.0, 1.0, 1.0, 0.7, 0.7]
    assert applied.objects[1].detector_class == "tooth"
    assert (applied.accepted, applied.rejected, applied.changed) == (1, 1, 1)
    assert applied.unsure == {objects[3].object_id}
    assert [one.object_id for one in applied.unmatched] == [said[-1].object_id]
    assert applied.objects[3:] == tuple(objects[3:])
    assert objects[0].reviewed is False


def test_applying_twice_changes_nothing_more() -> None:
    objects = [make_object(number) for number in range(3)]
    said = [make_verdict(0, "noise"), make_verdict(2, "sawtoothed")]
    once = apply_verdicts(objects, said)
    assert apply_verdicts(once.objects, said).objects == once.objects


def test_finds_objects_again_that_other_weights_drew_anew() -> None:
    """Names are made of boxes: when those move a little, place tells."""
    objects = [
        make_object(7, boxes=[("far.png", (0, 0, 9, 9)), ("t.png", (12, 9, 51, 30))]),
        make_object(8, image="t.png", box=(30, 30, 70, 50)),
        make_object(9, image="other.png", box=(10, 10, 50, 30)),
    ]
    said = [
        make_verdict(1, "denticle", image="t.png"),
        make_verdict(2, "noise", image="t.png", xyxy_px=(200.0, 200.0, 240.0, 240.0)),
    ]
    applied = apply_verdicts(objects, said)
    assert [one.class_name for one in applied.objects] == ["denticle", "tooth", "tooth"]
    assert (applied.by_place, applied.changed) == (1, 1)
    assert applied.unmatched == (said[1],)


def test_no_object_takes_two_verdicts_and_a_name_goes_first() -> None:
    named = make_object(1, image="t.png", box=(10, 10, 50, 30))
    beside = make_object(5, image="t.png", box=(11, 10, 51, 30))
    said = [
        make_verdict(1, "noise", image="t.png"),
        make_verdict(2, "denticle", image="t.png"),
        make_verdict(3, "sawtoothed", image="t.png", xyxy_px=(16.0, 10.0, 56.0, 30.0)),
    ]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        applied = apply_verdicts([named, beside], [said[place] for place in order])
        assert [one.class_name for one in applied.objects] == ["noise", "denticle"]
        assert applied.unmatched == (said[2],)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"confidence": 0.3}, 1.0),
        ({"confidence": 1.0}, 0.0),
        ({"confidence": 0.15}, 0.5),
        ({"confidence": 0.65}, 0.5),
        ({"confidence": 0.95, "detector_class": "denticle", "detector_confidence": 0.8}, 0.8),
        ({"confidence": 0.3, "reviewed": True}, 0.0),
    ],
)
def test_doubt_is_greatest_at_the_threshold_and_where_networks_differ(
    said: dict[str, Any], expected: float
) -> None:
    assert uncertainty(make_object(**said), 0.3) == pytest.approx(expected)


def gallery(tmp_path: Path, objects: Sequence[SlideObject], **said: Any) -> dict[str, Any]:
    """Write a gallery of objects on one drawn tile; return what its page is told."""
    boxes: dict[Box, int] = {(10, 10, 50, 30): 40, (350, 260, 400, 300): 220}
    tile = make_tile(tmp_path / "in", "s/a/001/t.png", boxes)
    page = write_gallery(tmp_path / "out", objects, {tile.image: tile}, GalleryOptions(**said))
    return study_of(page)


def test_shows_the_doubtful_first_with_what_surrounds_them(tmp_path: Path) -> None:
    objects = [
        make_object(1, confidence=0.99),
        make_object(2, confidence=0.4, length_um=38.4),
        make_object(3, confidence=0.6, box=(350, 260, 400, 300), cut=True),
    ]
    study = gallery(tmp_path, objects, um_per_px=0.5, least_px=80)
    assert [row["object_id"][-1] for row in study["rows"]] == ["2", "3", "1"]
    first = study["rows"][0]
    assert (first["length_um"], first["crop_um"]) == (38.4, 40.0)
    crop = read_image(tmp_path / "out" / "crops" / first["crop"][:2] / f"{first['crop']}.jpg")
    left, top, right, bottom = (round(80 * value) for value in first["in_crop"])
    assert (left, top, right, bottom) == (20, 30, 60, 50)
    assert crop.shape == (80, 80, 3)
    assert abs(float(crop[top + 4 : bottom - 4, left + 4 : right - 4].mean()) - 40) < 4
    assert float(crop[top:bottom, right + 8 :].mean()) > 100
    corner = study["rows"][1]
    crop = read_image(tmp_path / "out" / "crops" / corner["crop"][:2] / f"{corner['crop']}.jpg")
    assert abs(float(crop[-8:, -8:].mean()) - 114) < 4  # beyond the tile


def test_large_objects_are_scaled_down(tmp_path: Path) -> None:
    study = gallery(tmp_path, [make_object(1, box=(20, 20, 320, 250))], crop_px=64, um_per_px=1.0)
    (row,) = study["rows"]
    crop = read_image(tmp_path / "out" / "crops" / row["crop"][:2] / f"{row['crop']}.jpg")
    assert crop.shape == (64, 64, 3)
    assert row["crop_um"] == pytest.approx(540.0)


def test_says_how_many_are_left_out(tmp_path: Path) -> None:
    objects = [make_object(number, confidence=0.3 + number / 20) for number in range(10)]
    study = gallery(tmp_path, objects, most=3)
    assert [int(row["object_id"], 16) for row in study["rows"]] == [0, 1, 2]
    assert study["left_out"] == 7


def test_the_order_of_objects_does_not_matter(tmp_path: Path) -> None:
    objects = [
        make_object(number, confidence=0.5, box=(number, 5, number + 30, 40))
        for number in range(12)
    ]
    first = gallery(tmp_path / "a", objects)
    random.Random(4).shuffle(objects)
    assert gallery(tmp_path / "b", objects) == first
    pages = [(tmp_path / name / "out" / "index.html").read_bytes() for name in "ab"]
    assert pages[0] == pages[1]


def test_text_cannot_leave_its_place_in_the_page(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>{{STYLE}}"
    one = replace(make_object(1), sample=evil)
    page = tmp_path / "out" / "index.html"
    study = gallery(tmp_path, [one], title=evil)
    text = page.read_text(encoding="utf-8")
    assert study["title"] == evil
    assert evil in study["slides"][0]
    assert "<script>alert" not in text
    assert text.count("<script") == 2
    assert "{{STYLE}}" in text  # as it was given: not filled in


def test_the_page_asks_nothing_of_a_network(tmp_path: Path) -> None:
    gallery(tmp_path, [make_object(1)])
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.findall(r"https?://|@import|src=\"//", text)


def test_a_broken_tile_costs_its_pictures_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = make_tile(tmp_path, "good.png", {(10, 10, 50, 30): 40})
    broken = make_tile(tmp_path, "broken.png", {})
    broken.path.write_bytes(broken.path.read_bytes()[:200])
    objects = [
        make_object(1, image="good.png"),
        make_object(2, image="broken.png"),
        make_object(3, image="gone.png"),
    ]
    told: list[None] = []
    page = write_gallery(
        tmp_path / "out",
        objects,
        {"good.png": good, "broken.png": broken},
        advance=lambda: told.append(None),
    )
    crops = {row["object_id"][-1]: row["crop"] for row in study_of(page)["rows"]}
    assert crops["1"]
    assert crops["2"] == crops["3"] == ""
    assert len(told) == 3
    assert "broken.png" in caplog.text
    assert "gone.png: no such tile" in caplog.text


def test_another_gallery_takes_its_place_and_leaves_nothing_behind(tmp_path: Path) -> None:
    objects = [
        make_object(number, box=(number * 30, 5, number * 30 + 25, 200 - number))
        for number in range(6)
    ]
    gallery(tmp_path, objects)
    mine = tmp_path / "out" / "crops" / "mine.jpg"
    mine.write_bytes(b"of a person")
    study = gallery(tmp_path, objects[:2])
    named = {row["crop"] for row in study["rows"]}
    there = {path.stem for path in (tmp_path / "out" / "crops").rglob("*.jpg")} - {"mine"}
    assert there == named
    assert mine.exists()
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_a_gallery_cut_short_leaves_the_old_page_whole(tmp_path: Path) -> None:
    objects = [
        make_object(number, box=(number * 30, 5, number * 30 + 25, 200 - number))
        for number in range(4)
    ]
    before = gallery(tmp_path, objects)
    tile = make_tile(tmp_path / "new", "s/a/001/t.png", {(0, 0, 300, 300): 90})

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_gallery(tmp_path / "out", objects, {tile.image: tile}, advance=stop)
    assert study_of(tmp_path / "out" / "index.html") == before
    for row in before["rows"]:
        assert (tmp_path / "out" / "crops" / row["crop"][:2] / f"{row['crop']}.jpg").exists()


def test_an_empty_gallery_is_a_page(tmp_path: Path) -> None:
    assert gallery(tmp_path, [])["rows"] == []


@pytest.mark.parametrize(
    "said", [{"threshold": 0.0}, {"threshold": 1.0}, {"margin": -0.1}, {"least_px": 0},
             {"crop_px": 8}, {"quality": 0}, {"quality": 101}, {"most": 0}],
)  # fmt: skip
def test_refuses_options_beyond_their_range(said: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        GalleryOptions(**said)

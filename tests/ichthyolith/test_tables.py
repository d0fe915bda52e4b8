"""detections.csv: exact there and back, and told what is wrong with it."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonar_watch.errors import FormatError
from sonar_watch.ichthyolith.records import CLASSES, Sighting, SlideObject
from sonar_watch.ichthyolith.tables import (
    COLUMNS,
    read_detections,
    status_of,
    write_detections,
)

numbers = st.floats(-1e5, 1e5, allow_nan=False)
shares = st.floats(0, 1, allow_nan=False)
lengths = st.one_of(st.none(), st.floats(0, 1e4, allow_nan=False))
names = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), min_size=1)


@st.composite
def boxes(draw):
    left, top = draw(numbers), draw(numbers)
    return left, top, left + draw(st.floats(0, 1e4)), top + draw(st.floats(0, 1e4))


sightings = st.builds(
    Sighting,
    image=names,
    xyxy_px=boxes(),
    confidence=shares,
    class_name=st.sampled_from(CLASSES),
    cut=st.booleans(),
)


@st.composite
def slide_objects(draw):
    seen = draw(st.lists(sightings, min_size=1, max_size=3))
    best = draw(st.sampled_from(seen))
    return SlideObject(
        object_id="",
        site=draw(names),
        sample=draw(names),
        slide=draw(names),
        class_name=draw(st.sampled_from(CLASSES)),
        confidence=draw(shares),
        best=best,
        sightings=tuple(seen),
        slide_xyxy_px=draw(boxes()),
        detector_class=best.class_name,
        detector_confidence=best.confidence,
        length_um=draw(lengths),
        width_um=draw(lengths),
        cut=draw(st.booleans()),
        reviewed=draw(st.booleans()),
    )


def make_sighting(**changes) -> Sighting:
    usual = {
        "image": "Site_1/s/t_0_0.jpg",
        "xyxy_px": (10.0, 20.0, 110.5, 60.25),
        "confidence": 0.8,
        "class_name": "tooth",
    }
    return Sighting(**(usual | changes))


def make_object(**changes) -> SlideObject:
    best = make_sighting()
    other = make_sighting(image="Site_1/s/t_0_960.jpg", confidence=0.4, cut=True)
    usual = {
        "object_id": "ab12",
        "site": "Site_1",
        "sample": "s",
        "slide": "001",
        "class_name": "tooth",
        "confidence": 0.9,
        "best": best,
        "sightings": (other, best),
        "slide_xyxy_px": (970.0, 20.0, 1070.5, 60.25),
        "detector_class": "tooth",
        "detector_confidence": 0.8,
        "length_um": 103.4,
        "width_um": 31.2,
    }
    return SlideObject(**(usual | changes))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@settings(max_examples=25, deadline=None)
@given(found=st.lists(slide_objects(), max_size=4))
def test_what_is_written_is_read_again(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "detections.csv"
    objects = [replace(one, object_id=f"id {index}") for index, one in enumerate(found)]

    count = write_detections(path, objects)

    assert count == sum(len(one.sightings) for one in objects)
    assert read_detections(path) == objects


def test_one_row_of_each_object_is_not_merged(tmp_path):
    path = tmp_path / "detections.csv"
    noise = make_object(object_id="cd34", class_name="noise", confidence=0.7, reviewed=True)

    write_detections(path, [make_object(), noise])

    rows = rows_of(path)
    assert [row["status"] for row in rows] == ["merged", "kept", "merged", "rejected"]
    assert [row["cut"] for row in rows] == ["true", "false"] * 2
    assert [row["reviewed"] for row in rows] == ["false", "false", "true", "true"]
    assert rows[3]["class"] == "noise"
    assert rows[3]["detector_class"] == "tooth"
    assert rows[1]["x1"] == "10"
    assert rows[1]["slide_x2"] == "1070.5"


def test_columns_begin_as_the_contract_says(tmp_path):
    path = tmp_path / "detections.csv"
    write_detections(path, [])

    head = path.read_text().splitlines()[0]
    assert head == ",".join(COLUMNS)
    assert head.startswith(
        "image,class,x1,y1,x2,y2,confidence,slide_x1,slide_y1,slide_x2,slide_y2,length_um,"
    )
    assert read_detections(path) == []


def test_twins_of_the_best_view_are_merged():
    one = make_object()
    assert [status_of(one, seen) for seen in one.sightings] == ["merged", "kept"]


def test_columns_in_another_order_and_further_ones_are_read(tmp_path):
    path = tmp_path / "detections.csv"
    write_detections(path, [make_object()])
    rows = rows_of(path)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, ["comment", *reversed(COLUMNS)])
        writer.writeheader()
        writer.writerows({**row, "comment": "a, b"} for row in rows)

    assert read_detections(path) == [make_object()]


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("class", "shark", "line 3, column class: expected 'tooth' as in line 2"),
        ("detector_class", "shark", "line 3, column detector_class: expected one of tooth"),
        ("status", "maybe", "line 3, column status: expected one of kept"),
        ("status", "rejected", "expected kept, received 'rejected'"),
        ("status", "merged", "line 2, column status: expected one row"),
        ("x1", "wide", "line 3, column x1: expected a number"),
        ("x2", "nan", "line 3, column x2: expected a number"),
        ("x2", "3", "line 3, column x2: expected at least 10"),
        ("confidence", "1.5", "confidence: expected '0.9' as in line 2"),
        ("detector_confidence", "1.5", "expected a number from 0 to 1"),
        ("cut", "yes", "line 3, column cut: expected true or false"),
        ("object_id", "", "line 3, column object_id: expected something"),
        ("sample", "t", "line 3, column sample: expected 's' as in line 2 of the same object"),
        ("length_um", "-4", "line 3, column length_um: expected"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, column, value, complaint):
    path = tmp_path / "detections.csv"
    write_detections(path, [make_object()])
    rows = rows_of(path)
    rows[1][column] = value
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)

    with pytest.raises(FormatError, match=complaint):
        read_detections(path)


@pytest.mark.parametrize("text", ["", "image,class\n", "\x00\x01"])
def test_what_is_no_table_is_refused(tmp_path, text):
    path = tmp_path / "detections.csv"
    path.write_text(text)

    with pytest.raises(FormatError, match="missing"):
        read_detections(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FormatError, match="expected a table of detections"):
        read_detections(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "changes",
    [
        {"sightings": (make_sighting(image="another.jpg"),)},
        {"detector_class": "denticle"},
        {"detector_confidence": 0.1},
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, changes):
    path = tmp_path / "detections.csv"
    with pytest.raises(ValueError, match="ab12: expected"):
        write_detections(path, [make_object(**changes)])
    assert not list(tmp_path.iterdir())

"""What people picked by hand, read and set side by side; scores counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.trials.agreement import Frames, compare, distances_m
from sonar_watch.trials.picks import Picks, read_detections, read_picks

BOXES = "across_track_min_m,across_track_max_m,depth_min_m,depth_max_m"


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def by_ping(path: Path, *rows: str) -> Picks:
    return read_picks(write(path, f"file,ping_counter,swath,{BOXES}", *rows))


def test_a_row_without_a_place_was_looked_at(tmp_path: Path) -> None:
    picks = by_ping(tmp_path / "ann.csv", "l.kmall,1,0,-5,5,50,100", "l.kmall,1,,7,9,60,90",
                    "l.kmall,2,1,,,,")
    assert (picks.name, picks.how) == ("ann", "boxes")
    assert picks.boxes == {
        ("l", "1", "0"): ((-5, 50, 5, 100), (7, 60, 9, 90)), ("l", "2", "1"): (),
    }


def test_other_classes_are_looked_at_but_no_plumes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"frame_id,class,{BOXES}", "f1,noise,0,1,0,1",
                 "f2,Signal,0,1,0,1")
    assert {key: len(boxes) for key, boxes in read_picks(path).boxes.items()} == {
        ("f1",): 0, ("f2",): 1,
    }


def test_columns_may_come_in_any_order_and_with_a_mark_and_spaces(tmp_path: Path) -> None:
    text = "\ufefftime_utc, depth_max_m,depth_min_m ,across_track_max_m,across_track_min_m\n"
    (tmp_path / "a.csv").write_text(
        text + "2026-03-01T03:00:00.5+01:00,9,8,2,1\n", encoding="utf-8"
    )
    assert read_picks(tmp_path / "a.csv").boxes == {
        ("2026-03-01T02:00:00.500",): ((1, 8, 2, 9),)
    }


@pytest.mark.parametrize(
    ("header", "row", "complaint"),
    [
        (f"frame_id,{BOXES}", "f,1,2,x,4", "line 2, column depth_min_m: expected a number, rec"),
        (f"frame_id,{BOXES}", "f,1,2,nan,4", "column depth_min_m: expected a number"),
        (f"frame_id,{BOXES}", "f,2,1,3,4", "column across_track_max_m: expected at least 2"),
        (f"frame_id,{BOXES}", "f,1,2,4,3", "column depth_max_m: expected at least 4"),
        (f"frame_id,{BOXES}", ",1,2,3,4", "line 2, column frame_id: expected something"),
        (f"time_utc,{BOXES}", "noon,1,2,3,4", "column time_utc: expected a time such as"),
        (f"file,ping_counter,{BOXES}", "l,-1,1,2,3,4", "column ping_counter: expected a number"),
        (BOXES, "1,2,3,4", "line 1: expected columns that name the frame"),
        ("frame_id,depth_min_m", "f,1", "line 1: expected the columns across_track_min_m"),
        ("latitude,longitude", "95,10", "column latitude: expected a number from -90 to 90"),
    ],
)
def test_complaints_name_line_and_column(
    tmp_path: Path, header: str, row: str, complaint: str
) -> None:
    with pytest.raises(FormatError, match=complaint) as caught:
        read_picks(write(tmp_path / "a.csv", header, row))
    assert "a.csv" in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected a CSV file"):
        read_picks(tmp_path / "none.csv")


def test_boxes_are_matched_frame_by_frame(tmp_path: Path) -> None:
    first = by_ping(tmp_path / "a.csv", "l,1,0,0,10,50,100", "l,2,0,0,10,50,100", "l,3,0,,,,",
                    "l,4,0,,,,", "l,5,0,,,,")
    second = by_ping(tmp_path / "b.csv", "l,1,0,0,10,50,90", "l,3,0,0,10,50,100",
                     "l,3,0,20,30,50,100", "l,2,0,,,,", "l,4,0,,,,", "l,5,0,,,,")
    iou, centre = compare(first, second)
    assert (iou["reference"], iou["compared"], iou["matching"]) == ("a", "b", "iou 0.3")
    assert (iou["precision"], iou["recall"]) == (pytest.approx(1 / 3), 1 / 2)
    assert iou["f1"] == centre["f1"] == pytest.approx(2 * 1 / 5)
    frames = iou["frames"]
    assert [frames[key] for key in ("both", "reference_only", "compared_only", "neither")] == [
        1, 1, 1, 2,
    ]
    # observed 3/5, by chance (2 * 2 + 3 * 3) / 25 = 0.52: (0.6 - 0.52) / 0.48
    assert frames["kappa"] == pytest.approx(1 / 6)
    assert compare(second, first)[0]["f1"] == iou["f1"]
    assert compare(second, first)[0]["frames"]["kappa"] == pytest.approx(1 / 6)


def test_without_empty_frames_there_is_no_kappa(tmp_path: Path) -> None:
    picks = [by_ping(tmp_path / f"{name}.csv", "l,1,0,0,10,50,100") for name in "ab"]
    frames = compare(*picks)[0]["frames"]
    assert frames["kappa"] is None
    assert frames["note"].startswith("no kappa")


def test_frames_that_one_did_not_look_at_are_left_out(tmp_path: Path) -> None:
    careful = by_ping(tmp_path / "a.csv", "l,1,0,0,10,50,100", "l,2,0,,,,")
    quick = by_ping(tmp_path / "b.csv", "l,1,0,0,10,50,100", "l,9,0,0,10,50,100")
    row = compare(careful, quick)[0]
    assert (row["precision"], row["frames"]["left_out"]) == (1.0, 1)
    elsewhere = by_ping(tmp_path / "c.csv", "other,1,0,0,10,50,100")
    with pytest.raises(ConfigurationError, match="no frame in common"):
        compare(careful, elsewhere)


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [((20, 5, 10, 15), 0.4), ((0, 0, 0, 50), None), ((10, 0, 0, 10), 1.0), ((0, 0, 0, 0), None),
     ((45, 15, 25, 15), 0.1304)],
)
def test_kappa_as_in_textbooks(counts: tuple[int, ...], kappa: float | None) -> None:
    both, first, second, neither = counts
    found = Frames(both=both, first_only=first, second_only=second, neither=neither).kappa
    assert found == (None if kappa is None else pytest.approx(kappa, abs=1e-4))


def test_places_agree_within_a_radius(tmp_path: Path) -> None:
    metre = 1 / 111_195
    first = read_picks(write(tmp_path / "a.csv", "latitude,longitude", "32,140",
                             f"{32 + 30 * metre},140", "33,140", ","))
    second = read_picks(write(tmp_path / "b.csv", "longitude,latitude",
                              f"140,{32 - 20 * metre}", "141,32"))
    (row,) = compare(first, second, radius_m=49.0)
    # 20 m and 50 m from the second's first; nobody near (33, 140) and (32, 141)
    assert (row["precision"], row["recall"]) == (1 / 2, pytest.approx(1 / 3))
    (row,) = compare(first, second, radius_m=51.0)
    assert (row["precision"], row["recall"]) == (1 / 2, pytest.approx(2 / 3))
    assert compare(first, Picks(name="none", how="places", key=()))[0]["recall"] == 0.0


def test_distances_on_the_sphere() -> None:
    away = distances_m([(0.0, 179.999)], [(0.0, -179.999), (0.001, 179.999)])
    assert away[0] == pytest.approx([222.39, 111.19], abs=0.01)


def detection(confidence: float, **changes: Any) -> dict[str, Any]:
    return {"class": "signal", "confidence": confidence, "across_track_m": [0, 10],
            "depth_m": [50, 100], "latitude": 32.0, "longitude": 140.0, "veto": None} | changes


def frame(ping: int, *found: dict[str, Any]) -> str:
    return json.dumps({
        "frame_id": f"f{ping}", "time_utc": f"2026-03-01T02:00:0{ping}.0004Z",
        "source": {"file": "l.kmwcd", "ping_counter": ping, "swath": 0}, "detections": found,
    })


def test_the_detector_is_one_more_picker(tmp_path: Path) -> None:
    path = write(
        tmp_path / "detections.jsonl",
        frame(1, detection(0.9), detection(0.3), detection(0.9, veto="nadir stripe")),
        frame(2, detection(0.9, **{"class": "noise"})), frame(3),
    )
    person = by_ping(tmp_path / "a.csv", "l.kmall,1,0,0,10,50,100")
    found = read_detections(path, 0.5, person)
    assert found.boxes == {
        ("l", "1", "0"): ((0, 50, 10, 100),), ("l", "2", "0"): (), ("l", "3", "0"): (),
    }
    row = compare(person, found)[0]
    assert (row["f1"], row["frames"]["kappa"]) == (1.0, 1.0)
    assert compare(person, read_detections(path, 0.2, person))[0]["precision"] == 0.5
    timed = read_picks(write(tmp_path / "t.csv", f"time_utc,{BOXES}",
                             "2026-03-01T02:00:01Z,0,10,50,100"))
    assert compare(timed, read_detections(path, 0.5, timed))[0]["f1"] == 1.0
    placed = read_picks(write(tmp_path / "p.csv", "latitude,longitude", "32,140"))
    assert compare(placed, read_detections(path, 0.5, placed))[0]["recall"] == 1.0
    with pytest.raises(ConfigurationError, match="expected picks of one kind"):
        compare(timed, placed)


def test_a_broken_line_of_detections(tmp_path: Path) -> None:
    person = by_ping(tmp_path / "a.csv", "l,1,0,0,10,50,100")
    with pytest.raises(FormatError, match="line 2: expected a frame's result"):
        read_detections(write(tmp_path / "d.jsonl", frame(1), "{}"), 0.5, person)

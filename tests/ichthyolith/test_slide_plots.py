"""Figures and contact sheets: there, whole, the same again, and showing what they should."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib")

from sonar_watch.ichthyolith import plots
from sonar_watch.ichthyolith.census import CensusOptions, Scan, take_census
from sonar_watch.ichthyolith.estimates import Skill
from sonar_watch.ichthyolith.plots import draw_counts, draw_sizes
from sonar_watch.ichthyolith.profile_plots import (
    draw_beside,
    draw_profile,
    rank_correlation,
)
from sonar_watch.ichthyolith.profiles import ProfileOptions, make_profile
from sonar_watch.ichthyolith.records import Sighting, SlideObject
from sonar_watch.ichthyolith.samples import SampleFacts
from sonar_watch.ichthyolith.sheets import draw_sheets, spread


def make_object(number=0, class_name="tooth", sample="a", **changes) -> SlideObject:
    best = Sighting(image="t", xyxy_px=(0, 0, 9, 9), confidence=0.8, class_name=class_name)
    usual = {
        "object_id": f"{sample}{class_name}{number}",
        "site": "S",
        "sample": sample,
        "slide": "001",
        "class_name": class_name,
        "confidence": 0.5 + 0.001 * number,
        "best": best,
        "sightings": (best,),
        "slide_xyxy_px": (0, 0, 9, 9),
        "detector_class": class_name,
        "detector_confidence": 0.8,
        "length_um": 80.0 + 13 * number,
    }
    return SlideObject(**(usual | changes))


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    """Draw coarsely: it is what is drawn that matters here."""
    monkeypatch.setattr(plots, "_DPI", 50)


@pytest.fixture
def study():
    objects = [
        make_object(number, name, sample)
        for sample in "abc"
        for name, many in (("tooth", 9), ("denticle", 2), ("noise", 1))
        for number in range(many)
    ]
    scans = [Scan(site="S", sample=sample, slide="001", tiles=4) for sample in "abc"]
    good = Skill(hits=30, false_alarms=3, misses=5)
    return objects, take_census(objects, scans, skills={"tooth": good, "denticle": good})


def test_figures_are_whole_and_the_same_again(study, tmp_path):
    _, rows = study
    drawn = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        paths = draw_counts(rows, folder / "counts")
        drawn.append({path.name: path.read_bytes() for path in paths})

    assert set(drawn[0]) == {"counts.png", "counts.pdf"}
    assert drawn[0] == drawn[1]
    for name, data in drawn[0].items():
        assert data.startswith(b"%PDF" if name.endswith("pdf") else b"\x89PNG")
    image = cv2.imread(str(tmp_path / "first" / "counts.png"))
    assert image.shape[1] == pytest.approx(7.09 * 50, abs=2)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 10


def test_counts_say_how_much_of_them_was_reviewed(study):
    objects, _ = study
    objects = [replace(one, reviewed=one.sample == "b" and one.class_name == "tooth")
               for one in objects]  # fmt: skip
    rows = take_census(objects, [Scan(site="S", sample=name, slide="001", tiles=4)
                                 for name in "abc"])  # fmt: skip
    samples = [row for row in rows if row.level == "sample"]
    assert plots._sample_names(samples) == [
        "a\n0% reviewed", "b\n75% reviewed", "c\n0% reviewed",
    ]
    assert plots._sample_names(samples[:1]) == ["a"]
    assert plots.reviewed_note(samples) == "25% of all objects reviewed, 0% to 75% by sample"
    assert plots.reviewed_note(samples[1:2]) == "75% of all objects reviewed"
    assert plots.reviewed_note(samples[:1]) == plots.reviewed_note([]) == ""


def test_sizes_say_how_much_of_them_was_reviewed(study):
    objects, _ = study
    teeth = [one for one in objects if one.class_name == "tooth"]
    some = [replace(one, reviewed=one.sample == "b") for one in teeth]
    some[0] = replace(some[0], length_um=None)
    assert plots._size_title("tooth", some, is_reviewed=True) == "teeth (n = 26, 9 reviewed)"
    assert plots._size_title("tooth", teeth, is_reviewed=False) == "teeth (n = 27)"


def test_samples_of_several_sites_are_named_with_these():
    scans = [Scan(site=f"S{name}", sample=name, slide="001", tiles=4) for name in "ab"]
    samples = [row for row in take_census([], scans) if row.level == "sample"]
    assert plots._sample_names(samples) == ["Sa / a", "Sb / b"]


def test_profiles_of_reviewed_counts_are_drawn_with_a_note(study, tmp_path):
    objects, rows = study
    samples = {name: SampleFacts(sample=name, depth_m=place, measured={"REE": 9.0 * place})
               for place, name in enumerate("abc")}  # fmt: skip
    scans = [Scan(site="S", sample=name, slide="001", tiles=4) for name in "abc"]
    again = take_census([replace(one, reviewed=True) for one in objects], scans)
    options = ProfileOptions(beside="REE")
    plain, noted = (make_profile(some, samples, options) for some in (rows, again))
    for draw, name in ((draw_profile, "profile"), (draw_beside, "beside")):
        before = draw(plain, tmp_path / name, options)[0].read_bytes()
        assert draw(noted, tmp_path / name, options)[0].read_bytes() != before


def test_sizes_are_drawn_with_saw_toothed_ones_as_asked(study, tmp_path):
    objects, _ = study
    (own, _), (teeth, _) = (
        draw_sizes(objects, tmp_path / how, CensusOptions(sawtoothed=how))
        for how in ("own", "tooth")
    )

    assert own.stat().st_size > 3000
    assert own.read_bytes() != teeth.read_bytes()


def test_profiles_are_drawn_against_what_is_asked_for(study, tmp_path):
    _, rows = study
    samples = {
        name: SampleFacts(sample=name, depth_m=place, measured={"REE": 100.0 * place})
        for place, name in enumerate("abc")
    }
    options = ProfileOptions(morphotype="denticle", beside="REE")
    points = make_profile(rows, samples, options)

    paths = [
        *draw_profile(points, tmp_path / "profile", options),
        *draw_beside(points, tmp_path / "beside", options),
    ]

    assert [path.name for path in paths] == [
        "profile.png",
        "profile.pdf",
        "beside.png",
        "beside.pdf",
    ]
    assert all(path.stat().st_size > 3000 for path in paths)


def test_nothing_to_draw_draws_nothing(tmp_path):
    options = ProfileOptions(beside="REE")
    assert draw_counts([], tmp_path / "counts") == []
    assert draw_sizes([make_object(length_um=None)], tmp_path / "sizes", CensusOptions()) == []
    assert draw_profile([], tmp_path / "profile") == []
    assert draw_beside([], tmp_path / "beside", options) == []
    assert not list(tmp_path.iterdir())


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(2)
    first = rng.integers(0, 6, 30)
    second = first + rng.normal(0, 3, 30)
    order = np.argsort(np.argsort(second))
    ties = np.array([(first < one).sum() + (first == one).sum() / 2 for one in first])

    assert rank_correlation(first, second) == pytest.approx(np.corrcoef(ties, order)[0, 1])
    assert rank_correlation(np.ones(5), first[:5]) is None


def test_a_sheet_shows_the_crops_of_its_class_the_surest_first(tmp_path):
    objects = [make_object(number) for number in range(12)] + [make_object(0, "noise")]

    paths = draw_sheets(
        objects,
        lambda one: (
            np.full((40, 60, 3), 10 * int(one.object_id[6:] or 0), np.uint8)
            if one.class_name == "tooth"
            else None
        ),
        tmp_path / "sheets",
    )

    assert [path.name for path in paths] == ["tooth.png", "noise.png"]
    sheet = cv2.imread(str(paths[0]))
    assert sheet.shape == (34 + 2 * (128 + 26 + 4), 10 * 132 + 4, 3)
    middle = 34 + 64
    assert [int(sheet[middle, 4 + 132 * place + 64, 0]) for place in (0, 1, 9)] == [110, 100, 20]
    assert int(cv2.imread(str(paths[1]))[middle, 68, 0]) == 225


def test_of_many_objects_some_of_every_confidence_are_shown():
    objects = [make_object(number) for number in range(101)]

    shown = spread(objects, 5)

    assert [one.object_id for one in shown] == [f"atooth{n}" for n in (100, 75, 50, 25, 0)]
    assert len(spread(objects[:3], 5)) == 3

"""The table of samples, and what was counted down a core."""

import csv
import logging

import pytest

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.ichthyolith.census import Scan, take_census
from sonar_watch.ichthyolith.profiles import ProfileOptions, make_profile, write_profile
from sonar_watch.ichthyolith.records import Sighting, SlideObject
from sonar_watch.ichthyolith.samples import SampleFacts, masses_g, read_samples

TABLE = """\ufeffsample, depth_m,age_ma,dry_mass_g,REE_ppm,remark
b,12.5,,2.0,900,dark clay
a,3.25,10,,n/a,
"""


def make_rows(samples="abc", sawtoothed=1, tooth=3):
    objects, scans = [], []
    for sample in samples:
        scans.append(Scan(site="S", sample=sample, slide="001", tiles=4))
        for name, many in (("sawtoothed", sawtoothed), ("tooth", tooth)):
            best = Sighting(image="t", xyxy_px=(0, 0, 9, 9), confidence=0.8, class_name=name)
            objects += [
                SlideObject(
                    object_id=f"{sample}{name}{number}",
                    site="S",
                    sample=sample,
                    slide="001",
                    class_name=name,
                    confidence=0.8,
                    best=best,
                    sightings=(best,),
                    slide_xyxy_px=(0, 0, 9, 9),
                    detector_class=name,
                    detector_confidence=0.8,
                    length_um=100.0,
                )
                for number in range(many)
            ]
    return take_census(objects, scans)


def test_samples_are_read_with_every_measured_column(tmp_path):
    path = tmp_path / "samples.csv"
    path.write_text(TABLE, encoding="utf-8")

    samples = read_samples(path)

    assert list(samples) == ["b", "a"]
    assert samples["b"] == SampleFacts(
        sample="b", depth_m=12.5, dry_mass_g=2.0, measured={"REE_ppm": 900.0}
    )
    assert samples["a"].value("REE_ppm") is None
    assert samples["a"].value("age_ma") == 10
    assert masses_g(samples) == {"b": 2.0}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("depth_m\n3\n", "line 1: expected a column sample"),
        ("sample,depth_m\na,deep\n", "line 2, column depth_m: expected a number, received 'deep'"),
        ("sample,depth_m\na,inf\n", "line 2, column depth_m: expected a number"),
        ("sample,dry_mass_g\na,0\n", "line 2, column dry_mass_g: expected grams above 0"),
        ("sample\na\na\n", "line 3, column sample: a is there twice"),
        ("sample,depth_m\n,3\n", "line 2, column sample: expected a name"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, text, complaint):
    path = tmp_path / "samples.csv"
    path.write_text(text)

    with pytest.raises(FormatError, match=complaint):
        read_samples(path)


def test_a_profile_runs_down_and_says_what_it_leaves_out(caplog):
    samples = {
        name: SampleFacts(sample=name, depth_m=depth)
        for name, depth in (("a", 9.0), ("b", 2.0), ("c", None), ("d", 1.0))
    }

    with caplog.at_level(logging.WARNING):
        points = make_profile(make_rows(), samples, ProfileOptions(morphotype="sawtoothed"))

    assert [point.row.sample for point in points] == ["b", "a"]
    assert points[0].morphotype_share.value == 0.25
    assert points[0].morphotype_share.low > 0
    assert "sample c: no depth_m known" in caplog.text
    assert "sample d: in the table, but no slides" in caplog.text


def test_a_share_may_be_among_some_classes():
    samples = {"a": SampleFacts(sample="a", depth_m=1.0)}
    options = ProfileOptions(morphotype="sawtoothed", among=("denticle",))

    (point,) = make_profile(make_rows("a"), samples, options)

    assert point.morphotype_share.value == 1.0


def test_profile_csv_holds_what_is_known_and_what_was_counted(tmp_path):
    samples = {"a": SampleFacts(sample="a", depth_m=1.5, age_ma=2.0, measured={"REE": 7.0})}
    options = ProfileOptions(against="age_ma", morphotype="sawtoothed", beside="REE")
    points = make_profile(make_rows("a"), samples, options)
    write_profile(tmp_path / "profile.csv", points, options)

    with (tmp_path / "profile.csv").open(newline="") as file:
        (row,) = list(csv.DictReader(file))
    assert list(row)[:3] == ["sample", "depth_m", "age_ma"]
    assert (row["sample"], row["depth_m"], row["REE"]) == ("a", "1.5", "7.0")
    assert (row["tooth_n"], row["sawtoothed_share"]) == ("3", "0.25")


def test_a_measured_column_takes_no_other_s_place(tmp_path):
    samples = {"a": SampleFacts(sample="a", depth_m=1.5, measured={"tiles": 7.0})}
    write_profile(tmp_path / "profile.csv", make_profile(make_rows("a"), samples))

    with (tmp_path / "profile.csv").open(newline="") as file:
        (row,) = list(csv.DictReader(file))
    assert (row["tiles"], row["measured_tiles"]) == ("4", "7.0")


@pytest.mark.parametrize(
    "wrong", [{"against": "time"}, {"morphotype": "shark"}, {"among": ("noise",)}]
)
def test_what_a_profile_cannot_show_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="expected"):
        ProfileOptions(**wrong)


def test_a_measured_column_must_be_there():
    with pytest.raises(ConfigurationError, match="beside: expected a measured column"):
        make_profile(make_rows("a"), {}, ProfileOptions(beside="REE"))

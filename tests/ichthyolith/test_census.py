"""Counts and their intervals: exact where they can be, and covering what is true."""

import csv
import math

import numpy as np
import pytest

from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith import estimates
from sonar_watch.ichthyolith.census import CensusOptions, Scan, take_census
from sonar_watch.ichthyolith.census_table import write_census, write_sizes
from sonar_watch.ichthyolith.estimates import Skill, Tally, corrected, counted, ratio, share
from sonar_watch.ichthyolith.lengths import lengths_of
from sonar_watch.ichthyolith.records import Sighting, SlideObject

GOOD = Skill(hits=80, false_alarms=10, misses=20)


def make_object(number=0, class_name="tooth", **changes) -> SlideObject:
    best = Sighting(image="t.jpg", xyxy_px=(0, 0, 9, 9), confidence=0.8, class_name="tooth")
    usual = {
        "object_id": f"{class_name}{number}",
        "site": "S",
        "sample": "a",
        "slide": "001",
        "class_name": class_name,
        "confidence": 0.9,
        "best": best,
        "sightings": (best,),
        "slide_xyxy_px": (0, 0, 9, 9),
        "detector_class": "tooth",
        "detector_confidence": 0.8,
    }
    return SlideObject(**(usual | changes))


def make_objects(tooth=0, denticle=0, sawtoothed=0, noise=0, **changes) -> list[SlideObject]:
    numbers = {"tooth": tooth, "denticle": denticle, "sawtoothed": sawtoothed, "noise": noise}
    return [
        make_object(number, name, **changes)
        for name, many in numbers.items()
        for number in range(many)
    ]


def make_scan(slide="001", sample="a", **changes) -> Scan:
    usual = {"site": "S", "sample": sample, "slide": slide, "tiles": 10, "scanned_area_mm2": 5.0}
    return Scan(**(usual | changes))


@pytest.mark.parametrize("count", [0, 1, 4, 57, 900])
def test_the_interval_of_a_count_is_garwoods(count):
    special = pytest.importorskip("scipy.special")
    low = special.gammaincinv(count, 0.025) if count else 0.0
    estimate = counted(Tally(unreviewed=count))

    assert estimate.value == count
    assert estimate.low == pytest.approx(low, abs=1e-6)
    assert estimate.high == pytest.approx(special.gammaincinv(count + 1, 0.975))


@pytest.mark.parametrize(
    "tally",
    [
        Tally(unreviewed=40),
        Tally(unreviewed=0, reviewed=40),
        Tally(unreviewed=15, reviewed=25),
        Tally(unreviewed=0),
    ],
)
def test_a_detector_known_to_be_perfect_needs_no_correction(tally):
    perfect = Skill(hits=10**7, false_alarms=0, misses=0)
    plain, right = counted(tally), corrected(tally, perfect)

    assert right is not None
    assert right.value == plain.value
    assert right.low == pytest.approx(plain.low, rel=0.02)
    assert right.high == pytest.approx(plain.high, rel=0.02)


@pytest.mark.parametrize(("above", "below"), [(5, 50), (1, 3), (40, 30)])
def test_the_interval_of_a_ratio_is_the_exact_one_of_a_share(above, below):
    special = pytest.importorskip("scipy.special")
    shares = (
        special.betaincinv(above, below + 1, 0.025),
        special.betaincinv(above + 1, below, 0.975),
    )
    estimate = ratio(Tally(unreviewed=above), Tally(unreviewed=below))

    assert estimate.value == above / below
    assert estimate.low == pytest.approx(
        shares[0] / (1 - shares[0]), rel=0.04, abs=0.01 * estimate.value
    )
    assert estimate.high == pytest.approx(shares[1] / (1 - shares[1]), rel=0.04)


def test_a_ratio_to_nothing_has_a_lower_limit_alone():
    nothing = ratio(Tally(unreviewed=0), Tally(unreviewed=0))
    some = ratio(Tally(unreviewed=6), Tally(unreviewed=0))
    none = ratio(Tally(unreviewed=0), Tally(unreviewed=20))

    assert (nothing.value, nothing.low, nothing.high) == (None, 0.0, math.inf)
    assert (some.value, some.high) == (None, math.inf)
    assert some.low > 0.5
    assert (none.value, none.low) == (0.0, 0.0)
    assert 0 < none.high < 0.5


def test_correction_takes_false_alarms_off_and_adds_misses():
    right = corrected(Tally(unreviewed=90), GOOD)

    assert right is not None
    assert right.value == pytest.approx(90 * (80 / 90) / 0.8)
    assert right.low < counted(Tally(unreviewed=90)).low * 100 / 90
    assert right.high > counted(Tally(unreviewed=90)).high * 100 / 90


def test_what_a_person_confirmed_is_not_taken_for_a_false_alarm():
    right = corrected(Tally(unreviewed=0, reviewed=90), GOOD)

    assert right is not None
    assert right.value == pytest.approx(90 / 0.8)


@pytest.mark.parametrize(("rescued", "value"), [(0, 100.0), (15, 100.0), (35, 115.0)])
def test_what_a_person_rescued_is_not_counted_as_missed_again(rescued, value):
    """80 were found of 100; more than the 20 that recall tells of can only be there, too."""
    right = corrected(Tally(unreviewed=0, reviewed=80 + rescued, rescued=rescued), GOOD)
    assert right is not None
    assert right.value == pytest.approx(value)
    assert right.low < value < right.high


def test_intervals_hold_the_truth_when_people_rescue_some(monkeypatch):
    monkeypatch.setattr(estimates, "DRAWS", 2000)
    rng = np.random.default_rng(5)
    held = []
    for _ in range(150):
        hits, there = int(rng.binomial(100, 0.8)), int(rng.poisson(60))
        found = int(rng.binomial(there, 0.8))
        rescued = int(rng.binomial(there - found, 0.7))
        right = corrected.__wrapped__(
            Tally(unreviewed=0, reviewed=found + rescued, rescued=rescued),
            Skill(hits=hits, false_alarms=10, misses=100 - hits),
        )
        held.append(right.low <= 60 <= right.high)
    assert np.mean(held) >= 0.93


def test_the_rescued_are_those_that_networks_called_something_else():
    objects = make_objects(tooth=4, denticle=2, reviewed=True)
    taken = {"tooth0": "noise", "tooth1": "sawtoothed", "denticle0": "tooth"}
    skills = {"tooth": GOOD, "denticle": GOOD, "ichthyolith": GOOD}
    counts = take_census(objects, [make_scan()], skills=skills, taken=taken)[0].counts
    assert [counts[name].tally.rescued for name in counts] == [2, 1, 0, 1]
    as_teeth = CensusOptions(sawtoothed="tooth")
    counts = take_census(objects, [make_scan()], taken=taken, options=as_teeth)[0].counts
    assert counts["tooth"].tally.rescued == 1


@pytest.mark.parametrize("skill", [None, Skill(hits=0, false_alarms=3, misses=1)])
def test_without_a_measured_skill_nothing_is_corrected(skill):
    assert corrected(Tally(unreviewed=5), skill) is None


def test_nothing_found_still_leaves_room_for_some():
    right = corrected(Tally(unreviewed=0), GOOD)

    assert right is not None
    assert (right.value, right.low) == (0.0, 0.0)
    assert 3.69 < right.high < 6


def test_the_same_counts_give_the_same_interval():
    assert corrected(Tally(unreviewed=7), GOOD) == corrected(Tally(unreviewed=7), GOOD)


@pytest.mark.parametrize(
    ("mean", "truths", "precision", "recall"),
    [
        (20.0, 25, 0.9, 0.8),
        (3.0, 25, 0.8, 0.6),
        (150.0, 300, 0.7, 0.9),
    ],
)
def test_corrected_intervals_hold_the_truth_as_often_as_they_say(
    mean, truths, precision, recall, monkeypatch
):
    """Detector and slides are drawn anew each time, with what is true known."""
    monkeypatch.setattr(estimates, "DRAWS", 2000)
    rng = np.random.default_rng(4)
    held = []
    for _ in range(150):
        skill = Skill(
            hits=int(rng.binomial(truths, recall)),
            false_alarms=int(rng.poisson(truths * recall * (1 - precision) / precision)),
            misses=0,
        )
        skill = Skill(hits=skill.hits, false_alarms=skill.false_alarms, misses=truths - skill.hits)
        right = corrected.__wrapped__(
            Tally(unreviewed=int(rng.poisson(mean * recall / precision))), skill
        )
        assert right is not None
        held.append(right.low <= mean <= right.high)

    assert np.mean(held) >= 0.93


@pytest.mark.parametrize(("above", "below"), [(4.0, 30.0), (15.0, 12.0)])
def test_ratios_hold_the_truth_as_often_as_they_say(above, below, monkeypatch):
    monkeypatch.setattr(estimates, "DRAWS", 2000)
    rng = np.random.default_rng(8)
    held = []
    for _ in range(150):
        estimate = ratio.__wrapped__(
            Tally(unreviewed=int(rng.poisson(above))), Tally(unreviewed=int(rng.poisson(below)))
        )
        held.append(estimate.low <= above / below <= estimate.high)

    assert np.mean(held) >= 0.93


def test_skills_add_up_and_must_be_counts():
    assert Skill(hits=160, false_alarms=20, misses=40) == GOOD + GOOD
    assert GOOD.precision.value == pytest.approx(80 / 90)
    assert GOOD.recall.value == 0.8
    with pytest.raises(ValueError, match="0 and more"):
        Skill(hits=1, false_alarms=-1, misses=0)


def test_a_share_of_nothing_has_no_value():
    assert share(0, 0).value is None
    assert (share(0, 0).low, share(0, 0).high) == (0.0, 1.0)


def test_coverage_is_not_claimed_for_a_sample_of_a_slide_without_a_grid():
    scans = [make_scan(), make_scan("002", coverage=None)]
    first, second, whole = take_census([], scans)
    assert (first.coverage, second.coverage, whole.coverage) == (1.0, None, None)


def test_slides_come_before_their_sample_and_add_up_to_it():
    objects = [
        *make_objects(tooth=3, denticle=1, noise=2),
        *make_objects(tooth=2, slide="002", reviewed=True),
    ]
    scans = [
        make_scan(missing_tiles=2, coverage=10 / 12),
        make_scan("002", coverage=0.5, tiles=20, missing_tiles=18, broken_tiles=2),
    ]

    first, second, whole = take_census(objects, scans, masses_g={"a": 2.5})

    assert [(row.level, row.slide) for row in (first, second, whole)] == [
        ("slide", "001"),
        ("slide", "002"),
        ("sample", ""),
    ]
    assert [row.counts["tooth"].tally.total for row in (first, second, whole)] == [3, 2, 5]
    assert whole.counts["ichthyolith"].tally == Tally(unreviewed=4, reviewed=2)
    assert (whole.tiles, whole.missing_tiles, whole.scanned_area_mm2) == (30, 20, 10.0)
    assert whole.coverage == pytest.approx(30 / 52)
    assert (first.reviewed_share, second.reviewed_share, whole.reviewed_share) == (0, 1, 0.25)
    assert whole.counts["tooth"].per_gram is not None
    assert whole.counts["tooth"].per_gram.value == 2.0
    assert first.counts["tooth"].per_gram is None
    assert whole.denticle_tooth_ratio.value == pytest.approx(0.2)
    assert whole.corrected_ratio is None


def test_saw_toothed_ones_are_counted_on_their_own_or_as_teeth():
    objects = make_objects(tooth=4, denticle=2, sawtoothed=1)
    skills = {"tooth": GOOD, "denticle": GOOD, "sawtoothed": GOOD}
    (own, _), (teeth, _) = (
        take_census(objects, [make_scan()], skills=skills, options=CensusOptions(sawtoothed=how))
        for how in ("own", "tooth")
    )

    assert own.counts["sawtoothed"].tally.total == 1
    assert own.denticle_tooth_ratio.value == 0.5
    assert "sawtoothed" not in teeth.counts
    assert teeth.counts["tooth"].tally.total == 5
    assert teeth.denticle_tooth_ratio.value == 0.4
    assert teeth.counts["ichthyolith"].tally.total == own.counts["ichthyolith"].tally.total == 7
    assert own.corrected_ratio is not None
    assert own.corrected_ratio.value == pytest.approx(0.5)


def test_a_slide_without_any_object_is_counted():
    slide, sample = take_census([], [make_scan()])

    assert slide.counts["tooth"].counted.value == 0
    assert slide.reviewed_share is None
    assert sample.slides == 1


@pytest.mark.parametrize(
    ("objects", "scans", "masses", "complaint"),
    [
        ([make_object(slide="009")], [make_scan()], {}, "no scan of slide S/a/009"),
        ([], [make_scan(), make_scan()], {}, "expected one scan"),
        ([], [make_scan()], {"a": 0.0}, "expected a dry mass above 0 g"),
    ],
)
def test_what_does_not_belong_together_is_refused(objects, scans, masses, complaint):
    with pytest.raises(ValueError, match=complaint):
        take_census(objects, scans, masses_g=masses)


@pytest.mark.parametrize("edges", [(100.0, 50.0), (50.0, 50.0), (0.0, 10.0)])
def test_size_fractions_rise(edges):
    with pytest.raises(ConfigurationError, match="size_edges_um"):
        CensusOptions(size_edges_um=edges)


def test_lengths_leave_out_what_is_cut_or_unknown():
    objects = [
        make_object(number, length_um=length, cut=cut)
        for number, (length, cut) in enumerate(
            [(50.0, False), (100.0, False), (63.0, False), (900.0, True), (None, False)]
        )
    ]

    lengths = lengths_of(objects, (63.0, 125.0))

    assert lengths.measured == 3
    assert lengths.quantiles_um[2] == 63.0
    assert [part.counted.value for part in lengths.fractions] == [1, 2, 0]
    assert [part.to_um for part in lengths.fractions] == [63.0, 125.0, math.inf]
    assert lengths_of([]).quantiles_um == ()


def test_tables_say_what_was_counted(tmp_path):
    objects = make_objects(tooth=2, length_um=70.0)
    rows = take_census(objects, [make_scan()], masses_g={"a": 0.5}, skills={"tooth": GOOD})
    write_census(tmp_path / "census.csv", rows)
    write_sizes(tmp_path / "sizes.csv", rows)

    with (tmp_path / "census.csv").open(newline="") as file:
        slide, sample = list(csv.DictReader(file))
    with (tmp_path / "sizes.csv").open(newline="") as file:
        sizes = list(csv.DictReader(file))
    assert (slide["level"], sample["level"]) == ("slide", "sample")
    assert (sample["tooth_n"], sample["tooth_n_low"]) == ("2", "0.24221")
    assert float(sample["tooth_corrected"]) == pytest.approx(2 * (80 / 90) / 0.8, rel=1e-4)
    assert (sample["tooth_per_gram"], slide["tooth_per_gram"]) == ("4.0", "")
    assert (sample["denticle_corrected"], sample["denticle_n"]) == ("", "0")
    assert sample["tooth_length_p50_um"] == "70.0"
    assert sample["denticle_tooth_ratio"] == "0.0"
    assert len(sizes) == 2 * 4 * 4
    assert [(row["from_um"], row["to_um"], row["n"]) for row in sizes[:4]] == [
        ("0.0", "63.0", "0"),
        ("63.0", "125.0", "2"),
        ("125.0", "250.0", "0"),
        ("250.0", "", "0"),
    ]


def test_sizes_say_how_much_of_them_was_reviewed(tmp_path):
    objects = [
        *make_objects(tooth=3, length_um=70.0),
        *make_objects(tooth=2, length_um=70.0, reviewed=True),
        *make_objects(tooth=1, length_um=30.0),
        *make_objects(tooth=1, length_um=30.0, cut=True, reviewed=True),
    ]
    write_sizes(tmp_path / "sizes.csv", take_census(objects, [make_scan()]))
    with (tmp_path / "sizes.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["class"] == "tooth"]
    assert [(row["n"], row["reviewed"]) for row in rows[:3]] == [("1", "0"), ("5", "2"), ("0", "0")]

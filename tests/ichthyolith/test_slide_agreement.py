"""How far two people agree on the objects of slides."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from review_builders import make_file, make_review, make_verdict
from rich.console import Console

from sonar_watch.cli import main
from sonar_watch.cli.evaluate_reviews import agreement_tables
from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.agreement import LEAST_SLIDES, agreement
from sonar_watch.ichthyolith.review import Review


def review_of(names: Sequence[str], reviewer: str = "", slides: int = 1) -> Review:
    """One person's classes of the objects 0, 1, 2 ..., spread over slides."""
    return make_review(
        *(
            make_verdict(number, name, slide=f"s / a / {number % slides:03d}")
            for number, name in enumerate(names)
            if name
        ),
        reviewer=reviewer,
    )


def test_counts_every_pair_of_answers() -> None:
    first = review_of(["tooth"] * 4 + ["noise"] * 4 + ["denticle"] * 2, "A")
    second = review_of(["tooth"] * 3 + ["noise"] * 4 + ["tooth"] + ["denticle"] * 2, "B")
    found = agreement(first, second)
    assert found.reviewers == ("A", "B")
    assert found.class_names == ("tooth", "denticle", "sawtoothed", "noise")
    assert found.table == ((3, 0, 0, 1), (0, 2, 0, 0), (0, 0, 0, 0), (1, 0, 0, 3))
    assert (found.compared, found.agreed) == (10, 0.8)
    assert found.kappa == pytest.approx((0.8 - 0.36) / (1 - 0.36))
    assert found.kappa_95 is not None
    assert found.kappa_95[0] < 0.6875 < found.kappa_95[1]
    tooth, denticle, sawtoothed, _ = found.classes
    assert (tooth.both, tooth.first_only, tooth.second_only) == (3, 1, 1)
    assert denticle.kappa == 1.0
    assert sawtoothed.kappa is None


def test_what_one_alone_judged_or_took_over_is_not_compared() -> None:
    first = make_review(make_verdict(1), make_verdict(2), make_verdict(3), make_verdict(4))
    second = make_review(
        make_verdict(2),
        make_verdict(3, "noise", earlier=True),
        make_verdict(4, "noise"),
        make_verdict(5),
    )
    found = agreement(first, second)
    assert found.compared == 2
    assert (found.first_only, found.second_only) == (2, 1)
    assert found.reviewers == ("first", "second")


def test_unsure_is_left_out_or_counted() -> None:
    first = review_of(["tooth", "unsure", "noise", "unsure"])
    second = review_of(["tooth", "tooth", "noise", "unsure"])
    found = agreement(first, second)
    assert (found.compared, found.unsure, found.kappa) == (2, 2, 1.0)
    counted = agreement(first, second, count_unsure=True)
    assert (counted.compared, counted.unsure) == (4, 2)
    assert counted.class_names[-1] == "unsure"
    assert (counted.table[-1][0], counted.table[-1][-1]) == (1, 1)


def test_is_the_same_seen_from_the_other_side() -> None:
    rng = np.random.default_rng(2)
    names = np.array(["tooth", "denticle", "noise"])
    first, second = (review_of(names[rng.integers(3, size=60)].tolist(), slides=6) for _ in "ab")
    one, other = agreement(first, second), agreement(second, first)
    assert one.kappa == pytest.approx(other.kappa)
    assert one.kappa_95 == pytest.approx(other.kappa_95)
    assert np.array_equal(np.array(one.table), np.array(other.table).T)
    assert one.kappa_95 is not None
    assert one.kappa_95[0] < 0 < one.kappa_95[1]  # at random


def test_slides_that_differ_widen_the_interval() -> None:
    """All disagreement lies on two slides of eight: slides are then what must be drawn."""
    truth = ["tooth" if number % 3 else "noise" for number in range(240)]
    odd = [
        "noise" if number % 8 < 2 and name == "tooth" else name for number, name in enumerate(truth)
    ]
    found = agreement(review_of(truth, slides=8), review_of(odd, slides=8))
    assert found.kappa_95 is not None
    assert found.kappa_95_by_slide is not None
    widths = [high - low for low, high in (found.kappa_95, found.kappa_95_by_slide)]
    assert widths[1] > 1.5 * widths[0]
    few = agreement(
        review_of(truth, slides=LEAST_SLIDES - 1), review_of(odd, slides=LEAST_SLIDES - 1)
    )
    assert few.kappa_95_by_slide is None


def test_says_it_in_json() -> None:
    found = agreement(review_of(["tooth", "noise"]), review_of(["tooth", "noise"]))
    body = json.loads(json.dumps(found.body()))
    assert body["kappa"] == 1.0
    assert body["kappa_95_by_slide"] is None
    assert body["table"][0][0] == 1


@pytest.mark.parametrize(
    ("second", "says"),
    [(["", "tooth"], "none in common"), (["unsure"], "could not tell"), ([], "none in common")],
)
def test_refuses_reviews_with_nothing_to_compare(second: list[str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        agreement(review_of(["tooth"]), review_of(second))


def test_the_command_compares_two_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"object_id": str(number)} for number in range(3)]
    first = make_file(tmp_path / "a.json", *rows, reviewer="A")
    rows[0]["class"] = "tooth"
    second = make_file(tmp_path / "b.json", *rows, reviewer="B")
    assert main(["evaluate", "--reviews", str(first), str(second)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    body = json.loads(line)
    assert (body["first"], body["second"], body["compared"]) == ("A", "B", 3)
    assert body["table"][3] == [1, 0, 0, 2]


def test_the_table_on_a_terminal_says_names_as_they_are() -> None:
    found = agreement(review_of(["tooth", "noise", "noise"], "[bold]A"),
                      review_of(["tooth", "noise", "unsure"], "B"))
    file = io.StringIO()
    Console(file=file, width=100).print(*agreement_tables(found))
    said = " ".join(file.getvalue().split())
    assert "2 objects: 100.0 % agreed (34.2 to 100.0 %), kappa 1.000" in said
    assert "[bold]A (rows), B" in said
    assert "1 that somebody could not tell" in said

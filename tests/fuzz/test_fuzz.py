"""Damaged input of every kind: only the documented errors, in time, in bounded memory.

The slow test runs a million. A failing input is written to a file and told with its number;
`Campaign(target, folder).input(number)` makes it again, and `REGRESSIONS` keeps the number.
"""

import sys

import pytest
from fuzz_targets import REAL_TARGETS, TARGETS
from fuzzing import Campaign
from realdata import ROOT

MILLION = 1_000_000
REAL_INPUTS = 10_000

REGRESSIONS: dict[str, tuple[int, ...]] = {}
"""Inputs that once failed, by target and number; the ones behind them are in the unit tests."""


@pytest.fixture(params=TARGETS + REAL_TARGETS, ids=lambda target: target.name)
def campaign(request, tmp_path):
    if request.param.name in ("picture", "pixels"):
        pytest.importorskip("cv2")
        pytest.importorskip("PIL")
    made = Campaign(request.param, tmp_path)
    if not made.seeds:
        pytest.skip(f"no real data at {ROOT} (SONAR_WATCH_TEST_DATA names the folder)")
    return made


def test_the_shares_are_a_million():
    assert sum(target.thousands for target in TARGETS) * 1000 == MILLION


def test_a_number_always_makes_the_same_input(campaign):
    again = Campaign(campaign.target, campaign._folder)
    assert [campaign.input(n) for n in range(99)] == [again.input(n) for n in range(99)]


def test_damaged_inputs_give_documented_errors_only(campaign):
    tally = campaign.run(campaign.target.quick)
    assert tally.failures == []
    assert tally.read > campaign.target.quick // 100


def test_inputs_that_once_failed(campaign):
    for number in REGRESSIONS.get(campaign.target.name, ()):
        assert campaign.run(1, start=number).failures == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_million_damaged_inputs(campaign, capsys):
    count = campaign.target.thousands * 1000 or REAL_INPUTS
    tally = campaign.run(count, start=campaign.target.quick)
    with capsys.disabled():
        sys.stderr.write(f"\n{tally.told(campaign.target.name)}\n")
    assert tally.failures == []
    assert tally.read + tally.refused == count

"""Kongsberg .asvp profiles."""

import numpy as np
import pytest
from realdata import real_data

from sonar_watch.errors import FormatError
from sonar_watch.formats.svp import read_asvp

HEADER = "( SoundVelocity  1.0 0 201203212242 22.5 -156.5 -1 0 0 OMS01_00000 P 0003 )\n"


def test_the_real_profile_keeps_its_levels_and_loses_its_extension():
    profile = read_asvp(real_data("svp", "20120321_224205.asvp"))
    assert profile.depth_m[[0, 1, -1]].tolist() == [0.0, 6.87, 5500.0]
    assert profile.speed_m_s[0] == 1531.40
    # The value that breaks the curve stays.
    assert profile.speed_m_s[np.flatnonzero(profile.depth_m == 2500.0)[0]] == 1508.49


def test_a_small_profile(tmp_path):
    path = tmp_path / "a.asvp"
    path.write_text(HEADER + "0 1500\r\n\r\n10.5\t1490.25 \n12000 1700\n")
    profile = read_asvp(path)
    assert profile.depth_m.tolist() == [0.0, 10.5]
    assert profile.speed_m_s.tolist() == [1500.0, 1490.25]


@pytest.mark.parametrize(("text", "said"), [
    ("", "line 1"),
    ("0 1500\n10 1490\n", "line 1"),
    (HEADER + "0 1500\nten 1490\n", "line 3.*'ten 1490'"),
    (HEADER + "0 1500\n10\n", "line 3"),
    (HEADER + "0 1500\n", "2 or more levels"),
    (HEADER + "0 1500\n10 1490\n5 1490\n", "increasing"),
    (HEADER + "0 1500\n10 149\n", "1350"),
    (HEADER + "0 1500\n10 nan\n", "1350"),
])
def test_broken_profiles_are_refused_by_name(tmp_path, text, said):
    path = tmp_path / "bad.asvp"
    path.write_text(text)
    with pytest.raises(FormatError, match=f"bad.asvp.*{said}"):
        read_asvp(path)

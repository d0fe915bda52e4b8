"""An independent reader, themachinethatgoesping, sees the same samples as we do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from realdata import real_data

from sonar_watch.formats import em, kmall
from sonar_watch.records import WaterColumnPing

STEMS = {
    "em710_heincke": (".wcd", 10), "em710_karoline": (".wcd", 11),
    "em2040_simonstevin": (".wcd", 11), "em2042_os01_a": (".kmwcd", 5),
    "em2042_os01_b": (".kmwcd", 5), "em2042_os01_c": (".kmwcd", 5),
    "em2042_os01_d": (".kmwcd", 4), "em2042_os03_a": (".kmwcd", 6),
    "em2042_os03_b": (".kmwcd", 6), "em2040_tampa": (".kmwcd", 6),
}
"""The water-column file of each pair and its swaths."""


@pytest.fixture
def open_oracle(oracle):
    """Return a way to list the oracle's pings with water column in files."""
    handlers = {
        ".kmwcd": oracle.kmall.KMALLFileHandler,
        ".wcd": oracle.kongsbergall.KongsbergAllFileHandler,
    }

    def open_files(*paths: Path):
        handler = handlers[paths[0].suffix]([str(path) for path in paths], show_progress=False)
        pings = [ping for ping in handler.get_pings() if ping.has_watercolumn()]
        pings.sort(key=lambda ping: ping.get_timestamp())
        return [ping for ping in pings if ping.watercolumn.has_amplitudes()]

    return open_files


@pytest.mark.parametrize("stem", STEMS)
def test_real_files_agree_with_the_oracle(stem, open_oracle, read_all, assert_same_ping):
    suffix, swaths = STEMS[stem]
    path = real_data("kongsberg", stem + suffix)
    twin = path.with_suffix(".kmall" if suffix == ".kmwcd" else ".all")
    ours = [item for item in read_all(path) if isinstance(item, WaterColumnPing)]
    theirs = open_oracle(path, twin)
    assert len(ours) == len(theirs) == swaths
    for ping, expected in zip(ours, theirs, strict=True):
        assert_same_ping(expected, ping)


def test_the_oracle_reads_kmall_that_we_write(
    tmp_path, make_ping, make_navigation, mounting, profile, start_utc, open_oracle,
    assert_same_ping,
):
    pings = [make_ping(counter, beams=32, samples=200) for counter in range(1, 6)]
    data = (
        kmall.encode_iip(start_utc, mounting, sounder="em304")
        + kmall.encode_iop(start_utc, "\nDepth mode: Deep\n", sounder="em304")
        + kmall.encode_svp(start_utc, profile, sounder="em304")
        + kmall.encode_skm(make_navigation(), sounder="em304")
        + kmall.encode_spo(make_navigation("spo"), sounder="em304")
        + b"".join(
            kmall.encode_che(ping.time_utc, ping.ping_counter, 0.25, sounder="em304")
            + kmall.encode_mwc(ping, heave_m=0.25)
            for ping in pings
        )
    )
    path = tmp_path / "0001_20260304_050607_Ship.kmwcd"
    path.write_bytes(data)
    theirs = open_oracle(path)
    assert len(theirs) == len(pings)
    for expected, ping in zip(theirs, pings, strict=True):
        assert_same_ping(expected, ping)
        place = expected.get_geolocation()
        assert place.z == pytest.approx(mounting.depth_m, abs=0.5)  # with heave, roll and pitch
        assert place.latitude == pytest.approx(45.0, abs=0.001)
        assert place.longitude == pytest.approx(-130.0, abs=0.002)


def test_the_oracle_reads_all_that_we_write(
    tmp_path, make_ping, make_navigation, mounting, profile, start_utc, open_oracle,
    assert_same_ping,
):
    sounder = "em710-210"
    pings = [
        replace(
            ping, detected_sample=np.round(ping.detected_sample),
            sample_count=ping.sample_count // 2 * 2,
        )
        for ping in (
            make_ping(counter, beams=32, samples=200, sounder=sounder) for counter in range(1, 6)
        )
    ]
    data = (
        em.encode_i(start_utc, mounting, sounder=sounder)
        + em.encode_r(start_utc, sounder=sounder)
        + em.encode_u(start_utc, profile, sounder=sounder)
        + em.encode_a(make_navigation(), sounder=sounder)
        + em.encode_p(make_navigation(), sounder=sounder)
        + b"".join(em.encode_k(ping, heave_m=0.25, largest=5000) for ping in pings)
    )
    path = tmp_path / "0001_20260304_050607_Ship.wcd"
    path.write_bytes(data)
    theirs = open_oracle(path)
    assert len(theirs) == len(pings)
    for expected, ping in zip(theirs, pings, strict=True):
        assert_same_ping(expected, ping)
        place = expected.get_geolocation()
        assert place.latitude == pytest.approx(45.0, abs=0.001)
        assert place.longitude == pytest.approx(-130.0, abs=0.002)

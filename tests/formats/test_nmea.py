"""NMEA sentences: every kind, the quirks of real logs, and nothing but FormatError on garbage."""

import contextlib
import warnings
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import real_data

from sonar_watch.errors import FormatError
from sonar_watch.formats import nmea
from sonar_watch.formats.nmea_sentences import DECODERS, KNOT_M_S

NOON = datetime(2014, 8, 1, 12, 0, 0, 400_000, tzinfo=UTC)
GGA = "$INGGA,120000.16,2200.110899,S,01756.359432,W,1,12,0.7,-2.76,M,4.67,M,,"


def with_checksum(body: str, *, lower: bool = False) -> str:
    checksum = 0
    for character in body.encode():
        checksum ^= character
    text = f"{checksum:02X}"
    return f"${body}*{text.lower() if lower else text}"


def value(sentence: str, name: str) -> float:
    sample = nmea.parse_sentence(sentence, NOON)
    assert sample is not None
    return float(getattr(sample, name)[0])


REAL_COUNTS = {
    "gp02": {"nmea:GPGLL": 667, "nmea:GPVTG": 666, None: 667},
    "gyr1": {"nmea:HEHDT": 2000},
    "knud": {None: 2000},
    "mbdp": {"nmea:KIDPT": 2000},
    "s330": {"nmea:INGGA": 250, "nmea:INVTG": 250, "nmea:INRMC": 250, "nmea:INHDT": 250,
             "nmea:PSXN": 250, None: 750},
    "seap": {"nmea:GPGGA": 286, "nmea:GPVTG": 286, "nmea:GPHDT": 286, "nmea:PSXN": 285, None: 857},
}


@pytest.mark.parametrize(("instrument", "expected"), REAL_COUNTS.items())
def test_real_logs_decode_without_error(instrument, expected):
    path = real_data("nmea", f"NBP1406_{instrument}-2014-08-01")
    samples = [nmea.parse_log_line(line) for line in path.read_text().splitlines()]
    assert Counter(sample and sample.sensor for sample in samples) == expected
    for sample in filter(None, samples):
        if sample.latitude is not None:
            # Eleven minutes at ten knots are two miles.
            assert abs(sample.latitude[0] + 22.0) < 0.05
            assert abs(sample.longitude[0] + 17.95) < 0.05
        if sample.heading_deg is not None:
            assert 205 < sample.heading_deg[0] < 235
        if sample.speed_m_s is not None:
            assert 3 < sample.speed_m_s[0] < 7


def test_every_real_sentence_is_of_a_known_kind():
    known = {*DECODERS, "ZDA", "PSXN20", "PSXN22"}
    for path in real_data("nmea").glob("NBP*"):
        for line in path.read_text().splitlines():
            if " $" in line:
                fields = line.split(" ", 1)[1].split("*")[0].split(",")
                kind = "PSXN" + fields[1] if fields[0] == "$PSXN" else fields[0][3:]
                assert kind in known


@pytest.mark.parametrize("instrument", ["s330", "seap"])
def test_positions_agree_with_pynmeagps(instrument):
    pynmeagps = pytest.importorskip("pynmeagps")
    path = real_data("nmea", f"NBP1406_{instrument}-2014-08-01")
    compared = 0
    for line in path.read_text().splitlines():
        stamp_free = line.split(" ", 1)[1]
        sample = nmea.parse_log_line(line)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            oracle = pynmeagps.NMEAReader.parse((stamp_free + "\r\n").encode(), validate=0)
        if sample is None or sample.latitude is None:
            continue
        assert sample.latitude[0] == pytest.approx(oracle.lat, abs=1e-9)
        assert sample.longitude[0] == pytest.approx(oracle.lon, abs=1e-9)
        compared += 1
    assert compared >= 250


@pytest.mark.parametrize(("sentence", "name", "expected"), [
    (GGA, "latitude", -(22 + 0.110899 / 60)),
    (GGA, "longitude", -(17 + 56.359432 / 60)),
    ("$GNGNS,120000,5114.51,N,00012.29,E,ANN,07,1.18,111.5,45.6,,", "latitude", 51 + 14.51 / 60),
    ("$GPRMC,120000,A,0000.6,N,17959.4,W,10.0,359.9,010814,,", "longitude", -(179 + 59.4 / 60)),
    ("$GPRMC,120000,A,0000.6,N,17959.4,W,10.0,359.9,010814,,", "course_deg", 359.9),
    ("$GPRMC,120000,A,0000.6,N,17959.4,W,10.0,359.9,010814,,", "speed_m_s", 10 * KNOT_M_S),
    ("$GPGLL,2200.097,S,01756.346,W", "latitude", -(22 + 0.097 / 60)),
    ("$GPVTG,220.6,T,,M,009.7,N,018.0,K", "speed_m_s", 9.7 * KNOT_M_S),
    ("$GPVTG,220.6,T,,M,,N,018.0,K", "speed_m_s", 5.0),
    ("$HEHDT,360.00,T", "heading_deg", 0.0),
    ("$KIDPT,4419.96,8.20,12000.0", "depth_m", 4428.16),
    ("$KIDPT,4419.96,-1.5", "depth_m", 4419.96),
    ("$KIDPT,4419.96", "depth_m", 4419.96),
    ("$PSXN,23,0.35,-1.74,218.26,0.58", "roll_deg", 0.35),
    ("$PSXN,23,0.35,-1.74,218.26,0.58", "heading_deg", 218.26),
    ("$PSXN,23,0.35,-1.74,218.26,0.58", "heave_m", 0.58),
    ("$PASHR,120000.8,312.95,T,-0.83,-0.42,-0.01,0.2,0.2,0.3,2,1", "pitch_deg", -0.42),
    ("$PASHR,120000.8,312.95,T,-0.83,-0.42,-0.01,0.2,0.2,0.3,2,1", "heading_deg", 312.95),
])
def test_values(sentence, name, expected):
    assert value(sentence, name) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("sentence", [
    "$GPGGA,120000,,,,,0,,,,,,,,",
    "$GPGGA,120000,2200.1,S,01756.3,W,0,,,,,,,,",
    "$GPGGA,120000,2200.1,S,01756.3,W,7,,,,,,,,",
    "$GNGNS,120000,2200.1,S,01756.3,W,NNN,07,,,,,",
    "$GPRMC,120000,V,2200.1,S,01756.3,W,,,010814,,",
    "$GPGLL,2200.097,S,01756.346,W,120000,V",
    "$GPGLL,,,,",
    "$GPVTG,,T,,M,,N,,K",
    "$GPVTG,1.0,T,,M,1.0,N,,K,N",
    "$HEHDT,,T",
    "$KIDPT,,8.0",
    "$KIDPT,0.0,8.0",
    "$PSXN,23,,,,",
    "$PSXN,20,1,0,0,0",
    "$PSXN",
    "$PASHR,POS,1,2,3",
    "$GPZDA,000000,01,08,2014,7",
    "$GPXTE,A,A,0.67,L,N",
    "$P",
    "$",
])
def test_sentences_without_navigation_give_none(sentence):
    assert nmea.parse_sentence(sentence, NOON) is None


@pytest.mark.parametrize("sentence", [
    "",
    "no sentence",
    "!AIVDM,1,1,,A,x,0",
    "$HEHDT,218.53,T*13",
    "$HEHDT,218.53,T*1",
    "$HEHDT,nan,T",
    "$HEHDT,inf,T",
    "$HEHDT,1_0,T",
    "$HEHDT,1e2,T",
    "$HEHDT,400,T",
    "$HEHDT,-1,T",
    "$HEHDT",
    "$GPGGA,120000,2260.1,S,01756.3,W,1",
    "$GPGGA,120000,9200.1,S,01756.3,W,1",
    "$GPGGA,120000,2200.1,X,01756.3,W,1",
    "$GPGGA,120000,nan,S,01756.3,W,1",
    "$GPGGA,120000,2200.1",
    "$GPGGA,250000,2200.1,S,01756.3,W,1",
    "$GPVTG,220.6,T,,M,-3,N",
    "$HEHDT,218.53" + ",T" * 1000,
])
def test_broken_sentences_are_refused(sentence):
    with pytest.raises(FormatError):
        nmea.parse_sentence(sentence, NOON)


def test_the_error_shows_the_sentence():
    with pytest.raises(FormatError, match=r"HEHDT,218\.5x,T.*expected a number.*218\.5x"):
        nmea.parse_sentence("$HEHDT,218.5x,T", NOON)


def test_checksums_in_lower_case_and_none_at_all():
    body = "KIDPT,4419.96,8.20,12000.0"
    for sentence in (with_checksum(body), with_checksum(body, lower=True), "$" + body):
        assert value(sentence + "\r\n", "depth_m") == pytest.approx(4428.16)


def test_the_position_sigma_follows_quality_and_dilution():
    sample = nmea.parse_sentence(GGA, NOON)
    assert sample.position_sigma_m == pytest.approx(2.1)
    assert nmea.parse_sentence(GGA.replace("W,1,12,0.7", "W,1,12,"), NOON).position_sigma_m is None


@pytest.mark.parametrize(("time_of_day", "received", "expected"), [
    ("120000.16", "2014-08-01T12:00:00.400Z", "2014-08-01T12:00:00.160Z"),
    ("115958.5", "2014-08-01T12:00:00.400Z", "2014-08-01T11:59:58.500Z"),
    ("115958.3", "2014-08-01T12:00:00.400Z", "2014-08-01T12:00:00.400Z"),
    ("060000", "2014-08-01T12:00:00.400Z", "2014-08-01T12:00:00.400Z"),
    ("", "2014-08-01T12:00:00.400Z", "2014-08-01T12:00:00.400Z"),
    ("235959.9", "2014-08-02T00:00:00.200Z", "2014-08-01T23:59:59.900Z"),
    ("000000.1", "2014-08-01T23:59:59.900Z", "2014-08-02T00:00:00.100Z"),
])
def test_the_time_of_day_refines_the_stamp_only_when_near(time_of_day, received, expected):
    sentence = GGA.replace("120000.16", time_of_day)
    sample = nmea.parse_log_line(f"{received} {sentence}")
    assert sample.time_s[0] == pytest.approx(datetime.fromisoformat(expected).timestamp(), abs=1e-6)


@pytest.mark.parametrize("line", [
    "2014-08-01T12:00:00.4Z $HEHDT,218.53,T*12",
    "2014-08-01T12:00:00.400000Z\t$HEHDT,218.53,T*12\r\n",
    "2014-08-01 12:00:00.400,$HEHDT,218.53,T",
    "2014-08-01T14:00:00.400+02:00 $HEHDT,218.53,T",
    "gyr1 2014-08-01T12:00:00.400Z $HEHDT,218.53,T*12",
    "2014-08-01T12:00:00.400Z UdPbC\x00\\s:HE0001,n:1*00\\$HEHDT,218.53,T*12",
    "2014-08-01T12:00:00.400Z \\s:HE0001*00\\\\c:1406894400*00\\$HEHDT,218.53,T*12",
])
def test_log_lines_of_many_hands(line):
    sample = nmea.parse_log_line(line)
    assert sample.heading_deg[0] == 218.53
    assert sample.time_s[0] == pytest.approx(NOON.timestamp(), abs=1e-6)
    assert sample.sensor == "nmea:HEHDT"


@pytest.mark.parametrize("line", ["", "  \n", "# comment", "2014-08-01T12:00:00Z 3.5kHz,4396.03,1"])
def test_lines_without_sentence_give_none(line):
    assert nmea.parse_log_line(line) is None


@pytest.mark.parametrize("line", [
    "$HEHDT,218.53,T*12",
    "2014-13-01T12:00:00Z $HEHDT,218.53,T*12",
    "0001-01-01T00:00:00+14:00 $HEHDT,218.53,T*12",
    "\x00\xff",
])
def test_lines_without_a_stamp_are_refused(line):
    with pytest.raises(FormatError):
        nmea.parse_log_line(line)


def test_datagrams_are_split():
    data = b"UdPbC\x00\\g:1-2-33,s:GP0001*00\\" + GGA.encode() + b"\r\n$HEHDT,1.0,T\r\n\r\n"
    assert nmea.split_datagram(data) == [GGA, "$HEHDT,1.0,T"]
    assert nmea.split_datagram(b"RaUdP\x00\x01\x02\xff") == []


@pytest.mark.parametrize(("datagram", "expected"), [
    (b"$INHDT,1.0,T*12$HEHDT,2.0,T*00\r\n", ["$INHDT,1.0,T*12", "$HEHDT,2.0,T*00"]),
    (b"$INHDT,1.0,T\\s:GP0001,n:7*00\\$HEHDT,2.0,T", ["$INHDT,1.0,T", "$HEHDT,2.0,T"]),
    (b"UdPbC\0\\g:1-2-1234,s:IN0001*4A\\\\c:1406894400*5F\\$INHDT,1.0,T\r\n"
     b"UdPbC\0\\g:2-2-1234*00\\$HEHDT,2.0,T\r\n", ["$INHDT,1.0,T", "$HEHDT,2.0,T"]),
    (b"UdPbC\0\\s:GP0001,n:8*28$INHDT,1.0,T\r\n", ["$INHDT,1.0,T"]),  # a block left open
    (b"UdPbC\0\\s:GP0001,n:9*28\\\r\n", []), (b"UdPbC\0", []), (b"", []),
    (b"RrUdP\0\x01$INHDT,1.0,T", []), (b"costs 5 $\r\n!AIVDM,1,1,,A,x,0*00\r\n", []),
])
def test_sentences_are_found_in_every_envelope(datagram, expected):
    assert nmea.split_datagram(datagram) == expected


@pytest.mark.parametrize(("sentence", "expected"), [
    ("$INZDA,115959.90,01,08,2014,,", (-0.5, 0)),
    ("$INZDA,120000.40,16,12,1994,,", (0.0, 1)),
    ("$INZDA,120003.40,02,05,1975,,", (3.0, 2)),
    ("$INZDA,120000.40,17,03,2034,,", (0.0, -1)),
    ("$GPRMC,120100.40,A,2200.1,S,01756.3,W,9.1,215.1,010814,,", (60.0, 0)),
    ("$GPRMC,120000.40,A,2200.1,S,01756.3,W,9.1,215.1,161294,,", (0.0, 1)),
    ("$GPRMC,120000.40,V,,,,,,,060180,,", None),
    ("$GPRMC,120000.40", None),
    ("$GPZDA,,,,,,", None),
    (GGA, None),
])
def test_the_clock_of_the_ship_is_compared_whatever_the_rollover(sentence, expected):
    reading = nmea.read_clock(sentence, NOON)
    assert reading == (None if expected is None else pytest.approx(expected, abs=1e-6))


@pytest.mark.parametrize("date", ["31,02,2014", "1,1," + "9" * 400])
def test_a_date_of_no_calendar_is_refused(date):
    with pytest.raises(FormatError):
        nmea.read_clock(f"$INZDA,115959.90,{date},,", NOON)


def test_the_talker_is_told():
    assert nmea.talker_of("\\s:GP0001*28\\$GPZDA,,,,") == "GP"
    assert nmea.talker_of("no sentence") == ""


def test_a_rollover_is_1024_weeks():
    assert timedelta(weeks=1024) == nmea.GPS_ROLLOVER


FIELD = st.one_of(
    st.sampled_from(["", "A", "N", "S", "E", "W", "1", "120000", "2200.1", "-3", "nan", "99999.9"]),
    st.text(max_size=8),
    st.floats().map(repr),
)


@given(kind=st.sampled_from(["GPGGA", "GNGNS", "GPRMC", "GPGLL", "GPVTG", "HEHDT", "SDDPT", "PSXN",
                             "PASHR", "GPZDA"]),
       fields=st.lists(FIELD, max_size=14))
def test_any_fields_give_a_sample_none_or_format_error(kind, fields):
    body = ",".join([kind, *fields])
    for sentence in ("$" + body, with_checksum(body.encode("utf-8", "replace").decode())):
        for parse in (nmea.parse_sentence, nmea.read_clock):
            try:
                answer = parse(sentence, NOON)
            except FormatError:
                continue
            if parse is nmea.parse_sentence and answer is not None and answer.latitude is not None:
                assert np.isfinite(answer.latitude).all()


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200).map(lambda b: b.decode("latin-1"))))
def test_any_text_gives_a_sample_none_or_format_error(text):
    for line in (text, f"2014-08-01T12:00:00Z {text}", f"2014-08-01T12:00:00Z ${text}"):
        with contextlib.suppress(FormatError):
            nmea.parse_log_line(line)
    nmea.split_datagram(text.encode("utf-8", "replace"))


@given(st.data())
def test_a_flipped_character_never_passes_a_checksum_as_another_position(data):
    good = with_checksum(GGA[1:])
    at = data.draw(st.integers(1, len(good) - 4))
    other = data.draw(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="*$!"))
    bad = good[:at] + other + good[at + 1 :]
    if other == good[at]:
        return
    with pytest.raises(FormatError):
        nmea.parse_sentence(bad, NOON)

"""What KMALL says to tell two sounders of one model apart."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from sonar_watch.formats.datagrams import Datagram, LineContext
from sonar_watch.formats.kmall import KmallDecoder, encode_mwc
from sonar_watch.formats.kmall_setup import encode_text
from sonar_watch.records import SourceRef, WaterColumnPing

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def as_sent(data: bytes, system: int) -> Datagram:
    """Return a datagram with another system number in its header."""
    return Datagram(kind=data[4:8].decode(), data=data[:9] + bytes([system]) + data[10:], offset=0)


def water() -> bytes:
    beams, samples = 4, 12
    return encode_mwc(WaterColumnPing(
        time_utc=START, ping_counter=1, swath=0, sounder="em2040",
        beam_angle_deg=np.linspace(-50, 50, beams, dtype=np.float32),
        samples_half_db=np.full((beams, samples), -60, np.int8),
        first_sample=np.zeros(beams, np.int32), sample_count=np.full(beams, samples, np.int32),
        detected_sample=np.full(beams, 9.0, np.float32), sector=np.zeros(beams, np.int32),
        sector_frequency_hz=np.array([300e3], np.float32),
        sector_tilt_deg=np.zeros(1, np.float32), sample_rate_hz=4000.0, sound_speed_m_s=1500.0,
        source=SourceRef(source="made", file="made"),
    ))  # fmt: skip


@pytest.mark.parametrize("system", [40, 41])
def test_system_and_serial_number_are_told_as_soon_as_they_are_said(system: int) -> None:
    shared = LineContext()
    one, twin = (
        KmallDecoder(source="raw", file=name, context=shared) for name in ("a.kmwcd", "a.kmall")
    )

    def unit() -> str:
        (ping,) = one.decode(as_sent(water(), system))
        assert isinstance(ping, WaterColumnPing)
        assert ping.sounder == "em2040"  # and with it the frame's id
        return ping.unit

    assert unit() == f"{system}"
    text = "OSCV:Empty,EMXV:EM2040P,\nPU_0,\nSN=53037,\nIP=157.237.20.40:0xffff0000,\n"
    assert twin.decode(as_sent(encode_text("#IIP", START, text, sounder="em2040"), system)) == []
    assert unit() == f"{system}-53037"

import contextlib
import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from alert_strategies import alerts, covariances
from hypothesis import given
from hypothesis import strategies as st

from sonar_watch.alerts.feature import error_ellipse
from sonar_watch.alerts.message import (
    SCHEMA_PATH,
    alert_feature,
    alert_topic,
    decode_alert,
    encode_alert,
    json_schema,
    schema_text,
)
from sonar_watch.alerts.testing import sample_alert
from sonar_watch.alerts.text import canonical_json
from sonar_watch.errors import WireError
from sonar_watch.records import Alert
from sonar_watch.watercolumn.vetoes import REASONS

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
SAMPLE_V1 = Path(__file__).parent / "data" / "alert_v1.json"


def changed(**properties: object) -> bytes:
    feature = alert_feature(sample_alert())
    feature["properties"].update(properties)
    return json.dumps(feature).encode()


@given(alerts)
def test_decoding_and_encoding_again_gives_the_same_bytes(alert: Alert) -> None:
    body = encode_alert(alert)
    assert encode_alert(decode_alert(body)) == body


@given(alerts)
def test_whatever_is_encoded_keeps_to_the_schema(alert: Alert) -> None:
    VALIDATOR.validate(json.loads(encode_alert(alert)))


def test_an_alert_comes_back_as_it_was() -> None:
    assert decode_alert(encode_alert(sample_alert(7, kind="update"))) == sample_alert(
        7, kind="update"
    )


def test_the_text_is_canonical() -> None:
    body = encode_alert(sample_alert())
    assert body == canonical_json(json.loads(body))
    assert b" " not in body.replace(b"no ground contact", b"")


def test_numbers_are_rounded_and_never_minus_zero() -> None:
    alert = sample_alert(
        latitude=-0.00000001, longitude=1.123456789, height_m=208.456, peak_confidence=0.123456
    )
    feature = alert_feature(alert)
    assert feature["geometry"]["coordinates"] == [1.1234568, 0.0]
    assert math.copysign(1, feature["geometry"]["coordinates"][1]) == 1
    assert feature["properties"]["height_m"] == 208.46
    assert feature["properties"]["peak_confidence"] == 0.1235


def test_numpy_numbers_are_taken() -> None:
    alert = sample_alert(
        latitude=np.float64(31.5), peak_confidence=np.float32(0.5), swath_count=np.int64(4)
    )
    assert decode_alert(encode_alert(alert)).event.swath_count == 4


def test_without_a_position_there_is_a_reason() -> None:
    feature = alert_feature(sample_alert(latitude=None, longitude=None, covariance_m2=None))
    assert feature["geometry"] is None
    assert feature["properties"]["position_note"] == "no position was given"
    assert feature["properties"]["position_error"] is None
    noted = sample_alert(latitude=None, longitude=None, position_note="navigation is 40 s old")
    assert alert_feature(noted)["properties"]["position_note"] == "navigation is 40 s old"


@pytest.mark.parametrize(
    ("event", "where"),
    [
        ({"latitude": math.nan}, "coordinates"),
        ({"longitude": 181.0}, "coordinates"),
        ({"height_m": math.inf}, "height_m"),
        ({"covariance_m2": (math.nan, 0.0, 1.0)}, "covariance"),
        ({"peak_confidence": 1.5}, "peak_confidence"),
    ],
)
def test_impossible_numbers_are_refused_with_their_name(event: dict, where: str) -> None:
    with pytest.raises(WireError, match=where):
        encode_alert(sample_alert(**event))


@given(covariances())
def test_the_ellipse_is_the_covariance(covariance: tuple[float, float, float]) -> None:
    east, cross, north = covariance
    major, minor, azimuth = error_ellipse(covariance)
    assert 0 <= azimuth < 180
    values = np.linalg.eigvalsh([[east, cross], [cross, north]])
    scale = max(east + north, 1e-9)
    assert minor**2 == pytest.approx(values[0], abs=1e-6 * scale)
    assert major**2 == pytest.approx(values[1], abs=1e-6 * scale)
    along = np.array([math.sin(math.radians(azimuth)), math.cos(math.radians(azimuth))])
    turned = along @ np.array([[east, cross], [cross, north]]) @ along
    assert turned == pytest.approx(major**2, abs=1e-6 * scale)


@pytest.mark.parametrize(
    ("covariance", "azimuth"),
    [((4, 0, 1), 90), ((1, 0, 4), 0), ((2, 1, 2), 45), ((2, -1, 2), 135)],
)
def test_azimuth_is_clockwise_from_north(covariance: tuple, azimuth: float) -> None:
    assert error_ellipse(covariance)[2] == pytest.approx(azimuth)


def test_the_committed_schema_is_the_generated_one() -> None:
    assert SCHEMA_PATH.read_text() == schema_text(), (
        "the types have changed: write it again with python -c 'from sonar_watch.alerts import "
        "message as m; m.SCHEMA_PATH.write_text(m.schema_text())', and keep old samples decoding"
    )


def test_a_message_of_the_first_version_still_decodes() -> None:
    body = SAMPLE_V1.read_bytes()
    VALIDATOR.validate(json.loads(body))
    assert decode_alert(body) == sample_alert(
        1, vetoed=(("beyond the minimum slant range", 2),), agreement=None
    )


def test_unknown_fields_are_ignored() -> None:
    assert decode_alert(changed(sampled_by="a CTD", more={"a": 1})) == sample_alert()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        changed(schema="sonar_watch.alert/2"),
        changed(kind="rumour"),
        changed(sequence=0),
        changed(sequence="5"),
        changed(time_utc="2026-13-45T00:00:00.000000Z"),
        changed(time_utc="yesterday"),
        changed(height_m=1e999),
        changed(seen_utc=["2026-01-02T03:04:05.000000Z"]),
    ],
)
def test_what_is_no_alert_is_refused(body: bytes) -> None:
    with pytest.raises(WireError, match=r"expected an alert of schema sonar_watch.alert/1"):
        decode_alert(body)


@given(st.binary(max_size=60), st.integers(0, 2000))
def test_damaged_messages_raise_wire_errors_only(junk: bytes, where: int) -> None:
    body = bytearray(encode_alert(sample_alert()))
    body[where : where + len(junk)] = junk
    with contextlib.suppress(WireError):
        decode_alert(bytes(body))


def test_topics() -> None:
    assert alert_topic(sample_alert()) == "live.alert.new."
    assert alert_topic(replace(sample_alert(), tense="replay", kind="end")) == "replay.alert.end."


def test_the_example_in_the_documentation_is_what_is_published() -> None:
    text = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()
    example = text.split("```json\n")[1].split("```")[0]
    assert json.loads(example) == alert_feature(sample_alert(1))
    vetoes = {veto["reason"] for veto in json.loads(example)["properties"]["vetoed"]}
    assert vetoes <= set(REASONS)

"""The shape of an alert on the wire: the models that alert.schema.json is generated from.

A GeoJSON Feature (RFC 7946). A reader ignores fields that it does not know; a field is never
given another meaning under the same schema name. Numbers are rounded in the types.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sonar_watch.alerts.text import printable
from sonar_watch.records import AlertKind, EventState, Tense, parse_utc

SCHEMA: Final = "sonar_watch.alert/1"

Covariance = tuple[float, float, float]


def _rounded(decimals: int) -> Callable[[float], float]:
    """Return a rounding that gives a float and never a minus zero: one text per number."""
    return lambda value: round(float(value), decimals) + 0.0


def _existing_instant(text: str) -> str:
    """Return `text` when the calendar knows it."""
    parse_utc(text)
    return text


Text = Annotated[str, AfterValidator(printable)]
Instant = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", description="UTC, ISO 8601 with Z"),
    AfterValidator(_existing_instant),
]
Metres = Annotated[float, AfterValidator(_rounded(2))]
SquareMetres = Annotated[float, AfterValidator(_rounded(2))]
Degrees = Annotated[float, AfterValidator(_rounded(2))]
Confidence = Annotated[float, Field(ge=0, le=1), AfterValidator(_rounded(4))]
Latitude = Annotated[float, Field(ge=-90, le=90), AfterValidator(_rounded(7))]
Longitude = Annotated[float, Field(ge=-180, le=180), AfterValidator(_rounded(7))]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    """A part of the message: unknown fields are ignored, NaN and infinity refused."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Point(_Part):
    """Foot of the plume on the seabed, WGS84 degrees, longitude first as GeoJSON wants."""

    type: Literal["Point"]
    coordinates: tuple[Longitude, Latitude]


class PositionError(_Part):
    """Error ellipse of the foot, one standard deviation: it holds 39 % of the cases."""

    covariance_m2: tuple[SquareMetres, SquareMetres, SquareMetres] = Field(
        description="east-east, east-north, north-north, square metres"
    )
    semi_major_1sigma_m: Metres
    semi_minor_1sigma_m: Metres
    azimuth_deg: Degrees = Field(
        description="of the semi-major axis, clockwise from true north, 0 to below 180"
    )


class BestFrame(_Part):
    """The frame with the peak confidence, and where it was recorded."""

    frame_id: Text
    source: Text = Field(description="name of the source in the configuration")
    file: Text = Field(description="file name without folders")
    offset: int | None = Field(default=None, description="bytes from the start of the file")
    ping_counter: int | None = None
    swath: int | None = None


class Vetoed(_Part):
    """Detections beside the plume that were turned down for one reason."""

    reason: Text
    count: Count


class Origin(_Part):
    """What made the alert: hashes and names."""

    weights: Text
    config: Text
    code: Text


class AlertProperties(_Part):
    """What is said about the plume besides its position."""

    schema_name: Literal["sonar_watch.alert/1"] = Field(alias="schema")
    sequence: Annotated[int, Field(ge=1, lt=2**63)] = Field(description="1, 2, 3 ... per journal")
    tense: Tense
    kind: AlertKind
    time_utc: Instant = Field(description="data time of this change")
    event_id: Text
    site_id: Text = Field(description="the place on the seabed, the same for every pass over it")
    state: EventState
    sounder: Text
    seen_utc: tuple[Instant, Instant] = Field(description="first and last swath that showed it")
    position_error: PositionError | None = None
    position_note: Text | None = Field(
        default=None, description="why there is no position, or what to know about it"
    )
    foot_depth_m: Metres = Field(description="below the water surface, + down")
    top_depth_m: Metres = Field(description="below the water surface, + down")
    height_m: Metres
    width_m: Metres
    swath_count: Count = Field(description="swaths that showed it")
    swaths_possible: Count = Field(description="swaths that could have shown it")
    peak_confidence: Confidence
    median_confidence: Confidence
    agreement: Confidence | None = Field(
        default=None,
        description="share of its swaths on which the classical detector saw it, too; "
        "null when it was not asked",
    )
    out_of_domain: Text | None = Field(
        default=None,
        description="why the network was not trained for what the sounder gave when this was "
        "said; null when it was, as far as is known",
    )
    best_frame: BestFrame
    vetoed: tuple[Vetoed, ...] = ()
    provenance: Origin


class AlertFeature(_Part):
    """One alert as a GeoJSON Feature (RFC 7946); `id` is the event's."""

    type: Literal["Feature"]
    id: Text
    geometry: Point | None = Field(description="null when no position could be given")
    properties: AlertProperties


def position_error(covariance_m2: Covariance | None) -> PositionError | None:
    """Return the ellipse of the rounded covariance: what a reader would compute from it."""
    if covariance_m2 is None:
        return None
    east, cross, north = map(_rounded(2), covariance_m2)
    major, minor, azimuth = error_ellipse((east, cross, north))
    return PositionError(
        covariance_m2=(east, cross, north),
        semi_major_1sigma_m=major,
        semi_minor_1sigma_m=minor,
        azimuth_deg=round(azimuth, 2) % 180,
    )


def error_ellipse(covariance_m2: Covariance) -> tuple[float, float, float]:
    """Return semi-major and semi-minor axis (1 sigma, metres) and azimuth of the major (degrees).

    Parameters
    ----------
    covariance_m2 : tuple of float
        East-east, east-north, north-north.

    >>> error_ellipse((100.0, 0.0, 25.0))
    (10.0, 5.0, 90.0)
    """
    east, cross, north = covariance_m2
    mean, spread = (east + north) / 2, math.hypot((east - north) / 2, cross)
    # Rounded first: a hair below zero modulo 180 would be 180 itself.
    azimuth = round(math.degrees(math.atan2(2 * cross, north - east)) / 2, 9) % 180
    # Rounding may have left a covariance a hair outside what is possible: hence the max.
    return math.sqrt(max(mean + spread, 0)), math.sqrt(max(mean - spread, 0)), azimuth

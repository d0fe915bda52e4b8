"""An alert as text: a GeoJSON Feature in canonical JSON, the same bytes for the same alert.

The models below are the contract: docs/wire.md explains them, alert.schema.json is generated
from them, and a reader ignores what it does not know. Numbers are rounded in the types, so
that encoding what was decoded gives the same bytes again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from sonar_watch.errors import WireError
from sonar_watch.records import (
    Alert,
    AlertKind,
    EventState,
    PlumeEvent,
    Provenance,
    SourceRef,
    Tense,
    iso_utc,
    parse_utc,
)

SCHEMA: Final = "sonar_watch.alert/1"
SCHEMA_PATH = Path(__file__).with_name("alert.schema.json")

Covariance = tuple[float, float, float]


def _rounded(decimals: int) -> Callable[[float], float]:
    """Return a rounding that gives a float and never a minus zero: one text per number."""
    return lambda value: round(float(value), decimals) + 0.0


def _printable(text: str) -> str:
    """Replace what is not Unicode, such as the bytes of an oddly named file."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _existing_instant(text: str) -> str:
    """Return `text` when the calendar knows it."""
    parse_utc(text)
    return text


Text = Annotated[str, AfterValidator(_printable)]
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
    best_frame: BestFrame
    vetoed: tuple[Vetoed, ...] = ()
    provenance: Origin


class AlertFeature(_Part):
    """One alert as a GeoJSON Feature (RFC 7946); `id` is the event's."""

    type: Literal["Feature"]
    id: Text
    geometry: Point | None = Field(description="null when no position could be given")
    properties: AlertProperties


def encode_alert(alert: Alert) -> bytes:
    """Return the canonical JSON of `alert`: keys sorted, numbers rounded, no spaces.

    Raises
    ------
    WireError
        A number is not finite or out of range.
    """
    return canonical_json(alert_feature(alert))


def decode_alert(body: bytes) -> Alert:
    """Return the alert in `body`; fields it does not know are ignored.

    Raises
    ------
    WireError
        The text is not JSON, or not an alert of a known schema.
    """
    try:
        feature = AlertFeature.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise WireError(f"expected an alert of schema {SCHEMA}: {_first_fault(error)}") from error
    return _alert(feature)


def alert_feature(alert: Alert) -> dict[str, Any]:
    """Return `alert` as the GeoJSON Feature that is published.

    Raises
    ------
    WireError
        A number is not finite or out of range.
    """
    try:
        feature = _feature(alert)
    except ValidationError as error:
        raise WireError(
            f"alert {alert.sequence} of event {alert.event.event_id}: {_first_fault(error)}"
        ) from error
    return feature.model_dump(mode="json", by_alias=True)


def alert_topic(alert: Alert) -> str:
    """Return the topic that `alert` is published under, such as "live.alert.new."."""
    return f"{alert.tense}.alert.{alert.kind}."


def canonical_json(value: object) -> bytes:
    """Return `value` as JSON with sorted keys and no spaces.

    Raises
    ------
    WireError
        Something in it is not JSON, NaN included.
    """
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(f"expected plain JSON values: {error}") from error


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
    azimuth = math.degrees(math.atan2(2 * cross, north - east)) / 2
    # Rounding may have left a covariance a hair outside what is possible: hence the max.
    return math.sqrt(max(mean + spread, 0)), math.sqrt(max(mean - spread, 0)), azimuth % 180


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of an alert, generated from the types."""
    schema = AlertFeature.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """Return the text of the committed alert.schema.json."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


def _first_fault(error: ValidationError) -> str:
    """Return where the first fault lies, what was expected and what came."""
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg']}, received {str(fault['input'])[:80]!r}"


def _feature(alert: Alert) -> AlertFeature:
    event = alert.event
    return AlertFeature(
        type="Feature",
        id=event.event_id,
        geometry=_point(event),
        properties=AlertProperties(
            schema=SCHEMA,
            sequence=alert.sequence,
            tense=alert.tense,
            kind=alert.kind,
            time_utc=iso_utc(alert.time_utc),
            event_id=event.event_id,
            site_id=event.site_id,
            state=event.state,
            sounder=event.sounder,
            seen_utc=(iso_utc(event.first_seen_utc), iso_utc(event.last_seen_utc)),
            position_error=_position_error(event.covariance_m2),
            position_note=_position_note(event),
            foot_depth_m=event.foot_depth_m,
            top_depth_m=event.top_depth_m,
            height_m=event.height_m,
            width_m=event.width_m,
            swath_count=event.swath_count,
            swaths_possible=event.swaths_possible,
            peak_confidence=event.peak_confidence,
            median_confidence=event.median_confidence,
            best_frame=_best_frame(event),
            vetoed=tuple(Vetoed(reason=reason, count=count) for reason, count in event.vetoed),
            provenance=Origin(
                weights=alert.provenance.weights,
                config=alert.provenance.config,
                code=alert.provenance.code,
            ),
        ),
    )


def _point(event: PlumeEvent) -> Point | None:
    if event.latitude is None or event.longitude is None:
        return None
    return Point(type="Point", coordinates=(event.longitude, event.latitude))


def _position_note(event: PlumeEvent) -> str | None:
    """Return the event's own note; a missing position never goes without a reason."""
    unplaced = event.latitude is None or event.longitude is None
    return event.position_note or ("no position was given" if unplaced else None)


def _position_error(covariance_m2: Covariance | None) -> PositionError | None:
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


def _best_frame(event: PlumeEvent) -> BestFrame:
    source = event.best_source
    return BestFrame(
        frame_id=event.best_frame_id,
        source=source.source,
        file=source.file,
        offset=source.offset,
        ping_counter=source.ping_counter,
        swath=source.swath,
    )


def _alert(feature: AlertFeature) -> Alert:
    said = feature.properties
    return Alert(
        sequence=said.sequence,
        tense=said.tense,
        kind=said.kind,
        time_utc=parse_utc(said.time_utc),
        event=_event(feature),
        provenance=Provenance(**said.provenance.model_dump()),
    )


def _event(feature: AlertFeature) -> PlumeEvent:
    said, error = feature.properties, feature.properties.position_error
    longitude, latitude = feature.geometry.coordinates if feature.geometry else (None, None)
    return PlumeEvent(
        event_id=said.event_id,
        state=said.state,
        sounder=said.sounder,
        first_seen_utc=parse_utc(said.seen_utc[0]),
        last_seen_utc=parse_utc(said.seen_utc[1]),
        latitude=latitude,
        longitude=longitude,
        covariance_m2=error.covariance_m2 if error else None,
        foot_depth_m=said.foot_depth_m,
        top_depth_m=said.top_depth_m,
        height_m=said.height_m,
        width_m=said.width_m,
        swath_count=said.swath_count,
        swaths_possible=said.swaths_possible,
        peak_confidence=said.peak_confidence,
        median_confidence=said.median_confidence,
        site_id=said.site_id,
        best_frame_id=said.best_frame.frame_id,
        best_source=SourceRef(**said.best_frame.model_dump(exclude={"frame_id"})),
        vetoed=tuple((veto.reason, veto.count) for veto in said.vetoed),
        position_note=said.position_note,
    )

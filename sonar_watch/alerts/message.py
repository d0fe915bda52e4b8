"""An alert as text: a GeoJSON Feature in canonical JSON, the same bytes for the same alert.

Encoding what was decoded gives the same bytes again. docs/wire.md explains the fields.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sonar_watch.alerts.feature import (
    SCHEMA,
    AlertFeature,
    AlertProperties,
    BestFrame,
    Origin,
    Point,
    Vetoed,
    position_error,
)
from sonar_watch.alerts.text import canonical_json
from sonar_watch.errors import WireError
from sonar_watch.records import Alert, PlumeEvent, Provenance, SourceRef, iso_utc, parse_utc

SCHEMA_PATH = Path(__file__).with_name("alert.schema.json")


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
            position_error=position_error(event.covariance_m2),
            position_note=_position_note(event),
            foot_depth_m=event.foot_depth_m,
            top_depth_m=event.top_depth_m,
            height_m=event.height_m,
            width_m=event.width_m,
            swath_count=event.swath_count,
            swaths_possible=event.swaths_possible,
            peak_confidence=event.peak_confidence,
            median_confidence=event.median_confidence,
            agreement=event.agreement,
            out_of_domain=event.out_of_domain,
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
        agreement=said.agreement,
        out_of_domain=said.out_of_domain,
        site_id=said.site_id,
        best_frame_id=said.best_frame.frame_id,
        best_source=SourceRef(**said.best_frame.model_dump(exclude={"frame_id"})),
        vetoed=tuple((veto.reason, veto.count) for veto in said.vetoed),
        position_note=said.position_note,
    )

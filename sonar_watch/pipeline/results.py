"""The lines of `detections.jsonl`; docs/results.md explains the keys."""

from __future__ import annotations

from typing import Any

from sonar_watch.pipeline.hold import Swath
from sonar_watch.records import GeolocatedDetection, GeolocatedFrame, NavigationFix, iso_utc


def frame_head(swath: Swath | GeolocatedFrame) -> dict[str, Any]:
    """Return what identifies a frame in `detections.jsonl`."""
    source = swath.source
    return {
        "frame_id": swath.frame_id,
        "source": {
            "file": source.file,
            "ping_counter": source.ping_counter,
            "swath": source.swath,
        },
        "time_utc": iso_utc(swath.time_utc),
    }


def frame_body(located: GeolocatedFrame) -> dict[str, Any]:
    """Return one line of `detections.jsonl`."""
    return {
        **frame_head(located),
        "ship": _ship_body(located.navigation),
        "coverage_across_m": [round(value, 2) for value in located.coverage_across_m],
        "detections": [_detection_body(detection) for detection in located.detections],
        "second": None if located.second is None else [*map(_second_body, located.second)],
    }


def _ship_body(fix: NavigationFix | None) -> dict[str, Any] | None:
    if fix is None:
        return None
    return {
        "latitude": round(fix.latitude, 7),
        "longitude": round(fix.longitude, 7),
        "heading_deg": round(fix.heading_deg, 2),
        "heading_source": fix.heading_source,
    }


def _detection_body(detection: GeolocatedDetection) -> dict[str, Any]:
    return {
        "class": detection.class_name,
        "confidence": round(detection.confidence, 4),
        "across_track_m": [round(value, 2) for value in detection.across_track_m],
        "depth_m": [round(value, 2) for value in detection.depth_m],
        "latitude": None if detection.latitude is None else round(detection.latitude, 7),
        "longitude": None if detection.longitude is None else round(detection.longitude, 7),
        "veto": detection.veto,
        "seconded": detection.seconded,
    }


def _second_body(detection: GeolocatedDetection) -> dict[str, Any]:
    """Return what only the second detector found: nobody seconds it."""
    body = _detection_body(detection)
    return {key: value for key, value in body.items() if key not in ("class", "seconded")}

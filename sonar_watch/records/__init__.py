"""The types that travel between the stages: read this first.

Conventions, everywhere: SI units and the axis in each name; across-track + starboard;
depth + down from the water surface; latitude and longitude in WGS84 degrees; heading and
course clockwise from true north; time in UTC. Arrays are read-only and checked once.

    WaterColumnPing -> WaterColumnFrame -> GeolocatedFrame -> PlumeEvent -> Alert
"""

from sonar_watch.records.basics import (
    ByteImage,
    Float32Array,
    FloatArray,
    IntArray,
    identify,
    iso_utc,
    parse_utc,
    printable,
    read_only,
    stream_names,
)
from sonar_watch.records.event import (
    Alert,
    AlertKind,
    EventChange,
    EventState,
    PlumeEvent,
    Provenance,
    Tense,
)
from sonar_watch.records.located import GeolocatedDetection, GeolocatedFrame
from sonar_watch.records.navigation import NavigationFix, NavigationSample
from sonar_watch.records.source_items import LineEnd, Quarantined, SourceItem
from sonar_watch.records.swath import (
    FLOOR_HALF_DB,
    Encoding,
    FrameGeometry,
    SoundSpeedProfile,
    SourceRef,
    WaterColumnFrame,
    WaterColumnPing,
)

__all__ = [
    "FLOOR_HALF_DB",
    "Alert",
    "AlertKind",
    "ByteImage",
    "Encoding",
    "EventChange",
    "EventState",
    "Float32Array",
    "FloatArray",
    "FrameGeometry",
    "GeolocatedDetection",
    "GeolocatedFrame",
    "IntArray",
    "LineEnd",
    "NavigationFix",
    "NavigationSample",
    "PlumeEvent",
    "Provenance",
    "Quarantined",
    "SoundSpeedProfile",
    "SourceItem",
    "SourceRef",
    "Tense",
    "WaterColumnFrame",
    "WaterColumnPing",
    "identify",
    "iso_utc",
    "parse_utc",
    "printable",
    "read_only",
    "stream_names",
]

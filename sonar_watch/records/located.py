"""What was found in one swath, on the seabed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sonar_watch.records.navigation import NavigationFix
from sonar_watch.records.swath import SourceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class GeolocatedDetection:
    """One box, in metres and on the seabed.

    Parameters
    ----------
    frame_id : str
    time_utc : datetime
    class_name : str
        "signal" or "noise".
    confidence : float
    across_track_m, depth_m : tuple of float
        Extents of the box (min, max).
    foot_depth_m, height_m : float
        Depth of its lower edge; height above it.
    clearance_m : float
        How far its lower edge hangs above the seabed under it; 0 where that is not known.
    latitude, longitude : float or None
        Of the foot; None without a usable fix, with the reason in `position_note`.
    covariance_m2 : tuple of float (ee, en, nn) or None
        Of the foot, east and north.
    depth_sigma_m : float
    veto : str or None
        Why it was turned down, or None.
    position_note : str or None
    seconded : bool or None
        Whether the classical detector found it in the same frame; None when it was not asked.
    """

    frame_id: str
    time_utc: datetime
    class_name: str
    confidence: float
    across_track_m: tuple[float, float]
    depth_m: tuple[float, float]
    foot_depth_m: float
    height_m: float
    latitude: float | None = None
    longitude: float | None = None
    covariance_m2: tuple[float, float, float] | None = None
    depth_sigma_m: float = 0.0
    clearance_m: float = 0.0
    veto: str | None = None
    position_note: str | None = None
    seconded: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeolocatedFrame:
    """What one swath gave, also when that is nothing: the input of the tracker.

    Parameters
    ----------
    frame_id, time_utc, sounder, unit, source
        As in `WaterColumnFrame`.
    navigation : NavigationFix or None
    coverage_across_m : tuple of float
        Across-track reach of the fan at the seabed (port, starboard), + starboard.
    seabed_depth_m : float or None
        Median depth of the detected bottom.
    detections : tuple of GeolocatedDetection
    second : tuple of GeolocatedDetection or None
        Plumes that the second detector alone found: told, but no alert is made of them. None
        where none was asked.
    out_of_domain : str or None
        Why the network was not trained for such a swath; None when it was, as far as is known.
    """

    frame_id: str
    time_utc: datetime
    sounder: str
    source: SourceRef
    navigation: NavigationFix | None
    coverage_across_m: tuple[float, float]
    seabed_depth_m: float | None = None
    detections: tuple[GeolocatedDetection, ...] = ()
    second: tuple[GeolocatedDetection, ...] | None = None
    out_of_domain: str | None = None
    unit: str = ""

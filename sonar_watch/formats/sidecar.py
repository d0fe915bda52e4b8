"""The sidecar of a picture: `<image stem>.json`, its geometry and navigation.

Needed are `time_utc`, `across_track_m` [left, right] and `depth_m` [top, bottom], the outer
edges of the picture; `latitude`, `longitude` and `heading_deg` are the ship's when known. The
other fields are what a rendered picture needs to be read back to the same positions. Unknown
fields are ignored, so that others may add theirs.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sonar_watch import images
from sonar_watch.errors import FormatError, GeometryError
from sonar_watch.records import (
    Encoding,
    FrameGeometry,
    NavigationFix,
    SourceRef,
    WaterColumnFrame,
    identify,
    iso_utc,
    printable,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_MAX_BYTES = 4_000_000
_EMPTY: tuple[Any, ...] = (None, "", ())
_WRITTEN_AS: dict[Encoding, str] = {
    "layers": "sonar_watch.layers/1",
    "grey": "sonar_watch.grey/1",
}
_SMALLEST_M = 1e-3
_LIMITS: dict[str, tuple[float, float]] = {
    "heading_deg": (-360.0, 360.0),
    "roll_deg": (-90.0, 90.0),
    "pitch_deg": (-90.0, 90.0),
    "heave_m": (-100.0, 100.0),
    "speed_m_s": (-100.0, 100.0),
    "position_sigma_m": (0.0, 1e6),
    "heading_sigma_deg": (0.0, 360.0),
    "navigation_age_s": (0.0, 1e9),
    "transducer_depth_m": (-11_000.0, 11_000.0),
    "lever_forward_m": (-10_000.0, 10_000.0),
    "lever_starboard_m": (-10_000.0, 10_000.0),
    "beam_width_deg": (0.0, 180.0),
    "tilt_spread_deg": (0.0, 90.0),
    "minimum_slant_range_m": (0.0, 1e5),
    "seabed_depth_m": (-1e5, 1e5),
    "sector_edges_deg": (-90.0, 90.0),
    "ping_counter": (0, 2**63 - 1),
    "swath": (0, 65_535),
}
"""What ships and sounders have: a number beyond is a broken sidecar, not a place on the seabed."""

_READ_AS = {word: name for name, word in _WRITTEN_AS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What a sidecar says.

    Parameters
    ----------
    time_utc : datetime
        Of transmission; a time without a zone is taken as UTC.
    across_track_m : tuple of float (left, right)
        Outer edges of the picture, + starboard of the transducer.
    depth_m : tuple of float (top, bottom)
        Outer edges, + down from the water surface.
    latitude, longitude, heading_deg : float or None
        Of the ship: WGS84 degrees of its positioning reference point, and its heading.
    ping_counter, swath : int or None
    sounder : str
    transducer_depth_m, lever_forward_m, lever_starboard_m, beam_width_deg
    tilt_deg, tilt_spread_deg, refraction, minimum_slant_range_m
        As in `FrameGeometry`.
    seabed_depth_m : tuple of float or None, one for each column of the picture, or None
    heading_source, roll_deg, pitch_deg, heave_m, speed_m_s, position_sigma_m
    heading_sigma_deg, navigation_source, navigation_age_s
        As in `NavigationFix`.
    source_file : str
        File that the picture was made of.
    sector_edges_deg
        As in `FrameGeometry`.
    encoding : str
        What the values of a picture of ours mean, such as "sonar_watch.layers/1"; anything else
        is taken for a picture of somebody else's.
    """

    time_utc: datetime
    across_track_m: tuple[float, float]
    depth_m: tuple[float, float]
    latitude: float | None = None
    longitude: float | None = None
    heading_deg: float | None = None
    ping_counter: int | None = None
    swath: int | None = None
    sounder: str = ""
    transducer_depth_m: float = 0.0
    lever_forward_m: float = 0.0
    lever_starboard_m: float = 0.0
    beam_width_deg: float = 1.0
    tilt_deg: float = 0.0
    tilt_spread_deg: float = 0.0
    refraction: Literal["layered", "straight", "given"] = "given"
    minimum_slant_range_m: float | None = None
    seabed_depth_m: tuple[float | None, ...] | None = None
    heading_source: Literal["heading", "course"] = "heading"
    roll_deg: float | None = None
    pitch_deg: float | None = None
    heave_m: float | None = None
    speed_m_s: float | None = None
    position_sigma_m: float = 5.0
    heading_sigma_deg: float = 0.5
    navigation_source: str = "sidecar"
    navigation_age_s: float = 0.0
    source_file: str = ""
    sector_edges_deg: tuple[float, ...] = ()
    encoding: str = ""

    # strict: "7" is no number and true is no depth.
    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "ignore", "strict": True, "allow_inf_nan": False,
    }

    @property
    def frame_id(self) -> str:
        """The id of what was measured: that of the ping when the picture was rendered from one."""
        swath = None if self.ping_counter is None else self.swath or 0
        return identify(self.sounder, self.ping_counter, swath, iso_utc(self.time_utc))

    def geometry(self, width_px: int, height_px: int) -> FrameGeometry:
        """Return what ties the pixels of the picture to metres.

        Raises
        ------
        GeometryError
            Edges that are no picture, a seabed of another width, or a tilt of no sounder.
        """
        (left_m, right_m), (top_m, bottom_m) = self.across_track_m, self.depth_m
        return FrameGeometry(
            left_m=left_m,
            right_m=right_m,
            top_m=top_m,
            bottom_m=bottom_m,
            width_px=width_px,
            height_px=height_px,
            transducer_depth_m=self.transducer_depth_m,
            lever_forward_m=self.lever_forward_m,
            lever_starboard_m=self.lever_starboard_m,
            beam_width_deg=self.beam_width_deg,
            tilt_deg=self.tilt_deg,
            tilt_spread_deg=self.tilt_spread_deg,
            sector_edges_deg=self.sector_edges_deg,
            refraction=self.refraction,
            minimum_slant_range_m=self.minimum_slant_range_m,
            seabed_depth_m=None if self.seabed_depth_m is None else np.array(
                [math.nan if depth is None else depth for depth in self.seabed_depth_m], np.float32
            ),
        )

    def navigation(self) -> NavigationFix | None:
        """Return the ship's fix, or None unless position and heading are both given.

        Raises
        ------
        NavigationError
            A position that is on no globe.
        """
        if self.latitude is None or self.longitude is None or self.heading_deg is None:
            return None
        return NavigationFix(
            time_utc=self.time_utc,
            latitude=self.latitude,
            longitude=self.longitude,
            heading_deg=self.heading_deg,
            heading_source=self.heading_source,
            roll_deg=self.roll_deg,
            pitch_deg=self.pitch_deg,
            heave_m=self.heave_m,
            speed_m_s=self.speed_m_s,
            position_sigma_m=self.position_sigma_m,
            heading_sigma_deg=self.heading_sigma_deg,
            source=self.navigation_source,
            age_s=self.navigation_age_s,
        )


def sidecar_of(image_path: Path) -> Path:
    """Return where the sidecar of a picture is.

    >>> sidecar_of(Path("line/0007.png")).name
    '0007.json'
    """
    return image_path.with_suffix(".json")


def read_sidecar(path: Path) -> Sidecar:
    """Return what the sidecar at `path` says.

    Raises
    ------
    FormatError
        No JSON object, or a field that is missing or is not what it must be; the message
        names the file and the key.
    OSError
        The file cannot be opened.
    """
    from pydantic import ValidationError  # 0.1 s: only where sidecars are read

    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise FormatError(f"expected at most {_MAX_BYTES} bytes", file=path.name)
    try:
        sidecar = _adapter().validate_json(data)
    except ValidationError as error:
        raise FormatError(_describe(error.errors()), file=path.name) from error
    return _checked(sidecar, path.name)


def write_sidecar(path: Path, frame: WaterColumnFrame) -> None:
    """Write the sidecar of `frame` to `path`; a reader sees the whole file or none.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    said = sidecar_of_frame(frame)
    pairs = ((field.name, getattr(said, field.name)) for field in fields(said))
    body = {name: value for name, value in pairs if value not in _EMPTY}
    body["time_utc"] = iso_utc(said.time_utc)
    lines = (f" {json.dumps(key)}: {json.dumps(body[key], allow_nan=False)}" for key in body)
    images.write_atomic(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def read_frame(
    image_path: Path, *, source: str = "", max_pixels: int = images.MAX_PIXELS
) -> WaterColumnFrame:
    """Return the frame of a picture and the sidecar beside it.

    Raises
    ------
    GeometryError
        There is no sidecar, or it does not fit the picture.
    FormatError, ImageError, NavigationError
        The sidecar breaks its format, the picture is cut, or the position is on no globe.
    OSError
        The picture cannot be opened.
    """
    try:
        said = read_sidecar(sidecar_of(image_path))
    except FileNotFoundError as error:
        expected = sidecar_of(image_path).name
        raise GeometryError(f"{image_path.name}: no geometry: expected {expected}") from error
    image = images.read_image(image_path, max_pixels=max_pixels)
    height_px, width_px = image.shape[:2]
    return WaterColumnFrame(
        frame_id=said.frame_id,
        time_utc=said.time_utc,
        sounder=said.sounder,
        image=image,
        geometry=said.geometry(width_px, height_px),
        navigation=said.navigation(),
        source=SourceRef(
            source=source, file=printable(image_path.name),
            ping_counter=said.ping_counter, swath=said.swath,
        ),
        encoding=_READ_AS.get(said.encoding, "picture"),
    )


def sidecar_of_frame(frame: WaterColumnFrame) -> Sidecar:
    """Return what the sidecar of `frame` says."""
    geometry = frame.geometry
    return Sidecar(
        time_utc=frame.time_utc,
        across_track_m=(geometry.left_m, geometry.right_m),
        depth_m=(geometry.top_m, geometry.bottom_m),
        ping_counter=frame.source.ping_counter,
        swath=frame.source.swath,
        sounder=frame.sounder,
        transducer_depth_m=geometry.transducer_depth_m,
        lever_forward_m=geometry.lever_forward_m,
        lever_starboard_m=geometry.lever_starboard_m,
        beam_width_deg=geometry.beam_width_deg,
        tilt_deg=geometry.tilt_deg,
        tilt_spread_deg=geometry.tilt_spread_deg,
        refraction=geometry.refraction,
        minimum_slant_range_m=geometry.minimum_slant_range_m,
        seabed_depth_m=_seabed(geometry),
        source_file=frame.source.file,
        sector_edges_deg=geometry.sector_edges_deg,
        encoding=_WRITTEN_AS.get(frame.encoding, ""),
        **_navigation(frame.navigation),
    )


def _seabed(geometry: FrameGeometry) -> tuple[float | None, ...] | None:
    """Return the shortest decimals that read back to the same float32 depths."""
    if geometry.seabed_depth_m is None:
        return None
    return tuple(
        float(str(depth)) if math.isfinite(depth) else None for depth in geometry.seabed_depth_m
    )


def _navigation(fix: NavigationFix | None) -> dict[str, Any]:
    if fix is None:
        return {}
    renamed = {"source": "navigation_source", "age_s": "navigation_age_s"}
    pairs = ((field.name, getattr(fix, field.name)) for field in fields(fix))
    return {renamed.get(name, name): value for name, value in pairs if name != "time_utc"}


@cache
def _adapter() -> TypeAdapter[Sidecar]:
    from pydantic import TypeAdapter

    return TypeAdapter(Sidecar)


def _describe(errors: list[Any]) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in error['loc']) or 'file'}: {error['msg']}"
        + ("" if error["type"] == "missing" else f", received {str(error['input'])[:60]}")
        for error in errors[:3]
    )


def _too_narrow(low_m: float, high_m: float) -> bool:
    return not high_m - low_m >= _SMALLEST_M


def _checked(sidecar: Sidecar, file: str) -> Sidecar:
    """Return the sidecar in UTC, or say which of its fields do not belong together."""
    problems = {
        "across_track_m: expected left < right": _too_narrow(*sidecar.across_track_m),
        "depth_m: expected top < bottom": _too_narrow(*sidecar.depth_m),
        "latitude, longitude: expected both or none":
            (sidecar.latitude is None) != (sidecar.longitude is None),
        "latitude: expected -90..90": abs(sidecar.latitude or 0.0) > 90.0,
        "longitude: expected -180..180": abs(sidecar.longitude or 0.0) > 180.0,
    }
    for problem, is_there in problems.items():
        if is_there:
            raise FormatError(problem, file=file)
    for key, (low, high) in _LIMITS.items():
        value = getattr(sidecar, key)
        for number in value if isinstance(value, tuple) else (value,):
            if number is not None and not low <= number <= high:
                expected = f"expected {low:g} to {high:g}, received {number!r:.60}"
                raise FormatError(f"{key}: {expected}", file=file)
    time = sidecar.time_utc
    try:
        in_utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise FormatError(f"time_utc: {error}, received {time}", file=file) from error
    return replace(sidecar, time_utc=in_utc)

"""Pictures that come alone: where their pixels lie and when they were made."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from sonar_watch.errors import ConfigurationError, GeometryError, NavigationError
from sonar_watch.records import FrameGeometry

_DIGITS = {"Y": r"\d{4}", "m": r"\d\d", "d": r"\d\d", "H": r"\d\d", "M": r"\d\d", "S": r"\d\d",
           "f": r"\d{1,6}", "j": r"\d{3}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What ties a picture without sidecar to metres and to time.

    Either `across_track_m` and `depth_m`, or `metres_per_pixel` and `apex_px`.

    Parameters
    ----------
    crop_px : tuple of int (left, top, right, bottom) or None
        The part of the picture that shows the fan; the rest (axes, logos) is cut away.
    across_track_m : tuple of float (left, right) or None
        Edges of that part, metres, + starboard.
    depth_m : tuple of float (top, bottom) or None
        Edges of that part, metres below the surface.
    metres_per_pixel : float or None
        Scale, the same across and down.
    apex_px : tuple of float (x, y) or None
        Pixel of the transducer in the whole picture, before cutting.
    apex_depth_m : float
        Depth of the transducer below the surface, metres.
    lever_forward_m, lever_starboard_m : float
        From the ship's positioning reference point to the transducer, metres.
    beam_width_deg : float
        Across-track receive beam width, degrees.
    time_from : {"name", "file"}
        Take the time from the file name, or from the file's last change.
    time_pattern : str
        How the file name says the time, UTC, in the letters of strftime; found anywhere in it.
    time_offset_s : float
        Added to the time found: seconds.
    sounder : str
        Name of the sounder that the pictures show.

    Raises
    ------
    ConfigurationError
        Neither of the two ways is complete, or the numbers cannot be.
    """

    crop_px: tuple[int, int, int, int] | None = None
    across_track_m: tuple[float, float] | None = None
    depth_m: tuple[float, float] | None = None
    metres_per_pixel: float | None = None
    apex_px: tuple[float, float] | None = None
    apex_depth_m: float = 0.0
    lever_forward_m: float = 0.0
    lever_starboard_m: float = 0.0
    beam_width_deg: float = 1.0
    time_from: Literal["name", "file"] = "name"
    time_pattern: str = "%Y%m%d_%H%M%S"
    time_offset_s: float = 0.0
    sounder: str = "picture"

    def __post_init__(self) -> None:
        edges = self.across_track_m is not None and self.depth_m is not None
        scale = self.metres_per_pixel is not None and self.apex_px is not None
        if edges == scale:
            raise ConfigurationError(
                "calibration: expected either across_track_m and depth_m, "
                "or metres_per_pixel and apex_px"
            )
        for name in ("across_track_m", "depth_m"):
            pair = getattr(self, name)
            if pair is not None and not pair[0] < pair[1]:
                raise ConfigurationError(f"{name}: expected (smaller, larger), received {pair}")
        if self.metres_per_pixel is not None and not self.metres_per_pixel > 0:
            raise ConfigurationError("metres_per_pixel: expected a number above 0")
        for name in ("lever_forward_m", "lever_starboard_m", "apex_depth_m", "time_offset_s"):
            if not math.isfinite(getattr(self, name)):
                unit = "seconds" if name.endswith("_s") else "metres"
                raise ConfigurationError(f"{name}: expected {unit}, received {getattr(self, name)}")
        if not 0.0 < self.beam_width_deg < 90.0:
            raise ConfigurationError(
                f"beam_width_deg: expected 0 to 90 degrees, received {self.beam_width_deg}"
            )
        if self.crop_px is not None and not _is_box(self.crop_px):
            raise ConfigurationError(f"crop_px: expected left, top, right, bottom: {self.crop_px}")
        if self.time_from == "name":
            _name_pattern(self.time_pattern)

    def crop(self, width_px: int, height_px: int) -> tuple[int, int, int, int]:
        """Return the part to keep (left, top, right, bottom).

        Raises
        ------
        GeometryError
            The picture is smaller than that part.
        """
        left, top, right, bottom = self.crop_px or (0, 0, width_px, height_px)
        if right > width_px or bottom > height_px:
            raise GeometryError(
                f"expected a picture of at least {right} x {bottom} px to cut from, "
                f"received {width_px} x {height_px} px"
            )
        return left, top, right, bottom

    def geometry(self, width_px: int, height_px: int) -> FrameGeometry:
        """Return the geometry of the part kept, of a picture of that size.

        Raises
        ------
        GeometryError
            The picture is smaller than the part to keep.
        """
        left, top, right, bottom = self.crop(width_px, height_px)
        if self.across_track_m is not None and self.depth_m is not None:
            (left_m, right_m), (top_m, bottom_m) = self.across_track_m, self.depth_m
        else:
            scale, (x, y) = self.metres_per_pixel or 1.0, self.apex_px or (0.0, 0.0)
            left_m, right_m = (left - x) * scale, (right - x) * scale
            top_m, bottom_m = ((edge - y) * scale + self.apex_depth_m for edge in (top, bottom))
        return FrameGeometry(
            left_m=left_m, right_m=right_m, top_m=top_m, bottom_m=bottom_m,
            width_px=right - left, height_px=bottom - top,
            transducer_depth_m=self.apex_depth_m,
            lever_forward_m=self.lever_forward_m, lever_starboard_m=self.lever_starboard_m,
            beam_width_deg=self.beam_width_deg,
        )

    def time_of(self, path: Path) -> datetime:
        """Return when the picture at `path` was made.

        Raises
        ------
        NavigationError
            The name holds no time of that pattern, or the time is of no calendar.
        OSError
            The file is gone.
        """
        if self.time_from == "name":
            found = _time_in_name(path.stem, self.time_pattern)
            since_s = self.time_offset_s
        else:
            found = datetime.fromtimestamp(0, UTC)
            since_s = path.stat().st_mtime + self.time_offset_s
        try:
            return found + timedelta(seconds=since_s)
        except OverflowError as error:
            raise NavigationError(f"{path.name}: a time of no calendar: {error}") from error


def _is_box(box: tuple[int, int, int, int]) -> bool:
    return 0 <= box[0] < box[2] and 0 <= box[1] < box[3]


def _name_pattern(pattern: str) -> re.Pattern[str]:
    """Return the expression that finds a strftime pattern in a name."""
    parts = re.split(r"%(.)", pattern)
    letters = parts[1::2]
    unknown = [letter for letter in letters if letter not in _DIGITS]
    if unknown or not letters or len(set(letters)) < len(letters):
        raise ConfigurationError(
            f"time_pattern: expected letters of {' '.join('%' + key for key in _DIGITS)}, "
            f"each once, received {pattern!r}"
        )
    parts[0::2] = [re.escape(text) for text in parts[0::2]]
    parts[1::2] = [_DIGITS[letter] for letter in parts[1::2]]
    return re.compile("".join(parts))


def _time_in_name(stem: str, pattern: str) -> datetime:
    found = _name_pattern(pattern).search(stem)
    if found is None:
        raise NavigationError(f"{stem}: expected a time like {pattern} in the name")
    try:
        return datetime.strptime(found.group(), pattern).replace(tzinfo=UTC)
    except ValueError as error:
        raise NavigationError(f"{stem}: {error}") from error

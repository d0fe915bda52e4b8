"""The frame of a map: a plane in metres, its graticule, scale bar and north arrow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_METRES_PER_DEGREE = 111_195.0  # mean sphere: half a percent off the ellipsoid, a line's width
_GRATICULE_MINUTES = (
    0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 2700.0,
)
_INK = "#33424d"

Point = tuple[float, float]
"""(east, north) in metres of the map's plane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPlane:
    """An equirectangular plane about a middle; good for the few kilometres of a survey.

    Parameters
    ----------
    latitude, longitude : float
        Middle, degrees WGS84.
    """

    latitude: float
    longitude: float

    @classmethod
    def around(cls, places: Sequence[tuple[float, float]]) -> MapPlane:
        """Return the plane about the middle of (latitude, longitude) pairs."""
        latitudes = [place[0] for place in places]
        turned = [_wrapped(place[1] - places[0][1]) for place in places]
        return cls(
            latitude=0.5 * (min(latitudes) + max(latitudes)),
            longitude=_wrapped(places[0][1] + 0.5 * (min(turned) + max(turned))),
        )

    @property
    def east_m_per_degree(self) -> float:
        """Metres of one degree of longitude."""
        return _METRES_PER_DEGREE * max(math.cos(math.radians(self.latitude)), 1e-6)

    def point(self, latitude: float, longitude: float) -> Point:
        """Return metres (east, north) of the middle."""
        return (
            _wrapped(longitude - self.longitude) * self.east_m_per_degree,
            (latitude - self.latitude) * _METRES_PER_DEGREE,
        )

    def place(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Return (latitude, longitude in -180..180)."""
        return (
            self.latitude + north_m / _METRES_PER_DEGREE,
            _wrapped(self.longitude + east_m / self.east_m_per_degree),
        )


def draw_frame(axes: Any, plane: MapPlane, points: Sequence[Point], shape: float) -> None:
    """Set the limits of `axes` round `points` and draw graticule, scale bar and north arrow.

    Parameters
    ----------
    shape : float
        Width over height of the axes.
    """
    width = _set_limits(axes, points, shape)
    _draw_graticule(axes, plane)
    _draw_scale_bar(axes, width)
    _draw_north(axes)
    for spine in axes.spines.values():
        spine.set_color(_INK)


def nice_length(longest_m: float) -> float:
    """Return the longest 1, 2 or 5 times a power of ten that is no longer than `longest_m`.

    >>> nice_length(730.0)
    500.0
    """
    power = 10.0 ** math.floor(math.log10(longest_m))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= longest_m * 1.000001)


def degrees_minutes(degrees: float, letters: str, digits: int) -> str:
    """Return a coordinate in degrees and decimal minutes; `letters` are for + and -.

    >>> degrees_minutes(-32.105, "NS", 1)
    "32°06.3'S"
    """
    unit = 10**digits
    minutes = round(abs(degrees) * 60.0 * unit)
    whole, rest = divmod(minutes, 60 * unit)
    width = 2 + (digits + 1 if digits else 0)
    return f"{whole}°{rest / unit:0{width}.{digits}f}'{letters[0] if degrees >= 0 else letters[1]}"


def _set_limits(axes: Any, points: Sequence[Point], shape: float) -> float:
    """Return the width in metres after fitting all points with a margin."""
    east, north = [p[0] for p in points], [p[1] for p in points]
    width = max(1.12 * (max(east) - min(east)), 200.0)
    height = max(1.12 * (max(north) - min(north)), 200.0)
    width, height = max(width, height * shape), max(height, width / shape)
    middle = 0.5 * (min(east) + max(east)), 0.5 * (min(north) + max(north))
    axes.set_xlim(middle[0] - 0.5 * width, middle[0] + 0.5 * width)
    axes.set_ylim(middle[1] - 0.5 * height, middle[1] + 0.5 * height)
    axes.set_aspect("equal")
    return width


def _draw_graticule(axes: Any, plane: MapPlane) -> None:
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    for axis, letters, low, high, middle, metres in (
        (axes.xaxis, "EW", west, east, plane.longitude, plane.east_m_per_degree),
        (axes.yaxis, "NS", south, north, plane.latitude, _METRES_PER_DEGREE),
    ):
        step, digits = _graticule_step((high - low) / metres * 60.0)
        lines = list(_multiples(middle + low / metres, middle + high / metres, step / 60.0))
        axis.set_ticks([(line - middle) * metres for line in lines])
        axis.set_ticklabels([degrees_minutes(_wrapped(line), letters, digits) for line in lines])
    for label in axes.get_yticklabels():
        label.set(rotation=90, va="center")
    axes.grid(color="#9fb0bb", linewidth=0.6, linestyle=(0, (1, 3)), zorder=1.5)
    axes.tick_params(colors=_INK, labelsize=10, length=4)


def _graticule_step(span_minutes: float) -> tuple[float, int]:
    """Return minutes between lines, a handful of them, and the decimals their names need."""
    enough = (step for step in _GRATICULE_MINUTES if step >= span_minutes / 7.0)
    step = next(enough, _GRATICULE_MINUTES[-1])
    return step, 0 if step >= 1 else (1 if step >= 0.1 else 2)


def _draw_scale_bar(axes: Any, width_m: float) -> None:
    from matplotlib.patches import Rectangle

    length = nice_length(0.25 * width_m)
    west, south = axes.get_xlim()[0], axes.get_ylim()[0]
    height = axes.get_ylim()[1] - south
    left, foot = west + 0.03 * width_m, south + 0.03 * height
    for half, colour in ((0, _INK), (1, "white")):
        axes.add_patch(
            Rectangle((left + half * length / 2, foot), length / 2, 0.009 * height,
                      facecolor=colour, edgecolor=_INK, linewidth=1.0, zorder=9)
        )
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axes.text(left + length / 2, foot + 0.015 * height, text, ha="center", va="bottom",
              fontsize=11, color=_INK, zorder=9)


def _draw_north(axes: Any) -> None:
    axes.annotate(
        "N", xy=(0.965, 0.975), xytext=(0.965, 0.90), xycoords="axes fraction",
        ha="center", va="center", fontsize=14, fontweight="bold", color=_INK, zorder=9,
        arrowprops={"arrowstyle": "-|>", "color": _INK, "linewidth": 2.0, "shrinkA": 4},
    )


def _multiples(low: float, high: float, step: float) -> Iterable[float]:
    for count in range(math.ceil(low / step), math.floor(high / step) + 1):
        yield count * step


def _wrapped(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0

"""A picture of a watch: where the ship went, what it covered, and the plumes with their errors."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sonar_watch.exporters.atomic import write_whole
from sonar_watch.exporters.labels import place_labels
from sonar_watch.exporters.mapframe import MapPlane, Point, draw_frame
from sonar_watch.records import FloatArray, PlumeEvent

_ARROWS = 5
_CHI2_95 = 5.991  # of two degrees of freedom
_SIZE_PX = (1200, 900)
_AXES = (0.05, 0.055, 0.93, 0.885)
_BAND, _TRACK, _PLUME, _TRUE = "#d8e8f0", "#2a5674", "#c8401f", "#111111"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPoint:
    """The ship at one swath.

    Parameters
    ----------
    latitude, longitude, heading_deg : float
    coverage_across_m : tuple of float
        Across-track reach of the fan at the seabed (port, starboard), + starboard.
    """

    latitude: float
    longitude: float
    heading_deg: float
    coverage_across_m: tuple[float, float] = (0.0, 0.0)


def draw_track_map(
    path: Path,
    track: Iterable[TrackPoint],
    events: Iterable[PlumeEvent],
    truth: Mapping[str, tuple[float, float]] | None = None,
    *,
    title: str = "",
) -> None:
    """Write a PNG of 1200 x 900 px: track, coverage, events with 95 % ellipses, true places.

    Parameters
    ----------
    path : Path
        Written whole or not at all.
    track : iterable of TrackPoint
        In order of time.
    events : iterable of PlumeEvent
        Numbered P1, P2 ... in their order; those without a position are named below the map.
    truth : mapping of str to (latitude, longitude), optional
        True places, drawn as crosses.
    title : str, optional

    Raises
    ------
    ValueError
        There is nothing with a position.
    OSError
        The folder cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points, plumes, true = list(track), list(events), dict(truth or {})
    plane = MapPlane.around(_places(points, plumes, true))
    figure = Figure(figsize=(_SIZE_PX[0] / 100, _SIZE_PX[1] / 100), dpi=100, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes(_AXES)
    axes.set_facecolor("#fbfaf6")
    extent = _draw_track(axes, plane, points)
    extent += _draw_truth(axes, plane, true)
    extent += _draw_events(axes, plane, plumes)
    draw_frame(axes, plane, extent, _SIZE_PX[0] * _AXES[2] / (_SIZE_PX[1] * _AXES[3]))
    _draw_names(axes, plane, plumes, true)
    _draw_words(figure, axes, plumes, title)
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    write_whole(Path(path), buffer.getvalue())


def ellipse_95(covariance_m2: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the 95 % ellipse: full major and minor axis in metres, angle from east in degrees.

    >>> [round(value, 1) for value in ellipse_95((100.0, 0.0, 25.0))]
    [49.0, 24.5, 0.0]
    """
    ee, en, nn = covariance_m2
    values, vectors = np.linalg.eigh(np.array([[ee, en], [en, nn]]))
    minor, major = 2.0 * np.sqrt(_CHI2_95 * np.maximum(values, 0.0))
    angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))
    return float(major), float(minor), (angle + 90.0) % 180.0 - 90.0


def _places(
    points: Sequence[TrackPoint], plumes: Sequence[PlumeEvent],
    true: Mapping[str, tuple[float, float]],
) -> list[tuple[float, float]]:
    places = [(point.latitude, point.longitude) for point in points]
    places += [place for plume in plumes if (place := _place(plume)) is not None]
    places += list(true.values())
    if not places:
        raise ValueError("track map: expected at least one position, received none")
    return places


def _place(plume: PlumeEvent) -> tuple[float, float] | None:
    if plume.latitude is None or plume.longitude is None:
        return None
    return plume.latitude, plume.longitude


def _draw_track(axes: Any, plane: MapPlane, points: Sequence[TrackPoint]) -> list[Point]:
    """Draw coverage band, track and course arrows; return what has to be in the picture."""
    from matplotlib.collections import PolyCollection

    if not points:
        return []
    ship = np.array([plane.point(point.latitude, point.longitude) for point in points])
    port, starboard = _edges(points, ship)
    lines = _unbroken(ship)
    quads = [
        np.array([port[i], port[i + 1], starboard[i + 1], starboard[i]])
        for start, stop in lines for i in range(start, stop - 1)
    ]
    axes.add_collection(
        PolyCollection(quads, facecolors=_BAND, edgecolors=_BAND, linewidths=0.8, zorder=1)
    )
    for number, (start, stop) in enumerate(lines):
        axes.plot(ship[start:stop, 0], ship[start:stop, 1], color=_TRACK, linewidth=1.6, zorder=3,
                  solid_capstyle="round", label="ship's track" if number == 0 else None)
        _draw_course(axes, ship[start:stop])
    return [(float(e), float(n)) for e, n in (*ship, *port, *starboard)]


def _edges(points: Sequence[TrackPoint], ship: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the port and starboard ends of each swath, shape (n, 2), metres."""
    heading = np.radians([point.heading_deg for point in points])
    beam = np.column_stack([np.cos(heading), -np.sin(heading)])
    reach = np.nan_to_num(np.array([point.coverage_across_m for point in points], float))
    return ship + beam * reach[:, :1], ship + beam * reach[:, 1:]


def _unbroken(ship: FloatArray) -> list[tuple[int, int]]:
    """Return (start, stop) of the stretches without a jump far beyond the usual step."""
    steps = np.hypot(*np.diff(ship, axis=0).T)
    if steps.size == 0:
        return [(0, len(ship))]
    breaks = np.flatnonzero(steps > max(300.0, 10.0 * float(np.median(steps)))) + 1
    cuts = [0, *(int(at) for at in breaks), len(ship)]
    return list(itertools.pairwise(cuts))


def _draw_course(axes: Any, ship: FloatArray) -> None:
    """Draw arrow heads along a stretch, one for each part of its length."""
    run = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(ship, axis=0).T))])
    if run[-1] < 50.0:
        return
    for part in np.arange(1, 2 * _ARROWS, 2) / (2 * _ARROWS):
        at = int(np.searchsorted(run, part * run[-1]))
        axes.annotate(
            "", xy=ship[at], xytext=ship[max(0, at - 2)], zorder=3,
            arrowprops={"arrowstyle": "-|>", "color": _TRACK, "mutation_scale": 16,
                        "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0},
        )


def _draw_truth(
    axes: Any, plane: MapPlane, true: Mapping[str, tuple[float, float]]
) -> list[Point]:
    points = [plane.point(*place) for place in true.values()]
    if points:
        axes.plot(*zip(*points, strict=True), linestyle="none", marker="+", markersize=18,
                  markeredgewidth=1.5, color=_TRUE, zorder=6, label="true position")
    return points


def _draw_events(axes: Any, plane: MapPlane, plumes: Sequence[PlumeEvent]) -> list[Point]:
    from matplotlib.patches import Ellipse

    points: list[Point] = []
    for plume in plumes:
        place = _place(plume)
        if place is None:
            continue
        at = plane.point(*place)
        if plume.covariance_m2 is not None:
            major, minor, angle = ellipse_95(plume.covariance_m2)
            axes.add_patch(Ellipse(at, major, minor, angle=angle, facecolor=_PLUME, alpha=0.30,
                                   linewidth=0, zorder=4))
            axes.add_patch(Ellipse(at, major, minor, angle=angle, facecolor="none",
                                   edgecolor=_PLUME, linewidth=1.4, zorder=5,
                                   label=None if points else "95 % ellipse"))
        axes.plot(*at, marker="o", markersize=4, color=_PLUME, markeredgewidth=0, zorder=7,
                  linestyle="none", label=None if points else "event")
        points.append(at)
    return points


def _draw_names(
    axes: Any, plane: MapPlane, plumes: Sequence[PlumeEvent],
    true: Mapping[str, tuple[float, float]],
) -> None:
    labels = []
    for numbers, here in _by_site(plumes):
        points = [plane.point(*place) for plume in here if (place := _place(plume))]
        middle = sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points)
        depth = float(np.median([plume.foot_depth_m for plume in here]))
        labels.append((middle, f"{' '.join(f'P{n}' for n in numbers)}  {depth:.0f} m", _PLUME))
    labels += [(plane.point(*place), name, _TRUE) for name, place in true.items()]
    place_labels(axes, labels)


def _by_site(plumes: Sequence[PlumeEvent]) -> list[tuple[list[int], list[PlumeEvent]]]:
    """Return the numbers and events that share a site: one name for all passes over it."""
    sites: dict[str, tuple[list[int], list[PlumeEvent]]] = {}
    for number, plume in enumerate(plumes, 1):
        if _place(plume) is not None:
            numbers, here = sites.setdefault(plume.site_id or plume.event_id, ([], []))
            numbers.append(number)
            here.append(plume)
    return list(sites.values())


def _draw_words(figure: Any, axes: Any, plumes: Sequence[PlumeEvent], title: str) -> None:
    unplaced = [f"P{i}" for i, plume in enumerate(plumes, 1) if _place(plume) is None]
    numbers = _counted(len(plumes), "event"), _counted(len(_by_site(plumes)), "site")
    words = title or " at ".join(numbers)
    if unplaced:
        words += f"   (without a position: {', '.join(unplaced)})"
    figure.text(_AXES[0], 0.965, words, fontsize=15, fontweight="bold", color="#1d2b34",
                va="center")
    axes.legend(loc="lower right", fontsize=10, framealpha=0.92, edgecolor="#9fb0bb")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

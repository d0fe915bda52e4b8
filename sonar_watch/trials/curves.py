"""Curves of what cruises and nights come to, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sonar_watch.learning.plots import open_axes, save_axes


def draw_cruises(rows: Sequence[Mapping[str, Any]], confidence: float, folder: Path) -> list[Path]:
    """Draw recall of events and false alerts over confidence; return the files.

    Parameters
    ----------
    rows : sequence of mapping
        What `summary.summarise` gives at each threshold.
    confidence : float
        The working threshold: marked.
    folder : Path
        Made when missing.

    Raises
    ------
    ConfigurationError
        matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [_draw_false(rows, confidence, folder / "false_alerts.png")]
    if any(row["any_recall"]["of"] for row in rows):
        paths.insert(0, _draw_recall(rows, confidence, folder / "event_recall.png"))
    return paths


def _draw_recall(rows: Sequence[Mapping[str, Any]], confidence: float, path: Path) -> Path:
    figure, axes = open_axes("confidence", "passes told of")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), title="Recall of events, with its 95 % interval")
    axes.axvline(confidence, color="grey", linewidth=1)
    for name, label in (
        ("event_recall", "strong on three swaths and more"), ("any_recall", "visible at all")
    ):
        known = [(row["confidence"], row[name]["share"], row[name]["interval_95"]) for row in rows]
        _draw_band(axes, known, label)
    return save_axes(figure, axes, path)


def _draw_false(rows: Sequence[Mapping[str, Any]], confidence: float, path: Path) -> Path:
    figure, axes = open_axes("confidence", "false alerts per hour")
    axes.set(xlim=(0, 1), title=f"False alerts in {rows[0]['hours']:g} hours")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.axvline(confidence, color="grey", linewidth=1)
    rates = [(row["confidence"], row["false_per_hour"]["rate"],
              row["false_per_hour"]["interval_95"]) for row in rows]
    _draw_band(axes, rates, "with 95 % interval")
    return save_axes(figure, axes, path)


def _draw_band(
    axes: Any, points: Sequence[tuple[float, float | None, Sequence[float]]], label: str
) -> None:
    """Draw a figure over the thresholds where it is known, and how sure it is."""
    known = [point for point in points if point[1] is not None]
    if not known:
        return
    places, values, edges = zip(*known, strict=True)
    (line,) = axes.plot(places, values, label=label)
    low, high = zip(*edges, strict=True)
    axes.fill_between(places, low, high, color=line.get_color(), alpha=0.2)

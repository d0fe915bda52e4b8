"""Figures down a core: what was counted against depth or age, and beside what else is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sonar_watch.ichthyolith.census import ALL
from sonar_watch.ichthyolith.estimates import Estimate
from sonar_watch.ichthyolith.plots import (
    COLOURS,
    NAMES,
    PAGE_IN,
    bars,
    page,
    reach,
    reviewed_note,
    save,
)
from sonar_watch.ichthyolith.profiles import ProfileOptions, ProfilePoint

Panel = Callable[[Any, Sequence[ProfilePoint], Sequence[float]], None]

_AXIS = {"depth_m": "depth (m below seafloor)", "age_ma": "age (Ma)"}
_MEASURED = "#8C6D31"


def draw_profile(
    points: Sequence[ProfilePoint], stem: Path, options: ProfileOptions | None = None
) -> list[Path]:
    """Draw panels that share the axis of depth or age, which runs down; return the files.

    From left to right: ichthyoliths (per gram where all masses are known, corrected where the
    detector's skill is), denticle : tooth ratio, length of teeth (median, bar from the lower to
    the upper quartile), share of the chosen morphotype, and the measured column beside it. Bars
    are 95 % intervals unless said otherwise. Once a person has looked at some objects, a line
    below says at which share. Without points: no file.

    Parameters
    ----------
    points : sequence of ProfilePoint
    stem : Path
        Name of the files without suffix; the folder must be there.
    options : ProfileOptions

    Raises
    ------
    ConfigurationError
        matplotlib is not installed.
    """
    options = options or ProfileOptions()
    if not points:
        return []
    panels = [_draw_all, _draw_ratio, _draw_length, _share_panel(options)]
    if options.beside:
        panels.append(_measured_panel(options.beside))
    places = [point.facts.value(options.against) or 0.0 for point in points]
    with page(PAGE_IN, 5.2) as figure:
        every = figure.subplots(1, len(panels), sharey=True)
        for axes, panel in zip(every, panels, strict=True):
            panel(axes, points, places)
            axes.grid(alpha=0.25, linewidth=0.5)
        every[0].set_ylabel(_AXIS[options.against])
        span = max(places) - min(places) or max(abs(places[0]), 1.0)
        every[0].set_ylim(max(places) + 0.04 * span, min(places) - 0.04 * span)
        _note_below(figure, points)
        return save(figure, stem)


def draw_beside(points: Sequence[ProfilePoint], stem: Path, options: ProfileOptions) -> list[Path]:
    """Draw the morphotype's share over the measured column, with the rank correlation.

    Points joined by a line are neighbours in the core; their shade tells how deep or old they
    are. Returns the files; none when fewer than two samples have both.

    Parameters
    ----------
    points : sequence of ProfilePoint
    stem : Path
        Name of the files without suffix; the folder must be there.
    options : ProfileOptions
        Names the column.

    Raises
    ------
    ConfigurationError
        matplotlib is not installed.
    """
    drawn = [
        point for point in points
        if point.facts.value(options.beside) is not None
        and point.morphotype_share.value is not None
    ]  # fmt: skip
    if len(drawn) < 2:
        return []
    with page(PAGE_IN / 2, 3.0) as figure:
        _draw_shares(figure, drawn, options)
        _note_below(figure, drawn)
        return save(figure, stem)


def _draw_shares(figure: Any, points: Sequence[ProfilePoint], options: ProfileOptions) -> None:
    """Draw shares with their intervals over the measured column."""
    measured = [point.facts.value(options.beside) or 0.0 for point in points]
    places = [point.facts.value(options.against) or 0.0 for point in points]
    shares = [point.morphotype_share for point in points]
    values = np.array([one.value for one in shares], float)
    errors = np.stack(
        [
            values - [one.low for one in shares],
            np.array([one.high for one in shares]) - values,
        ]
    )
    axes = figure.add_subplot()
    axes.errorbar(
        measured, values, np.maximum(errors, 0), fmt="none", ecolor="grey", elinewidth=0.7,
        zorder=1,
    )  # fmt: skip
    axes.plot(measured, values, color="grey", linewidth=0.4, alpha=0.6, zorder=1)
    marks = axes.scatter(
        measured, values, c=places, s=18, cmap="viridis_r", zorder=3, clip_on=False,
        edgecolor="black", linewidth=0.4,
    )  # fmt: skip
    bar = figure.colorbar(marks, label=_AXIS[options.against])
    bar.ax.invert_yaxis()
    axes.set(xlabel=options.beside, ylabel=_share_label(options), ylim=(0, None))
    told = rank_correlation(np.array(measured), values)
    axes.set_title(
        f"n = {len(points)}" + ("" if told is None else f", Spearman's ρ = {told:.2f}")
    )


def _note_below(figure: Any, points: Sequence[ProfilePoint]) -> None:
    """Say once, under all panels, how much of the counts a person has looked at."""
    if note := reviewed_note([point.row for point in points]):
        figure.supxlabel(note, fontsize=7)


def rank_correlation(first: Any, second: Any) -> float | None:
    """Return Spearman's rank correlation, ties at their mean rank; None when one is constant.

    >>> rank_correlation(np.array([1, 2, 9]), np.array([3, 5, 5.1]))
    1.0
    """
    ranks = [_ranks(values) - (len(values) - 1) / 2 for values in (first, second)]
    norm = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / norm if norm else None


def _ranks(values: Any) -> Any:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[place]


def _draw_all(axes: Any, points: Sequence[ProfilePoint], places: Sequence[float]) -> None:
    counts = [point.row.counts[ALL] for point in points]
    by_mass = all(count.per_gram is not None for count in counts)
    plain: list[Estimate | None] = [
        count.per_gram if by_mass else count.counted for count in counts
    ]
    right = [count.corrected_per_gram if by_mass else count.corrected for count in counts]
    chosen = right if all(one is not None for one in right) else plain
    _joined(axes, chosen, places, COLOURS[ALL])
    axes.set(
        xlabel="corrected" if chosen is right else "as counted",
        title="ichthyoliths\nper gram" if by_mass else "ichthyoliths\n",
    )


def _draw_ratio(axes: Any, points: Sequence[ProfilePoint], places: Sequence[float]) -> None:
    rows = [point.row for point in points]
    right = [row.corrected_ratio for row in rows]
    known = all(one is not None for one in right)
    _joined(
        axes,
        right if known else [row.denticle_tooth_ratio for row in rows],
        places,
        COLOURS["denticle"],
    )
    axes.set(xlabel="corrected" if known else "as counted", title="denticles :\nteeth")


def _draw_length(axes: Any, points: Sequence[ProfilePoint], places: Sequence[float]) -> None:
    """Draw medians with quartiles: what lies between is half of the teeth, no error."""
    found = [point.row.counts["tooth"].lengths.quantiles_um for point in points]
    spans = [Estimate(value=each[2], low=each[1], high=each[3]) if each else None for each in found]
    _joined(axes, spans, places, COLOURS["tooth"])
    axes.set(xlabel="length (µm)", title="teeth, median\nand quartiles")
    axes.set_xlim(left=0)


def _share_panel(options: ProfileOptions) -> Panel:
    def draw(axes: Any, points: Sequence[ProfilePoint], places: Sequence[float]) -> None:
        _joined(
            axes, [point.morphotype_share for point in points], places, COLOURS[options.morphotype]
        )
        axes.set(xlabel="share", title=f"share of\n{NAMES[options.morphotype]}")
        axes.set_xlim(0, min(axes.get_xlim()[1], 1.02))

    return draw


def _measured_panel(column: str) -> Panel:
    def draw(axes: Any, points: Sequence[ProfilePoint], places: Sequence[float]) -> None:
        known = [
            (value, place)
            for point, place in zip(points, places, strict=True)
            if (value := point.facts.value(column)) is not None
        ]
        axes.plot(
            [value for value, _ in known],
            [place for _, place in known],
            "s-",
            color=_MEASURED,
            markersize=3,
        )
        axes.set(xlabel=column, title="measured\n")

    return draw


def _joined(
    axes: Any, estimates: Sequence[Estimate | None], places: Sequence[float], colour: str
) -> None:
    """Draw estimates with a thin line from neighbour to neighbour."""
    known = [
        (one.value, place)
        for one, place in zip(estimates, places, strict=True)
        if one is not None and one.value is not None
    ]
    axes.plot(
        [value for value, _ in known],
        [place for _, place in known],
        color=colour,
        linewidth=0.5,
        alpha=0.6,
    )
    bars(axes, places, estimates, colour=colour)
    axes.set_xlim(0, reach(estimates))


def _share_label(options: ProfileOptions) -> str:
    return f"share of {NAMES[options.morphotype]}"

"""Figures of what was counted, as PNG and PDF, sized for a printed page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sonar_watch.atomic import whole_file
from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.census import ALL, CensusOptions, CensusRow
from sonar_watch.ichthyolith.estimates import Estimate
from sonar_watch.ichthyolith.lengths import measured_um
from sonar_watch.ichthyolith.records import SlideObject

PAGE_IN = 7.09
"""Width of two columns of a journal, 180 mm."""

COLOURS = {
    "tooth": "#0072B2",
    "denticle": "#D55E00",
    "sawtoothed": "#009E73",
    ALL: "#333333",
}
"""Told apart without colour vision as well (Okabe and Ito 2008, Color Universal Design)."""

NAMES = {"tooth": "teeth", "denticle": "denticles", "sawtoothed": "saw-toothed", ALL: "all"}

_STYLE: Mapping[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "lines.linewidth": 0.9,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}
_DPI = 300
_ROW_IN = 0.16
_MOST_HIGH_IN = 9.4
_HEADROOM = 1.15
"""Over the bars of lengths: room for the median's figure."""


@contextmanager
def page(width_in: float, height_in: float) -> Iterator[Any]:
    """Give a figure that needs no display, in the style of all figures here.

    Raises
    ------
    ConfigurationError
        matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigurationError(
            "plots need matplotlib: pip install 'sonar-watch[detect]'"
        ) from error
    with mpl.rc_context(dict(_STYLE)):
        yield Figure(figsize=(width_in, height_in), layout="constrained")


def save(figure: Any, stem: Path) -> list[Path]:
    """Write a figure as PNG and PDF, whole; the same figure gives the same bytes.

    Returns
    -------
    list of Path
        `stem` with .png and with .pdf.
    """
    paths = []
    for suffix, unstamped in ((".png", {"Software": None}), (".pdf", {"CreationDate": None})):
        path = stem.with_name(stem.name + suffix)
        with whole_file(path) as file:
            figure.savefig(file, format=suffix[1:], dpi=_DPI, metadata=unstamped)
        paths.append(path)
    return paths


def draw_counts(rows: Sequence[CensusRow], stem: Path) -> list[Path]:
    """Draw how many were counted in each sample and the denticle : tooth ratio; return the files.

    Filled points are counts as they are, open ones corrected for the detector's measured skill;
    bars are 95 % intervals. Per gram where every sample has a mass. Once a person has looked at
    some, each sample says at which share of its objects. Without samples: no file.

    Parameters
    ----------
    rows : sequence of CensusRow
        Those of samples are drawn, the first on top.
    stem : Path
        Name of the files without suffix; the folder must be there.

    Raises
    ------
    ConfigurationError
        matplotlib is not installed.
    """
    shown = [row for row in rows if row.level == "sample"]
    if not shown:
        return []
    by_mass = all(row.dry_mass_g for row in shown)
    names = [name for name in shown[0].counts if name != ALL]
    height = min(_MOST_HIGH_IN, 1.1 + max(_ROW_IN * len(shown) * 1.6, 0.9))
    with page(PAGE_IN, height) as figure:
        panels = figure.subplots(1, len(names) + 1, sharey=True)
        places = np.arange(len(shown))
        for axes, name in zip(panels, names, strict=False):
            _draw_class(axes, shown, name, places, by_mass=by_mass)
        _draw_ratio(panels[-1], shown, places)
        panels[0].set_yticks(places, _sample_names(shown))
        panels[0].set_ylim(len(shown) - 0.5, -0.5)
        _legend_below(figure, panels)
        return save(figure, stem)


def _sample_names(shown: Sequence[CensusRow]) -> list[str]:
    """Return what stands beside each sample: its site, too, where there are several, and how much
    was reviewed once anything was."""
    several = len({row.site for row in shown}) > 1
    names = [f"{row.site} / {row.sample}" if several else row.sample for row in shown]
    if not any(row.reviewed for row in shown):
        return names
    return [
        f"{name}\n{row.reviewed_share or 0.0:.0%} reviewed"
        for name, row in zip(names, shown, strict=True)
    ]


def reviewed_note(rows: Sequence[CensusRow]) -> str:
    """Return how much of what is drawn a person has looked at; "" when it is nothing.

    Parameters
    ----------
    rows : sequence of CensusRow
        Those of samples.
    """
    reviewed, objects = sum(row.reviewed for row in rows), sum(row.objects for row in rows)
    if not reviewed:
        return ""
    shares = [row.reviewed_share or 0.0 for row in rows if row.objects]
    parts = f", {min(shares):.0%} to {max(shares):.0%} by sample" if len(shares) > 1 else ""
    return f"{reviewed / objects:.0%} of all objects reviewed{parts}"


def draw_sizes(
    objects: Sequence[SlideObject], stem: Path, options: CensusOptions | None = None
) -> list[Path]:
    """Draw how lengths are distributed in each class; return the files.

    Bars count objects in steps of a tenth of a decade, the line is the share that is no longer;
    dotted lines part the size fractions, and the median is marked. Once a person has looked at
    some, each class says at how many of those that are drawn. Nothing measured: no file.

    Parameters
    ----------
    objects : sequence of SlideObject
    stem : Path
        Name of the files without suffix; the folder must be there.
    options : CensusOptions
        What is counted as what, and the size fractions.

    Raises
    ------
    ConfigurationError
        matplotlib is not installed.
    """
    options = options or CensusOptions()
    members = {
        name: [one for one in objects if options.counted_as(one.class_name) == name]
        for name in options.classes
    }
    lengths = {name: np.array(measured_um(some)) for name, some in members.items()}
    is_reviewed = any(one.reviewed for one in objects)
    known = [values for values in lengths.values() if len(values)]
    if not known:
        return []
    edges = _edges_um(np.concatenate(known))
    with page(PAGE_IN, 2.5) as figure:
        panels = figure.subplots(1, len(lengths), sharex=True, squeeze=False)[0]
        for axes, (name, values) in zip(panels, lengths.items(), strict=True):
            axes.set_title(_size_title(name, members[name], is_reviewed=is_reviewed))
            _draw_lengths(axes, values, edges, name, options.size_edges_um)
        panels[0].set_ylabel("objects (bars)")
        panels[-1].annotate(
            "share no longer (line)",
            (1.13, 0.5),
            xycoords="axes fraction",
            rotation=270,
            va="center",
        )
        return save(figure, stem)


def bars(
    axes: Any,
    places: Sequence[float],
    estimates: Sequence[Estimate | None],
    *,
    colour: str,
    is_open: bool = False,
    shift: float = 0.0,
    label: str = "",
) -> None:
    """Draw estimates along x at places along y, with their intervals.

    A limit without bound, and one beyond the axes, ends in an arrow at their edge.
    """
    first = True
    for place, estimate in zip(places, estimates, strict=True):
        if estimate is None or estimate.value is None:
            continue
        high = estimate.high if math.isfinite(estimate.high) else estimate.value
        at = float(place) + shift
        axes.plot([estimate.low, high], [at, at], color=colour, linewidth=0.8, zorder=2)
        if not math.isfinite(estimate.high):
            axes.plot([high], [at], ">", color=colour, markersize=3)
        axes.plot(
            [estimate.value],
            [at],
            "o",
            color=colour,
            markersize=3.5,
            markeredgewidth=0.8,
            markerfacecolor="white" if is_open else colour,
            zorder=3,
            clip_on=False,
            label=label if first else None,
        )
        first = False


def _draw_class(
    axes: Any, shown: Sequence[CensusRow], name: str, places: Any, *, by_mass: bool
) -> None:
    counts = [row.counts[name] for row in shown]
    plain: list[Estimate | None] = [
        count.per_gram if by_mass else count.counted for count in counts
    ]
    right = [count.corrected_per_gram if by_mass else count.corrected for count in counts]
    bars(axes, places, plain, colour=COLOURS[name], shift=-0.14, label="counted")
    bars(axes, places, right, colour=COLOURS[name], is_open=True, shift=0.14, label="corrected")
    axes.set(title=NAMES[name], xlabel="per gram" if by_mass else "number")
    axes.set_xlim(0, reach([*plain, *right]))
    axes.grid(axis="x", alpha=0.25, linewidth=0.5)
    axes.tick_params(axis="y", length=0)


def _draw_ratio(axes: Any, shown: Sequence[CensusRow], places: Any) -> None:
    plain = [row.denticle_tooth_ratio for row in shown]
    right = [row.corrected_ratio for row in shown]
    bars(axes, places, plain, colour=COLOURS[ALL], shift=-0.14, label="counted")
    bars(axes, places, right, colour=COLOURS[ALL], is_open=True, shift=0.14, label="corrected")
    axes.set(title="denticles : teeth", xlabel="ratio")
    axes.set_xlim(0, reach([*plain, *right]))
    axes.grid(axis="x", alpha=0.25, linewidth=0.5)
    axes.tick_params(axis="y", length=0)


def reach(estimates: Sequence[Estimate | None]) -> float:
    """Return where an axis of estimates ends: limits far beyond all values say little."""
    known = [one for one in estimates if one is not None and one.value is not None]
    largest = max((one.value or 0.0 for one in known), default=0.0)
    limits = [one.high for one in known if math.isfinite(one.high)]
    most = max(limits, default=1.0)
    return 1.05 * (min(most, 4 * largest) if largest else most) or 1.0


def _legend_below(figure: Any, panels: Sequence[Any]) -> None:
    """Say once, under all panels, which points are corrected."""
    from matplotlib.lines import Line2D

    if not any("corrected" in axes.get_legend_handles_labels()[1] for axes in panels):
        return
    marks = [
        Line2D(
            [],
            [],
            marker="o",
            color="black",
            markersize=3.5,
            linewidth=0.8,
            markerfacecolor=fill,
            markeredgewidth=0.8,
            label=label,
        )
        for fill, label in (("black", "counted"), ("white", "corrected for precision and recall"))
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2)


def _size_title(name: str, members: Sequence[SlideObject], *, is_reviewed: bool) -> str:
    """Return what a panel shows, and how many of that a person looked at, if at anything."""
    drawn = len(measured_um(members))
    reviewed = len(measured_um(one for one in members if one.reviewed))
    return f"{NAMES[name]} (n = {drawn}" + (f", {reviewed} reviewed)" if is_reviewed else ")")


def _edges_um(values: Any) -> Any:
    """Return the edges of the bars, ten to a decade, that hold all lengths."""
    first = math.floor(10 * math.log10(max(float(values.min()), 1.0)))
    last = math.floor(10 * math.log10(max(float(values.max()), 1.0))) + 1
    return 10 ** (np.arange(first, last + 1) / 10)


def _draw_lengths(axes: Any, values: Any, edges: Any, name: str, parts_um: Sequence[float]) -> None:
    axes.set(xscale="log", xlabel="length (µm)")
    axes.xaxis.set_major_formatter(_plain_number())
    axes.xaxis.set_minor_formatter(_only_some())
    axes.set_xlim(edges[0], edges[-1])
    for part in parts_um:
        axes.axvline(part, color="grey", linewidth=0.6, linestyle=":")
    if not len(values):
        axes.text(0.5, 0.5, "none measured", ha="center", transform=axes.transAxes, color="grey")
        axes.set_yticks([])
        return
    axes.hist(values, edges, color=COLOURS[name], alpha=0.55, edgecolor="white", linewidth=0.4)
    axes.yaxis.get_major_locator().set_params(integer=True)
    median = float(np.median(values))
    axes.axvline(median, color=COLOURS[name], linewidth=1.0)
    axes.annotate(
        f" median {median:.0f} µm",
        (median, 0.99),
        xycoords=("data", "axes fraction"),
        fontsize=7,
        va="top",
        color=COLOURS[name],
    )
    axes.set_ylim(0, _HEADROOM * axes.get_ylim()[1])
    _draw_shares(axes.twinx(), np.sort(values), float(edges[-1]))


def _draw_shares(axes: Any, order: Any, end_um: float) -> None:
    """Draw the share of objects that are no longer than each length."""
    at, shares = np.append(order, end_um), np.append(np.arange(1, len(order) + 1), len(order))
    axes.step(at, shares / len(order), where="post", color="black", linewidth=0.7)
    axes.set(ylim=(0, _HEADROOM * 1.05))
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    axes.spines["right"].set(visible=True, bounds=(0, 1))


def _plain_number() -> Callable[[float, int], str]:
    return lambda value, _: f"{value:g}"


def _only_some() -> Callable[[float, int], str]:
    """Return what writes the 2 and the 5 of each decade."""
    return lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else ""

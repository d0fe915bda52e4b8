"""Curves of a detector's scores, as PNG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from sonar_watch.errors import ConfigurationError
from sonar_watch.learning.intervals import share_interval
from sonar_watch.learning.matching import Judgement, Matching, Selection
from sonar_watch.learning.scores import score

STEPS_DB = tuple(float(edge) for edge in range(3, 19))
"""Edges of the bars of recall by contrast."""


def draw_plots(
    judgements: Sequence[Judgement],
    matchings: Sequence[Matching],
    confidence: float,
    folder: Path,
    plume: str = "signal",
) -> list[Path]:
    """Draw precision over recall, F1 over confidence and recall by contrast; return the files.

    Parameters
    ----------
    judgements, matchings : sequence
        One judgement of the same pictures per matching; the first is drawn by contrast.
    confidence : float
        The working threshold: marked.
    folder : Path
        Made when missing.
    plume : str
        The class that is drawn.

    Raises
    ------
    ConfigurationError
        matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pairs = list(zip(judgements, matchings, strict=True))
    return [
        _draw_curve(pairs, confidence, folder / "precision_recall.png", plume),
        _draw_sweep(pairs, confidence, folder / "f1_confidence.png", plume),
        _draw_contrast(judgements[0], confidence, folder / "recall_contrast.png", plume),
        _draw_false(judgements[0], confidence, folder / "false_images.png", plume),
    ]


def open_axes(x_label: str, y_label: str) -> tuple[Any, Any]:
    """Return a figure that needs no display, and its axes.

    Raises
    ------
    ConfigurationError
        matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigurationError("plots need matplotlib: pip install 'sonar-watch[detect]'") from (
            error
        )
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3)
    return figure, axes


def save_axes(figure: Any, axes: Any, path: Path) -> Path:
    """Write a figure, with a legend when its axes have labels; return the path."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend()
    figure.savefig(path, dpi=120)
    return path


def _draw_curve(
    pairs: Sequence[tuple[Judgement, Matching]], confidence: float, path: Path, plume: str
) -> Path:
    figure, axes = open_axes("recall", "precision")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01), title="Plumes of every contrast that is asked for")
    for judgement, matching in pairs:
        scores = score(judgement, Selection(class_names=(plume,)))
        (line,) = axes.plot(scores.recall, scores.precision, label=matching.name)
        point = scores.at(confidence)
        axes.plot(point.recall, point.precision, "o", color=line.get_color())
    return save_axes(figure, axes, path)


def _draw_sweep(
    pairs: Sequence[tuple[Judgement, Matching]], confidence: float, path: Path, plume: str
) -> Path:
    figure, axes = open_axes("confidence", "F1")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), title="All plumes, and those of 8 dB and more (dashed)")
    axes.axvline(confidence, color="grey", linewidth=1)
    for judgement, matching in pairs:
        every = score(judgement, Selection(class_names=(plume,)))
        strong = score(judgement, Selection(class_names=(plume,), contrast_db=(8.0, math.inf)))
        (line,) = axes.plot(every.confidence, every.f1, label=matching.name)
        axes.plot(strong.confidence, strong.f1, "--", color=line.get_color())
    return save_axes(figure, axes, path)


def _draw_contrast(judgement: Judgement, confidence: float, path: Path, plume: str) -> Path:
    """Draw the share found of each dB of contrast, the ignored ones as well."""
    figure, axes = open_axes("contrast of the plume (dB)", "found")
    axes.set(ylim=(0, 1.05), title=f"Recall by contrast at confidence {confidence:g}")
    edges = (*STEPS_DB, math.inf)
    for low, high in pairwise(edges):
        hits, of = _found_between(judgement, plume, (low, high), confidence)
        if of:
            bottom, top = share_interval(hits, of)
            axes.bar(low + 0.5, hits / of, width=0.9, color="tab:blue", alpha=0.6)
            axes.vlines(low + 0.5, bottom, top, color="black", linewidth=1)
            axes.annotate(str(of), (low + 0.5, 0.01), ha="center", fontsize=7)
    return save_axes(figure, axes, path)


def _found_between(
    judgement: Judgement, plume: str, contrast_db: tuple[float, float], confidence: float
) -> tuple[int, int]:
    """Return how many true boxes of some contrast were found, of how many."""
    asked = Selection(
        class_names=(plume,), contrast_db=contrast_db, with_ignored=True
    ).truths(judgement)
    return int((judgement.found(confidence) & asked).sum()), int(asked.sum())


def _draw_false(judgement: Judgement, confidence: float, path: Path, plume: str) -> Path:
    scores = score(judgement, Selection(class_names=(plume,)))
    figure, axes = open_axes("confidence", "share of pictures flagged")
    axes.set(xlim=(0, 1), title="Pictures in which a plume is found and none is")
    axes.set_yscale("symlog", linthresh=1e-3)
    axes.axvline(confidence, color="grey", linewidth=1)
    for rates, label in (
        (scores.false_image_rate, f"no plume ({scores.images_without})"),
        (scores.empty_image_rate, f"nothing at all ({scores.images_empty})"),
    ):
        axes.plot(scores.confidence, rates, label=label)
    return save_axes(figure, axes, path)

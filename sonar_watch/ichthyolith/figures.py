"""What of a run is looked at: plots as PNG and PDF, its profile, a sheet of crops per class."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from sonar_watch.ichthyolith.classifier import MARGIN
from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.plots import draw_counts, draw_sizes
from sonar_watch.ichthyolith.profile_plots import draw_beside, draw_profile
from sonar_watch.ichthyolith.profiles import (
    ProfileOptions,
    ProfilePoint,
    make_profile,
    write_profile,
)
from sonar_watch.ichthyolith.records import CLASSES, Tile
from sonar_watch.ichthyolith.results import Counted, census_options
from sonar_watch.ichthyolith.review.crops import crops_of
from sonar_watch.ichthyolith.samples import SampleFacts
from sonar_watch.ichthyolith.sheets import MOST, draw_sheets, spread

PLOTS, SHEETS, PROFILE = "plots", "sheets", "profile.csv"
LEAST_CROP_PX = 120.0
"""Least side of what a sheet shows of a tile: a small object is not blown up out of all shape."""


def write_profiles(
    out: Path,
    counted: Counted,
    samples: Mapping[str, SampleFacts],
    profile: ProfileOptions | None,
) -> None:
    """Write profile.csv where samples are known; else that of an earlier run is removed.

    Raises
    ------
    ConfigurationError
        The morphotype is counted as something else.
    OSError
        The folder is full or not writable.
    """
    if profile is None:
        (out / PROFILE).unlink(missing_ok=True)
    else:
        write_profile(out / PROFILE, make_profile(counted.census, samples, profile), profile)


def write_figures(
    out: Path,
    counted: Counted,
    options: SlideOptions,
    samples: Mapping[str, SampleFacts],
    profile: ProfileOptions | None,
) -> list[Path]:
    """Draw counts and sizes, and profiles where samples are known; return the plots.

    Each site has a profile of its own: depths at two sites are not of one core. What an earlier
    run drew and this one does not is removed.

    Parameters
    ----------
    out : Path
        Folder of results.
    counted : Counted
    options : SlideOptions
    samples : mapping of str to SampleFacts
    profile : ProfileOptions or None
        None draws no profile.

    Raises
    ------
    ConfigurationError
        The morphotype is counted as something else, or matplotlib is not installed.
    OSError
        The folder is full or not writable.
    """
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every letter of a PDF
    folder = out / PLOTS
    folder.mkdir(parents=True, exist_ok=True)
    written = [
        *draw_counts(counted.census, folder / "counts"),
        *draw_sizes(counted.objects, folder / "sizes", census_options(options)),
    ]
    if profile is not None:
        points = make_profile(counted.census, samples, profile)
        written += _draw_by_site(points, folder, profile)
    _remove_others(folder, written)
    return written


def _draw_by_site(
    points: Sequence[ProfilePoint], folder: Path, profile: ProfileOptions
) -> list[Path]:
    sites: dict[str, list[ProfilePoint]] = {}
    for point in points:
        sites.setdefault(point.row.site, []).append(point)
    written = []
    for site, members in sites.items():
        end = f"_{site}" if len(sites) > 1 else ""
        written += draw_profile(members, folder / f"profile{end}", profile)
        if profile.beside:
            written += draw_beside(members, folder / f"beside{end}", profile)
    return written


def write_sheets(out: Path, counted: Counted, tiles: Mapping[str, Tile]) -> list[Path]:
    """Write a sheet of crops for each class that was found; return them.

    Those of an earlier run are removed.

    Parameters
    ----------
    out : Path
        Folder of results.
    counted : Counted
    tiles : mapping of str to Tile
        By image; each is read once.

    Raises
    ------
    OSError
        The folder is full or not writable.
    """
    shown = [
        one for name in CLASSES
        for one in spread([one for one in counted.objects if one.class_name == name], MOST)
    ]  # fmt: skip
    crops = {
        crop.one.object_id: crop.image for crop in crops_of(shown, tiles, MARGIN, LEAST_CROP_PX)
    }
    written = draw_sheets(
        counted.objects, lambda one: crops.get(one.object_id), out / SHEETS, most=MOST
    )
    _remove_others(out / SHEETS, written)
    return written


def _remove_others(folder: Path, written: Sequence[Path]) -> None:
    for path in sorted(folder.iterdir()):
        if path.suffix in (".png", ".pdf") and path not in written:
            path.unlink()

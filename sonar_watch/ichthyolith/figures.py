"""The plots of a run, as PNG and PDF in a folder of their own, and its profile."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sonar_watch.ichthyolith.options import SlideOptions
from sonar_watch.ichthyolith.plots import draw_counts, draw_sizes
from sonar_watch.ichthyolith.profile_plots import draw_profile
from sonar_watch.ichthyolith.profiles import ProfileOptions, make_profile, write_profile
from sonar_watch.ichthyolith.results import Counted, census_options
from sonar_watch.ichthyolith.samples import SampleFacts

PLOTS, PROFILE = "plots", "profile.csv"


def write_figures(
    out: Path,
    counted: Counted,
    options: SlideOptions,
    samples: Mapping[str, SampleFacts],
    profile: ProfileOptions | None,
) -> list[Path]:
    """Draw counts and sizes, and profiles where samples are known; return the plots.

    What an earlier run drew and this one does not is removed.

    Parameters
    ----------
    out : Path
        Folder of results.
    counted : Counted
    options : SlideOptions
    samples : mapping of str to SampleFacts
    profile : ProfileOptions or None
        None writes no profile.

    Raises
    ------
    ConfigurationError
        The morphotype is counted as something else, or matplotlib is not installed.
    OSError
        The folder is full or not writable.
    """
    folder = out / PLOTS
    folder.mkdir(parents=True, exist_ok=True)
    written = [
        *draw_counts(counted.census, folder / "counts"),
        *draw_sizes(counted.objects, folder / "sizes", census_options(options)),
    ]
    if profile is None:
        (out / PROFILE).unlink(missing_ok=True)
    else:
        points = make_profile(counted.census, samples, profile)
        write_profile(out / PROFILE, points, profile)
        written += draw_profile(points, folder / "profile", profile)
    for path in sorted(folder.iterdir()):
        if path.suffix in (".png", ".pdf") and path not in written:
            path.unlink()
    return written

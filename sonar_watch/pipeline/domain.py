"""Whether a frame is of the kind that the network was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sonar_watch.records import WaterColumnFrame

Bands = Sequence[tuple[float, float]]
Domain = Mapping[str, Bands]
"""What a network saw in training: for each quantity the (lowest, highest) of some bands."""

LEEWAY = 0.1
"""What lies beyond a band by this share of its edge is near enough."""


def out_of_domain(
    frame: WaterColumnFrame, seabed_depth_m: float | None, domain: Domain
) -> str | None:
    """Return why the network was not trained for a frame; None when it was.

    What the frame does not tell, or the domain does not name, is taken to be as in training.

    Parameters
    ----------
    frame : WaterColumnFrame
    seabed_depth_m : float or None
    domain : mapping
        Bands of "frequency_khz" and "depth_m".
    """
    return "; ".join(_reasons(frame, seabed_depth_m, domain)) or None


def _reasons(
    frame: WaterColumnFrame, seabed_depth_m: float | None, domain: Domain
) -> Iterator[str]:
    bands = domain.get("frequency_khz", ())
    strange = [value for value in frame.frequency_khz or () if not within(value, bands)]
    if strange:
        yield f"frequency {strange[0]:.0f} kHz, trained on {_words(bands)} kHz"
    bands = domain.get("depth_m", ())
    if seabed_depth_m is not None and not within(seabed_depth_m, bands):
        yield f"depth {seabed_depth_m:.0f} m, trained on {_words(bands)} m"


def within(value: float, bands: Bands) -> bool:
    """Return whether a value lies in one of some bands, or near enough; True without any.

    >>> within(105.0, [(40.0, 100.0)]), within(120.0, [(40.0, 100.0)]), within(7.0, [])
    (True, False, True)
    """
    return not bands or any(
        low * (1 - LEEWAY) <= value <= high * (1 + LEEWAY) for low, high in bands
    )


def _words(bands: Bands) -> str:
    return " and ".join(f"{low:g} to {high:g}" for low, high in bands)

"""How slides are searched and counted: the `slides:` section of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sonar_watch.errors import ConfigurationError

FOUND_ABOVE = 0.05
"""Boxes down to this are kept between runs: another threshold needs no network then."""

USUAL_CONFIDENCE = {"one": 0.3, "two": 0.1}
"""Of weights whose manifest names none; a second stage rejects, so the first may be generous."""

_SHARES = ("iou", "join", "accept")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideOptions:
    """How ichthyoliths on microscope slides are found, measured and counted.

    Parameters
    ----------
    weights : str
        Name of the detector in MANIFEST.yaml, with the classes tooth, denticle, sawtoothed and
        noise (those it was not taught are never found).
    stages : {"one", "two"}
        "one" takes the detector's word; "two" lets a classifier look at a crop of each object
        and reject what is none.
    classifier : str
        Name of that classifier in MANIFEST.yaml.
    confidence : float or "auto"
        Least confidence of a box, 0.01 to 1; "auto" takes what the manifest says of the weights
        (`scores`: `slides`: `one` or `two`: `confidence`), else 0.3, and 0.1 with two stages.
    accept : float
        Least probability of being an ichthyolith that lets an object pass the classifier, 0 to 1.
    iou : float
        Of two boxes of one class in one window that overlap more than this (intersection over
        union, 0 to 1) the less confident is dropped.
    window_px : int
        Side of the square that the network is shown at a time; a tile that is no larger is shown
        whole. Networks know objects of one size: leave it as they were taught.
    overlap_px : int
        Overlap of the windows within a large image; at least the length of most objects.
    search : {"particles", "everywhere"}
        "particles" shows the network only where something lies on the glass, "everywhere" whole
        windows: slower, and for particles so faint that they hardly differ from glass.
    register : bool
        Measure on their overlap where neighbouring tiles lie, instead of trusting file names.
    max_shift_px : int
        How far a tile may lie from where its name says, in relation to its neighbour.
    join : float
        Share of the smaller of two boxes of different views that must overlap for both to show
        one object, 0 to 1.
    um_per_px : float or None
        Micrometres per pixel; none takes what the images say of themselves.
    sawtoothed : {"own", "tooth"}
        Count saw-toothed ichthyoliths on their own, or as teeth.
    size_edges_um : tuple of float
        Lengths that part the size fractions, rising; below the first and above the last are
        fractions, too.
    list_noise : bool
        Also list particles that no view takes for an ichthyolith, where the detector knows noise.
    device : str
        "auto" (CUDA where there is one, else the CPU), "cpu" or "cuda:0".
    threads : int or None
        CPU threads of the networks; none takes one per core.
    workers : int
        Threads that read images ahead of the network.
    batch : int
        Windows given to the network at a time.
    models_dir : Path or None
        Folder with MANIFEST.yaml; none looks where the detector of a watch is looked for.

    Raises
    ------
    ConfigurationError
        A number beyond its range.
    """

    weights: str = "ichthyolith-n"
    stages: Literal["one", "two"] = "two"
    classifier: str = "ichthyolith-crops"
    confidence: float | Literal["auto"] = "auto"
    accept: float = 0.5
    iou: float = 0.5
    window_px: int = 1200
    overlap_px: int = 240
    search: Literal["particles", "everywhere"] = "particles"
    register: bool = True
    max_shift_px: int = 40
    join: float = 0.5
    um_per_px: float | None = None
    sawtoothed: Literal["own", "tooth"] = "own"
    size_edges_um: tuple[float, ...] = (63.0, 125.0, 250.0)
    list_noise: bool = False
    device: str = "auto"
    threads: int | None = None
    workers: int = 2
    batch: int = 8
    models_dir: Path | None = None

    def __post_init__(self) -> None:
        if self.confidence != "auto" and not 0.01 <= self.confidence <= 1.0:
            raise ConfigurationError(
                f"confidence: expected auto, or 0.01 to 1, received {self.confidence}"
            )
        for name in _SHARES:
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ConfigurationError(
                    f"{name}: expected above 0 up to 1, received {getattr(self, name)}"
                )
        for name in ("window_px", "workers", "batch"):
            if getattr(self, name) < 1:
                raise ConfigurationError(
                    f"{name}: expected 1 or more, received {getattr(self, name)}"
                )
        if not 0 <= self.overlap_px < self.window_px:
            raise ConfigurationError(
                f"overlap_px: expected 0 or more, below window_px {self.window_px}, "
                f"received {self.overlap_px}"
            )
        if self.max_shift_px < 0:
            raise ConfigurationError(
                f"max_shift_px: expected 0 or more, received {self.max_shift_px}"
            )
        if self.um_per_px is not None and not 0.0 < self.um_per_px < 1000.0:
            raise ConfigurationError(
                f"um_per_px: expected above 0, below 1000, received {self.um_per_px}"
            )

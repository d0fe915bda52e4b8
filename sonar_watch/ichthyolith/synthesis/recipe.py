"""What a set of composites is to be like."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sonar_watch.errors import ConfigurationError
from sonar_watch.ichthyolith.synthesis.composite import CompositeOptions

Split = Literal["train", "val"]
Form = Literal["boxes", "crops"]
FORMS: tuple[Form, ...] = ("boxes", "crops")
CROP_FIELD_PX = 640
"""A classifier sees crops of the tile itself: composites for them are not scaled down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideSetOptions:
    """What is in a set of composites.

    Parameters
    ----------
    composites : int
        In all splits together.
    form : {"boxes", "crops"}
        Pictures with boxes for a detector, or folders of crops for a classifier.
    validation_share : float
        Composites for validation, at least 0 and below 1. They show other exemplars than those
        for training, and nothing of a real tile.
    seed : int
    exemplars : Path or None
        Folder with a folder of pictures for each class; None: all particles are drawn.
    real : Path or None
        Folder of labelled tiles to take glass and particles from; None: none.
    leave_out : tuple of str
        Slides, samples or sites of `real` of which nothing is used.
    composite : CompositeOptions
    noise_crops : int
        Crops of noise from each composite, at most; for crops alone.

    Raises
    ------
    ConfigurationError
        A number beyond its range, or slides to leave out where there are none.
    """

    composites: int = 1000
    form: Form = "boxes"
    validation_share: float = 0.1
    seed: int = 1
    exemplars: Path | None = None
    real: Path | None = None
    leave_out: tuple[str, ...] = ()
    composite: CompositeOptions = field(default_factory=CompositeOptions)
    noise_crops: int = 4

    def __post_init__(self) -> None:
        if self.composites < 1 or self.seed < 0 or self.noise_crops < 0:
            raise ConfigurationError(
                "composites: expected 1 or more; seed and noise_crops: 0 or more; received "
                f"{self.composites}, {self.seed}, {self.noise_crops}"
            )
        if not 0 <= self.validation_share < 1:
            raise ConfigurationError(
                f"validation_share: expected 0 to below 1, received {self.validation_share}"
            )
        if self.form not in FORMS:
            raise ConfigurationError(f"form: expected one of {FORMS}, received {self.form!r}")
        if self.leave_out and self.real is None:
            raise ConfigurationError("leave_out: expected real tiles to leave it out of")

    def count(self, split: Split) -> int:
        """Return the number of composites in a split."""
        held = round(self.composites * self.validation_share)
        return held if split == "val" else self.composites - held

"""The second opinion of the two-stage path: what is in a crop, as probabilities.

A detector with a low threshold finds nearly all and much else; the classifier sees each box
again, enlarged, and rejects what is none (Mimura et al. 2022, Applied Computing and Geosciences
16, 100092).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage
from sonar_watch.detection.detector import DetectorOptions
from sonar_watch.detection.fallback import FallbackRuntime
from sonar_watch.detection.letterbox import PADDING, letterbox, shrunk
from sonar_watch.detection.runtime import Runtime, check_device
from sonar_watch.detection.weights import WeightsEntry, find_weights
from sonar_watch.errors import ConfigurationError, InferenceError, WeightsError
from sonar_watch.ichthyolith.records import CLASSES, ICHTHYOLITHS, Box

logger = logging.getLogger(__name__)

MARGIN = 0.2
"""Of the longer side of a box, added on each side of it: what surrounds a particle tells much."""

STUCK_AFTER_S = 600.0
"""Seconds after which a batch that does not return ends the process: far more than it takes."""

_AT_ONCE = 64
"""Crops that are held scaled at once."""

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierOptions:
    """Which classifier looks at crops, where, and what it lets pass.

    Parameters
    ----------
    weights : str
        Name of the model in MANIFEST.yaml.
    keep : float
        Least probability, 0 to 1, that it is an ichthyolith of any class; below it is noise.
    margin : float
        Share of the longer side of a box added on each side; as in training.
    device : str
        "auto" (CUDA where there is one, else the CPU), "cpu" or "cuda:0".
    threads : int or None
        CPU threads; none takes one per core.
    models_dir : Path or None
        Folder with MANIFEST.yaml; none looks where the detector's weights are looked for.

    Raises
    ------
    ConfigurationError
        A number beyond its range, or a device that is neither CPU nor CUDA.
    """

    weights: str = "ichthyolith-crops"
    keep: float = 0.5
    margin: float = MARGIN
    device: str = "auto"
    threads: int | None = None
    models_dir: Path | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.keep <= 1.0:
            raise ConfigurationError(f"keep: expected 0..1, received {self.keep}")
        if not 0.0 <= self.margin <= 2.0:
            raise ConfigurationError(f"margin: expected 0..2, received {self.margin}")
        check_device(self.device, self.threads)


class CropClassifier:
    """Says what is in a crop.

    Parameters
    ----------
    options : ClassifierOptions
    runtime : Runtime or None
        None opens what `options.device` asks for.

    Raises
    ------
    WeightsError
        The weights are missing, not the ones in the manifest, or no classifier of `CLASSES`.
    InferenceError
        No runtime can run them here.
    """

    def __init__(self, options: ClassifierOptions, runtime: Runtime | None = None) -> None:
        self._options = options
        self._entry = find_weights(options.weights, options.models_dir)
        self._columns = _columns(self._entry)
        self._runtime = runtime or _open(self._entry, options)
        logger.info("classifier %s on %s", self._entry.name, self._runtime.name)

    @property
    def options(self) -> ClassifierOptions:
        """What it was opened with."""
        return self._options

    @property
    def entry(self) -> WeightsEntry:
        """What the manifest says about the network."""
        return self._entry

    @property
    def weights_sha256(self) -> str:
        """The hash that names the network, the same on every runtime."""
        return self._entry.sha256

    @property
    def runtime(self) -> str:
        """What runs the network, such as "openvino 2026.4.1 cpu"."""
        return self._runtime.name

    def classify(self, crops: Sequence[ByteImage]) -> Probabilities:
        """Return what each crop shows; the same whatever else is in the list.

        Parameters
        ----------
        crops : sequence of ndarray, shape (h, w, 3), uint8
            BGR, of any size, such as `crop_of` cuts out.

        Returns
        -------
        ndarray, shape (n, 4), float32, 0 to 1
            A column for each of `CLASSES`; rows add up to 1.

        Raises
        ------
        ValueError
            A crop that is not uint8, without pixels, or neither grey nor BGR.
        InferenceError
            The runtime failed.
        """
        found = np.zeros((len(crops), len(CLASSES)), np.float32)
        for start in range(0, len(crops), _AT_ONCE):
            part = crops[start : start + _AT_ONCE]
            inputs = [self._fit(crop) for crop in part]
            outputs = np.array(self._runtime.infer(inputs), np.float32)
            if outputs.shape != (len(part), len(self._columns)) or not np.isfinite(outputs).all():
                raise InferenceError(
                    f"{self.runtime}: expected {len(self._columns)} probabilities a crop, received "
                    f"{outputs.shape}, or not finite"
                )
            found[start : start + len(part), self._columns] = outputs
        return found

    def _fit(self, crop: ByteImage) -> ByteImage:
        """Return a crop as the network takes it, the way training did."""
        size = self._entry.input_size
        return letterbox(shrunk(crop, max(size)), size, self._entry.channels)[0]

    def verdicts(self, probabilities: Probabilities) -> tuple[tuple[str, float], ...]:
        """Return class and confidence of each row; see `verdict`."""
        return tuple(verdict(row, self._options.keep) for row in probabilities)

    def close(self) -> None:
        """Let go of the network and its memory."""
        self._runtime.close()


def verdict(probabilities: Probabilities, keep: float = 0.5) -> tuple[str, float]:
    """Return the class of one row of `CropClassifier.classify`, and its probability.

    Parameters
    ----------
    probabilities : ndarray, shape (4,)
        In the order of `CLASSES`.
    keep : float
        Least probability that it is any ichthyolith, else it is noise.

    >>> verdict(np.array([0.3, 0.25, 0.05, 0.4], np.float32))
    ('tooth', 0.3)
    >>> verdict(np.array([0.3, 0.1, 0.0, 0.6], np.float32))
    ('noise', 0.6)
    """
    shares = {name: round(float(share), 6)
              for name, share in zip(CLASSES, probabilities, strict=True)}
    if 1.0 - shares["noise"] < keep:
        return "noise", shares["noise"]
    name = max(ICHTHYOLITHS, key=lambda one: shares[one])
    return name, shares[name]


def crop_of(image: ByteImage, xyxy_px: Box, margin: float = MARGIN) -> ByteImage:
    """Return the square around a box, grey where it leaves the image.

    Parameters
    ----------
    image : ndarray, shape (h, w, 3), uint8
    xyxy_px : Box
        Left, top, right, bottom, image pixels.
    margin : float
        Share of the longer side added on each side.

    Returns
    -------
    ndarray, shape (side, side, 3), uint8
        Its centre is that of the box, to the pixel.

    Raises
    ------
    ValueError
        A box without area or beyond the image.
    """
    left, top, right, bottom = xyxy_px
    height, width = image.shape[:2]
    if not (left < right and top < bottom and right > 0 and bottom > 0
            and left < width and top < height):
        raise ValueError(f"expected a box within {width} x {height} px, received {xyxy_px}")
    side = max(round(max(right - left, bottom - top) * (1 + 2 * margin)), 1)
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    crop = np.full((side, side, *image.shape[2:]), PADDING, np.uint8)
    seen = image[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)]
    crop[max(-y, 0) :, max(-x, 0) :][: seen.shape[0], : seen.shape[1]] = seen
    return crop


def _columns(entry: WeightsEntry) -> list[int]:
    """Return where each class of the network stands in `CLASSES`."""
    if not set(entry.class_names) <= set(CLASSES) or "noise" not in entry.class_names:
        raise WeightsError(
            f"{entry.name}: expected classes of {CLASSES}, noise among them, received "
            f"{entry.class_names}"
        )
    return [CLASSES.index(name) for name in entry.class_names]


def _open(entry: WeightsEntry, options: ClassifierOptions) -> Runtime:
    """Return what runs the classifier, in smaller batches or on the CPU where it must."""
    if entry.head != "classifier":
        raise WeightsError(f"{entry.name}: expected a classifier, its head is {entry.head!r}")
    return FallbackRuntime(entry, DetectorOptions(
        weights=entry.name, device=options.device, threads=options.threads,
        stuck_after_s=STUCK_AFTER_S,
    ))

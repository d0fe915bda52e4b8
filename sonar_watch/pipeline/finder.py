"""Who looks for plumes: a network with a second opinion beside it, or the classical detector.

`open_finder` is the one place that chooses.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Protocol

from sonar_watch.detection.detections import ByteImage, Detection, Detections
from sonar_watch.detection.detector import Detector, DetectorOptions, threshold
from sonar_watch.detection.fallback import FallbackRuntime
from sonar_watch.detection.weights import MANIFEST_NAME, find_weights
from sonar_watch.errors import NoWeightsError, WeightsError
from sonar_watch.pipeline.domain import Domain
from sonar_watch.pipeline.losses import Losses
from sonar_watch.records import WaterColumnFrame
from sonar_watch.watercolumn.classical import ClassicalDetector, ClassicalOptions
from sonar_watch.watercolumn.rivals import WEAKEST_RIVAL

log = logging.getLogger(__name__)

PLUME = "signal"
"""The class that events are made of."""
CLASSICAL = "classical"
"""What weights, their hash and the runtime are called when there is no network."""

CLASSICAL_RATES = ((0.8, 0.0),)
"""False alerts per hour that the classical detector raised on nights without plumes, by
confidence, as the manifest has them for weights: none ..."""
CLASSICAL_HOURS = 0.4
"""... in this many hours, which shows little."""


class PlumeFinder(Protocol):
    """Frames -> boxes."""

    @property
    def weights(self) -> str: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def runtime(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def notice(self) -> str | None: ...
    @property
    def wants_absolute(self) -> bool: ...
    @property
    def domain(self) -> Domain: ...
    def find(self, frames: Sequence[WaterColumnFrame]) -> list[Detections]: ...
    def second(self, frame: WaterColumnFrame) -> Detections | None: ...
    def retune(self, options: DetectorOptions) -> None: ...
    def close(self) -> None: ...


class NetworkFinder:
    """A network, and the classical detector that seconds it.

    Parameters
    ----------
    detector : Detector
    weights : str
        Name of the model.
    notice : str or None
        Why it runs elsewhere than asked for.
    """

    def __init__(self, detector: Detector, weights: str, notice: str | None = None) -> None:
        self.weights, self._notice = weights, notice
        self._detector = detector
        self._classical = ClassicalDetector()
        self._warned = False

    @property
    def wants_absolute(self) -> bool:
        """Whether the network was taught on recorded levels: frames should bring them."""
        return self._detector.entry.encoding == "absolute"

    @property
    def domain(self) -> Domain:
        """What the network was trained on, as far as its manifest says."""
        return self._detector.entry.domain

    @property
    def weights_sha256(self) -> str:
        """The hash that names the network in alerts."""
        return self._detector.weights_sha256

    @property
    def runtime(self) -> str:
        """What runs the network."""
        return self._detector.runtime

    @property
    def notice(self) -> str | None:
        """What the network has to do without."""
        return self._notice or self._detector.notice

    @property
    def confidence(self) -> float:
        """Least confidence of a box."""
        return self._detector.confidence

    def find(self, frames: Sequence[WaterColumnFrame]) -> list[Detections]:
        """Return what the network finds in each frame; see `Detector.detect`.

        Bodies that are less sure than `confidence` are among it: see `watercolumn.rivals`.
        """
        least = min(WEAKEST_RIVAL, self.confidence)
        found = self._detector.detect([self._shown(frame) for frame in frames], least)
        return [one.select([self._tells(row) for row in one]) for one in found]

    def _tells(self, row: Detection) -> bool:
        return bool(row.class_name != "signal" or row.confidence >= self.confidence)

    def _shown(self, frame: WaterColumnFrame) -> ByteImage:
        """Return what the network is shown of a frame."""
        if not self.wants_absolute:
            return frame.image
        if frame.absolute is not None:
            return frame.absolute
        if not self._warned:
            log.warning("%s was taught on recorded levels; pictures from %s have none: it is "
                        "shown their contrast", self.weights, frame.source.source)  # fmt: skip
            self._warned = True
        return frame.image

    def second(self, frame: WaterColumnFrame) -> Detections:
        """Return what the classical detector finds in the same frame, also where we saw nothing."""
        return self._classical.find(frame)

    def retune(self, options: DetectorOptions) -> None:
        """Take over what counts as found; see `Detector.retune`."""
        self._detector.retune(options)

    def close(self) -> None:
        """Let go of the network."""
        self._detector.close()


class ClassicalFinder:
    """The classical detector alone; nobody seconds it.

    Parameters
    ----------
    confidence : float
        Least confidence of a box.
    notice : str or None
        Why there is no network, when that was not asked for.
    """

    weights = weights_sha256 = runtime = CLASSICAL
    wants_absolute = False
    domain: Domain = MappingProxyType({})

    def __init__(self, confidence: float, notice: str | None = None) -> None:
        self.confidence, self.notice = confidence, notice
        self._classical = ClassicalDetector(ClassicalOptions(confidence=confidence))

    def find(self, frames: Sequence[WaterColumnFrame]) -> list[Detections]:
        """Return what is found in each frame."""
        return [self._classical.find(frame) for frame in frames]

    def second(self, frame: WaterColumnFrame) -> None:
        """Return None: it would agree with itself."""

    def retune(self, options: DetectorOptions) -> None:
        """Take over the least confidence of a box."""
        self.confidence = classical_confidence(options)
        self._classical = ClassicalDetector(ClassicalOptions(confidence=self.confidence))

    def close(self) -> None:
        """Nothing to let go of."""


def open_finder(options: DetectorOptions, losses: Losses | None = None) -> PlumeFinder:
    """Return who looks for plumes: the network that is named, else the classical detector.

    The network goes on with less when its device fails; see `FallbackRuntime`.

    Without any weights the watch goes on with what needs none, and says so; weights that are
    damaged, or missing beside others, are an error to be mended.

    Parameters
    ----------
    options : DetectorOptions
    losses : Losses or None
        What is known of devices that were lost, and whom to tell of another.

    Raises
    ------
    WeightsError
        The weights are not the ones in the manifest, know no plumes, or only others are there.
    InferenceError
        No runtime can run them here.
    """
    if options.weights == CLASSICAL:
        log.warning("no network, as configured: the classical detector looks for plumes")
        return ClassicalFinder(classical_confidence(options))
    wanted, notice = (options, None) if losses is None else losses.choose(options)
    note = (lambda _: None) if losses is None else losses.note
    try:
        _expect_plumes(wanted)
        detector = Detector(wanted, open_with=partial(FallbackRuntime, note=note))
        return NetworkFinder(detector, options.weights, notice)
    except NoWeightsError as error:
        notice = f"no weights were found, the classical detector looks for plumes: {error}"
        log.critical("%s", notice)
        return ClassicalFinder(classical_confidence(options), notice)


def _expect_plumes(options: DetectorOptions) -> None:
    """Refuse a network of which no box would ever become an event."""
    entry = find_weights(options.weights, options.models_dir)
    if entry.head != "classifier" and PLUME not in entry.class_names:
        raise WeightsError(
            f"weights {entry.name}: expected a class {PLUME!r}, has {[*entry.class_names]}: no "
            f"alert would ever come; say in {MANIFEST_NAME} which is the plume's, such as "
            f"`class_map: {{fluid: {PLUME}}}`"
        )


def classical_confidence(options: DetectorOptions) -> float:
    """Return the least confidence of a box where the classical detector watches alone."""
    return threshold(options, CLASSICAL_RATES, CLASSICAL_HOURS)


def as_opened(options: DetectorOptions, finder: PlumeFinder) -> DetectorOptions:
    """Return the options with what was chosen: "auto" in numbers, the weights that run."""
    return replace(options, confidence=finder.confidence, weights=finder.weights)

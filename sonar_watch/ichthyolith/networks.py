"""The networks of a run: known from the manifest at once, opened when there is work for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from sonar_watch.detection.detector import Detector, DetectorOptions
from sonar_watch.detection.fallback import FallbackRuntime
from sonar_watch.detection.weights import WeightsEntry, find_weights
from sonar_watch.errors import WeightsError
from sonar_watch.ichthyolith.classifier import ClassifierOptions, CropClassifier
from sonar_watch.ichthyolith.estimates import Skill
from sonar_watch.ichthyolith.options import FOUND_ABOVE, USUAL_CONFIDENCE, SlideOptions
from sonar_watch.ichthyolith.records import CLASSES, ICHTHYOLITHS

log = logging.getLogger(__name__)

_STUCK_AFTER_S = 1800.0
"""Nobody at sea waits for slides: a machine that is busy otherwise may take its time."""

class Networks:
    """The detector of a run, and its classifier when there are two stages.

    What was measured of them stands in the `scores` of the detector's entry, by stages, written
    by `sonar-watch evaluate --slides --record`:

        scores:
          slides:
            two: {confidence: 0.12, accept: 0.5, classifier: ichthyolith-crops,
                  classifier_sha256: 9c1d..., iou: 0.5, window_px: 1200, search: particles,
                  skill: {tooth: [18, 4, 3]},      # hits, false alarms, misses
                  measured_with: [5f70...]}        # others that stand for these, where there are

    Parameters
    ----------
    options : SlideOptions

    Attributes
    ----------
    entry : WeightsEntry
        Of the detector.
    classifier_entry : WeightsEntry or None
    confidence : float
        Least confidence of a box, in numbers.

    Raises
    ------
    WeightsError
        Weights are named by no manifest, or know none of the classes.
    """

    def __init__(self, options: SlideOptions) -> None:
        self._options = options
        self._detector: Detector | None = None
        self._classifier: CropClassifier | None = None
        self.entry = find_weights(options.weights, options.models_dir)
        self.classifier_entry: WeightsEntry | None = None
        if options.stages == "two":
            self.classifier_entry = find_weights(options.classifier, options.models_dir)
        _check_classes(self.entry)
        self._measured = _measured(self.entry, options)
        self.confidence = self._confidence()

    @property
    def floor(self) -> float:
        """Least confidence of the boxes that are kept between runs."""
        return min(self.confidence, FOUND_ABOVE)

    def open_detector(self) -> Detector:
        """Return the detector, opened once.

        Raises
        ------
        WeightsError, InferenceError
            As `Detector`.
        """
        if self._detector is None:
            options = self._options
            self._detector = Detector(
                DetectorOptions(
                    weights=options.weights, confidence=self.floor, iou=options.iou,
                    device=options.device, threads=options.threads, models_dir=options.models_dir,
                    stuck_after_s=_STUCK_AFTER_S,
                ),
                open_with=FallbackRuntime,
            )  # fmt: skip
        return self._detector

    def open_classifier(self) -> CropClassifier:
        """Return the classifier, opened once.

        Raises
        ------
        WeightsError, InferenceError
            As `CropClassifier`.
        """
        if self._classifier is None:
            options = self._options
            self._classifier = CropClassifier(
                ClassifierOptions(
                    weights=options.classifier, keep=options.accept, device=options.device,
                    threads=options.threads, models_dir=options.models_dir,
                )
            )  # fmt: skip
        return self._classifier

    @property
    def classifier(self) -> tuple[str, Callable[[], CropClassifier]] | None:
        """sha256 and opener of the classifier; None with one stage."""
        if self.classifier_entry is None:
            return None
        return self.classifier_entry.sha256, self.open_classifier

    def skills(self) -> dict[str, Skill]:
        """Return how they fared on slides left out, by class; {} when this was not measured.

        What was measured with another threshold or classifier tells nothing of this run.
        """
        rows: Mapping[str, Any] = self._measured.get("skill") or {}
        told = self._differences()
        if rows and told:
            log.warning("counts are not corrected for precision and recall: these were measured "
                        "with %s", ", ".join(told))  # fmt: skip
        if told:
            return {}
        return {
            name: Skill(hits=int(row[0]), false_alarms=int(row[1]), misses=int(row[2]))
            for name, row in rows.items()
        }

    def close(self) -> None:
        """Let go of what was opened."""
        for one in (self._detector, self._classifier):
            if one is not None:
                one.close()
        self._detector = self._classifier = None

    def _confidence(self) -> float:
        if self._options.confidence != "auto":
            return self._options.confidence
        if "confidence" in self._measured:
            return float(self._measured["confidence"])
        usual = USUAL_CONFIDENCE[self._options.stages]
        log.info("confidence %g: none was measured for weights %s with %s", usual,
                 self.entry.name, _stages(self._options))  # fmt: skip
        return usual

    def _differences(self) -> list[str]:
        """Return what this run does otherwise than when the skill was measured."""
        options = self._options
        now = {"confidence": self.confidence, "accept": options.accept,
               "classifier": options.classifier, "iou": options.iou,
               "window_px": options.window_px, "search": options.search}  # fmt: skip
        if self.classifier_entry is None:
            del now["accept"], now["classifier"]
        else:  # the name stays when it is trained anew
            now["classifier_sha256"] = self.classifier_entry.sha256
        then = {name: self._measured.get(name, value) for name, value in now.items()}
        return [f"{name} {then[name]}" for name in now if then[name] != now[name]]


def _stages(options: SlideOptions) -> str:
    return f"{options.stages} stage{'s' if options.stages == 'two' else ''}"


def _check_classes(entry: WeightsEntry) -> None:
    unknown = sorted(set(entry.class_names) - set(CLASSES))
    if unknown or not set(entry.class_names) & set(ICHTHYOLITHS):
        raise WeightsError(
            f"weights {entry.name!r}: expected some of the classes {', '.join(CLASSES)}, received "
            f"{', '.join(entry.class_names)}; a class_map in the manifest gives other names"
        )


def _measured(entry: WeightsEntry, options: SlideOptions) -> dict[str, Any]:
    by_stages = entry.scores.get("slides") or {}
    return dict(by_stages.get(options.stages) or {})

"""The detector: images in, `Detections` out, on whatever runtime this machine has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from sonar_watch.detection.budget import confidence_within, hours_needed, rate_bound
from sonar_watch.detection.decoding import decode
from sonar_watch.detection.detections import ByteImage, Detections
from sonar_watch.detection.letterbox import Letterbox, letterbox, snug_size
from sonar_watch.detection.runtime import Runtime, check_device
from sonar_watch.detection.weights import WeightsEntry, find_weights
from sonar_watch.errors import ConfigurationError, InferenceError, WeightsError

logger = logging.getLogger(__name__)

DEFAULT_CONFIDENCE = 0.4
"""Of weights whose false alerts were not measured."""

GPU_NODES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg")
"""Device nodes without which there is no CUDA: looking at them is cheap, importing torch not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorOptions:
    """Which network is run, where, and what counts as found.

    Parameters
    ----------
    weights : str
        Name of the model in MANIFEST.yaml; "classical" runs without a network.
    confidence : float or "auto"
        Least confidence of a box, 0 to 1; "auto" takes the lowest that was measured to keep
        within `alerts_per_hour`, and 0.4 where nothing was measured; 0.8 without a network.
    alerts_per_hour : float
        Budget of "auto": false alerts per hour of data; 0.042 is one in 24 hours.
    iou : float
        Of two boxes of one class that overlap more than this (intersection over union, 0 to 1)
        the less confident is dropped.
    device : str
        "auto" (CUDA where there is one, else the CPU), "cpu" or "cuda:0".
    threads : int or None
        CPU threads; none takes one per core.
    stuck_after_s : float
        Seconds after which an inference that does not return ends the process, to be started
        again; far longer than the slowest that does return.
    models_dir : Path or None
        Folder with MANIFEST.yaml; none looks in $SONAR_WATCH_MODELS, the user's and the
        system's data folders, then in what is shipped.

    Raises
    ------
    ConfigurationError
        A number beyond its range, or a device that is neither CPU nor CUDA.
    """

    weights: str = "plume-n"
    confidence: float | Literal["auto"] = "auto"
    alerts_per_hour: float = 0.042
    iou: float = 0.5
    device: str = "auto"
    threads: int | None = None
    stuck_after_s: float = 60.0
    models_dir: Path | None = None

    def __post_init__(self) -> None:
        for name in ("confidence", "iou"):
            value = getattr(self, name)
            if value != "auto" and not 0.0 < value <= 1.0:
                raise ConfigurationError(f"{name}: expected above 0 up to 1, received {value}")
        if not self.alerts_per_hour >= 0:
            raise ConfigurationError(
                f"alerts_per_hour: expected 0 or more, received {self.alerts_per_hour}"
            )
        check_device(self.device, self.threads)
        if not self.stuck_after_s > 0:
            raise ConfigurationError(
                f"stuck_after_s: expected a number above 0 s, received {self.stuck_after_s}"
            )


class Detector:
    """Runs one network on images.

    Parameters
    ----------
    options : DetectorOptions
    runtime : Runtime or None
        None opens one.
    open_with : callable or None
        Opens it, for the weights and the options; None opens what `options.device` asks for.

    Attributes
    ----------
    confidence : float
        Least confidence of a box, in numbers.

    Raises
    ------
    WeightsError
        The weights are missing, not the ones in the manifest, or those of a classifier.
    InferenceError
        No runtime can run them here.
    """

    def __init__(
        self,
        options: DetectorOptions,
        runtime: Runtime | None = None,
        *,
        open_with: Callable[[WeightsEntry, DetectorOptions], Runtime] | None = None,
    ) -> None:
        self._options = options
        self._entry = find_weights(options.weights, options.models_dir)
        if self._entry.head == "classifier":
            raise WeightsError(
                f"weights {self._entry.name}: expected a detector, they classify crops"
            )
        self.confidence = threshold(
            options, self._entry.false_alerts_per_hour, self._entry.false_alert_hours
        )
        self._runtime = runtime or (open_with or open_runtime)(self._entry, options)
        logger.info("weights %s on %s", self._entry.name, self._runtime.name)

    @property
    def entry(self) -> WeightsEntry:
        """What the manifest says about the network."""
        return self._entry

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of `Detections.class_id`."""
        return self._entry.class_names

    @property
    def weights_sha256(self) -> str:
        """The hash that names the network in alerts, the same on every runtime."""
        return self._entry.sha256

    @property
    def runtime(self) -> str:
        """What runs the network, such as "openvino 2026.4.1 cpu"."""
        return self._runtime.name

    @property
    def notice(self) -> str | None:
        """What the runtime has to do without, when it should have more."""
        return getattr(self._runtime, "notice", None)

    def detect(
        self, images: Sequence[ByteImage], least: float | None = None
    ) -> list[Detections]:
        """Return what is found in each image, in order; each as if it came alone.

        Parameters
        ----------
        images : sequence of ndarray, shape (h, w) or (h, w, 3), uint8
            Grey or BGR, of any size.
        least : float or None
            Confidence of the boxes instead of `self.confidence`.

        Raises
        ------
        ValueError
            An image that is not uint8, or neither grey nor BGR.
        InferenceError
            The runtime failed.
        """
        fitted = [self._fit(one) for one in images]
        outputs = self._runtime.infer([pixels for pixels, _ in fitted])
        if not all(np.isfinite(raw).all() for raw in outputs):
            # Compared with a threshold, a sick device's output would look like an empty sea.
            raise InferenceError(f"{self.runtime}: the output is not finite")
        return [
            decode(raw, self._entry, how, iou=self._options.iou,
                   confidence=self.confidence if least is None else least)
            for raw, (_, how) in zip(outputs, fitted, strict=True)
        ]

    def _fit(self, image: ByteImage) -> tuple[ByteImage, Letterbox]:
        """Return the image as the network takes it; how depends on the image alone."""
        size = self._entry.input_size
        if self._entry.encoding != "layers" and image.ndim == 3 and image.shape[2] == 3:
            image = image[..., 1]
        if self._entry.resizable and image.size:
            size = snug_size(image.shape[1], image.shape[0], size)
        return letterbox(image, size, self._entry.channels)

    def retune(self, options: DetectorOptions) -> None:
        """Take over what counts as found (`confidence`, `alerts_per_hour`, `iou`), at once.

        Weights and device stay those that were opened.
        """
        self._options = replace(
            self._options, confidence=options.confidence,
            alerts_per_hour=options.alerts_per_hour, iou=options.iou,
        )  # fmt: skip
        self.confidence = threshold(
            self._options, self._entry.false_alerts_per_hour, self._entry.false_alert_hours
        )

    def close(self) -> None:
        """Let go of the network and its memory."""
        self._runtime.close()


def threshold(
    options: DetectorOptions, rates: Sequence[tuple[float, float]] = (), hours: float = 0.0
) -> float:
    """Return the least confidence of a box, in numbers; the log says how "auto" came to it.

    Parameters
    ----------
    rates : sequence of (confidence, false alerts per hour)
        What was measured of the weights ...
    hours : float
        ... and over how many hours of data; 0 where that is not known.
    """
    if options.confidence != "auto":
        return options.confidence
    chosen = confidence_within(rates, options.alerts_per_hour, hours)
    budget = f"{options.alerts_per_hour:g} false alerts an hour"
    if chosen is not None:
        bound = rate_bound(dict(rates)[chosen], hours)
        logger.info("confidence %g keeps within %s, as measured over %g h: %.3g an hour at most, "
                    "with 95 %% certainty", chosen, budget, hours, bound)  # fmt: skip
        return chosen
    if rates:
        return _threshold_unproven(rates, hours, options.alerts_per_hour)
    logger.info("confidence %g: weights without measured false alerts", DEFAULT_CONFIDENCE)
    return DEFAULT_CONFIDENCE


def _threshold_unproven(
    rates: Sequence[tuple[float, float]], hours: float, budget_per_hour: float
) -> float:
    """Return the threshold where no measured rate is known to keep within the budget.

    Few hours may make it stricter than the default, never laxer.
    """
    counted = confidence_within(rates, budget_per_hour)
    budget = f"{budget_per_hour:g} false alerts an hour"
    if counted is None:
        chosen = counted = max(confidence for confidence, _ in rates)
        logger.warning("no measured confidence keeps within %s: %g is used", budget, chosen)
    else:
        chosen = max(counted, DEFAULT_CONFIDENCE)
        logger.warning("confidence %g: too little was measured to know that it keeps within %s",
                       chosen, budget)  # fmt: skip
    if hours > 0:
        logger.warning(
            "measured over %g h: it may be up to %.3g false alerts an hour (95 %% bound); "
            "expected %.0f h or more, without any",
            hours, rate_bound(dict(rates)[counted], hours), hours_needed(budget_per_hour),
        )  # fmt: skip
    else:
        logger.warning("how many hours the false alerts were counted over is not known")
    return chosen


def open_detector(options: DetectorOptions | None = None) -> Detector:
    """Return a detector that is ready; see `Detector` for what can go wrong."""
    return Detector(options or DetectorOptions())


def open_runtime(entry: WeightsEntry, options: DetectorOptions) -> Runtime:
    """Return the runtime for a device: torch on CUDA, OpenVINO on the CPU.

    Weights that come as ONNX alone are run by OpenVINO on the CPU, whatever else there is.
    Classifiers are opened here, too.

    Raises
    ------
    WeightsError, InferenceError
        As `Detector`; also when CUDA is asked for and there is none.
    """
    for_torch = bool({"torch", "safetensors"} & set(entry.files))
    on_cpu = options.device == "cpu" or (options.device == "auto" and not for_torch)
    on_cuda = not on_cpu and has_cuda()
    device = "cuda:0" if options.device == "auto" else options.device
    if entry.head == "classifier" and (on_cpu or on_cuda or options.device == "auto"):
        from sonar_watch.detection.timm_runtime import open_classifier

        return open_classifier(entry, device if on_cuda else "cpu", options.threads)
    if on_cuda:
        from sonar_watch.detection.torch_runtime import TorchRuntime

        return TorchRuntime(entry, device, options.threads)
    if options.device not in ("auto", "cpu"):
        raise InferenceError(f"device {options.device}: no CUDA device here; use auto or cpu")
    from sonar_watch.detection.openvino_runtime import OpenVinoRuntime

    return OpenVinoRuntime(entry, options.threads)


def has_cuda() -> bool:
    """Return whether torch can use an NVIDIA GPU; torch is not imported when there is none."""
    if not any(Path(node).exists() for node in GPU_NODES):
        return False
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())

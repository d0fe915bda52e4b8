"""A detector without a network: what stands out of its range row, from the seabed upwards.

Bodies of cells that stand some standard deviations over their range row (`standing.py`), held
against rules of shape. Nothing in it was trained, so it errs where no network does and the
other way round: it is asked beside every network (`seconded`), it is the detector of a watch
without weights, and the baseline in tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sonar_watch.detection.detections import Detections
from sonar_watch.detection.overlap import areas_px2, shared_px2
from sonar_watch.errors import ConfigurationError
from sonar_watch.opencv import opencv
from sonar_watch.records import Float32Array, FloatArray, FrameGeometry, WaterColumnFrame
from sonar_watch.watercolumn.standing import BoolArray, Standing, standing_of

CLASSES = ("signal", "noise")

_CORE_CELLS = 4
_CLOSED_CELLS = 5
_CONTACT_CELLS = 2.5
_MOST_BODIES = 24
_AGREEMENT = 0.5
_WORTH_TELLING = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicalOptions:
    """What the detector without a network takes for a plume.

    Fractions are of the water depth below the transducer.

    Parameters
    ----------
    cells : int
        Longer side of the coarse picture it works on.
    sigmas : float
        A body's core stands this many standard deviations over its range row ...
    extent_sigmas : float
        ... and the body reaches as far as this many.
    least_db : float
        A core stands at least this much over its row, whatever the deviation.
    least_height_fraction : float
        Plumes are at least this high.
    ground_gap_fraction : float
        The lower end of a plume may be this far above the echo of the seabed.
    widest : float
        A plume's width over its height, at most.
    confidence : float
        Least confidence of a box, 0 to 1.
    """

    cells: int = 256
    sigmas: float = 4.0
    extent_sigmas: float = 2.0
    least_db: float = 1.5
    least_height_fraction: float = 0.06
    ground_gap_fraction: float = 0.12
    widest: float = 1.8
    confidence: float = 0.1

    def __post_init__(self) -> None:
        if not 32 <= self.cells <= 2048:
            raise ConfigurationError(f"cells: expected 32 to 2048, received {self.cells}")
        if not 0 < self.extent_sigmas <= self.sigmas:
            raise ConfigurationError(
                "expected 0 < extent_sigmas <= sigmas, received "
                f"{self.extent_sigmas} and {self.sigmas}"
            )
        for name in ("least_db", "least_height_fraction", "ground_gap_fraction", "widest"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"{name}: expected >= 0, received {getattr(self, name)}")
        if not 0 < self.confidence <= 1:
            raise ConfigurationError(
                f"confidence: expected above 0 up to 1, received {self.confidence}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Cells that hang together, as a box.

    Parameters
    ----------
    left, top, right, bottom : float
        Edges in cells.
    height_m, width_m : float
    gap_m : float
        From its lower end to where the echo of the seabed begins.
    excess_db : float
        What a fifth of its cells exceed, over their range rows.
    fill : float
        Share of the box that the body fills.
    """

    left: float
    top: float
    right: float
    bottom: float
    height_m: float
    width_m: float
    gap_m: float
    excess_db: float
    fill: float


class ClassicalDetector:
    """Finds plumes and bodies in mid-water in one frame, from the frame alone.

    Parameters
    ----------
    options : ClassicalOptions
    """

    def __init__(self, options: ClassicalOptions | None = None) -> None:
        self.options = options or ClassicalOptions()

    def find(self, frame: WaterColumnFrame) -> Detections:
        """Return plumes ("signal") and what hangs in mid-water ("noise"), in pixels of `frame`."""
        standing, least = standing_of(frame, self.options.cells), self.options.confidence
        rows = [
            (*_pixels(body, standing, frame.geometry), confidence, float(kind))
            for body in bodies(standing, self.options)
            if (kind := self._kind(body, standing)) is not None
            and (confidence := confidence_of(body, standing.water_depth_m)) >= least
        ]
        rows.sort(key=lambda row: (-row[4], row))
        return Detections.from_rows(np.array(rows).reshape(-1, 6), CLASSES)

    def _kind(self, body: Body, standing: Standing) -> int | None:
        """Return the class of a body by its shape; None for what is neither."""
        options, depth_m = self.options, standing.water_depth_m
        if body.gap_m > options.ground_gap_fraction * depth_m:
            return CLASSES.index("noise")
        high = body.height_m >= options.least_height_fraction * depth_m
        upright = body.width_m <= options.widest * body.height_m
        return CLASSES.index("signal") if high and upright else None


def seconded(xyxy: Float32Array, class_names: Sequence[str], opinion: Detections) -> list[bool]:
    """Return for each box whether another detector found something there, of the same class.

    Boxes of one plume differ between detectors in where they end: half of the smaller box
    inside the other is agreement.

    Parameters
    ----------
    xyxy : ndarray, shape (n, 4), float32, pixels
    class_names : sequence of str
        Of each box.
    opinion : Detections
        In the same frame.
    """
    own = [opinion.of_class(name).xyxy for name in class_names]
    return [_meets(box, others) for box, others in zip(xyxy, own, strict=True)]


def overlooked(found: Detections, opinion: Detections) -> Detections:
    """Return the plumes of a second opinion where the first detector found nothing at all.

    Only those that more likely are plumes than not; what the first one calls something else it
    has not overlooked.

    Parameters
    ----------
    found : Detections
        Of the first detector.
    opinion : Detections
        Of the second, in the same frame.
    """
    plumes = opinion.of_class("signal")
    return plumes.select([
        row.confidence >= _WORTH_TELLING and not _meets(np.asarray(row.xyxy), found.xyxy)
        for row in plumes
    ])


def _meets(box: Float32Array, others: Float32Array) -> bool:
    shared = shared_px2(box, others)
    smaller = np.minimum(areas_px2(box), areas_px2(others))
    return bool(np.any((shared > 0) & (shared >= _AGREEMENT * smaller)))


def confidence_of(body: Body, water_depth_m: float) -> float:
    """Return 0..1: how surely a body is a plume.

    A logistic of its excess, of how much of its box it fills (noise hangs together in ragged
    clouds) and of its height (side lobes and steps of the seabed are low). The numbers were
    fitted on simulated fans, that two in three with 0.5 are plumes, and rounded.
    """
    strength = (
        1.5 * math.log(max(body.excess_db, 0.1) / 3.5)
        + 5.5 * (body.fill - 0.7)
        + 1.5 * math.log(max(body.height_m / water_depth_m, 0.01) / 0.1)
        - 2.5
    )
    return 1.0 / (1.0 + math.exp(-strength))


def bodies(standing: Standing, options: ClassicalOptions) -> Iterator[Body]:
    """Yield the bodies that have a core, largest core first."""
    cv2 = opencv()
    with np.errstate(invalid="ignore"):
        reach = standing.sigmas > options.extent_sigmas
        core = (standing.sigmas > options.sigmas) & (standing.excess_db > options.least_db)
    joined = cv2.morphologyEx(
        reach.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((_CLOSED_CELLS, 1), np.uint8)
    )
    count, label, box, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    cores = np.bincount(label[core], minlength=count)
    cores[0] = 0
    for index in np.argsort(-cores, kind="stable")[:_MOST_BODIES]:
        if cores[index] < _CORE_CELLS:
            return
        left, top, width, height = (int(value) for value in box[index, :4])
        window = (slice(top, top + height), slice(left, left + width))
        yield _body(standing, window, (label[window] == index) & standing.water[window])


def _body(standing: Standing, window: tuple[slice, slice], own: BoolArray) -> Body:
    excess = np.where(own, np.maximum(standing.excess_db[window], 0.01), 0.0)
    left, right = _middle_part(excess.sum(axis=0), 0.03, 0.97)
    top, bottom = _middle_part(excess.sum(axis=1), 0.02, 1.0)
    left, right = left + window[1].start, right + window[1].start
    top, bottom = top + window[0].start, bottom + window[0].start
    width_m, height_m = standing.cells.cell_m
    under = slice(left, right)
    lower_m = float(standing.cells.depth_m[bottom - 1] + height_m / 2)
    echo_m = float(standing.echo_m[under].mean())
    gap_m = float(standing.seabed_m[under].mean()) - echo_m - lower_m
    down = float(bottom)
    if gap_m < _CONTACT_CELLS * height_m:  # The seabed's echo hides the foot: it stands there.
        down = min(bottom + max(0.0, (gap_m + echo_m) / height_m), float(len(standing.water)))
    return Body(
        left=left,
        top=top,
        right=right,
        bottom=down,
        height_m=(down - top) * height_m,
        width_m=(right - left) * width_m,
        gap_m=gap_m,
        excess_db=_upper_fifth(excess[own]),
        fill=min(1.0, float(own.sum()) / ((right - left) * (bottom - top))),
    )


def _upper_fifth(values: FloatArray) -> float:
    """Return what a fifth of the values exceed."""
    return float(np.partition(values, place := int(0.8 * (values.size - 1)))[place])


def _middle_part(weight: FloatArray, low: float, high: float) -> tuple[int, int]:
    """Return first and one past the last index between two quantiles of a weight."""
    share = np.cumsum(weight) / weight.sum()
    first = int(np.searchsorted(share, low))
    last = int(np.searchsorted(share, high - 1e-6))
    return first, min(last, len(share) - 1) + 1


def _pixels(
    body: Body, standing: Standing, geometry: FrameGeometry
) -> tuple[float, float, float, float]:
    across = standing.cells.cell_m[0] / geometry.pixel_across_m
    down = standing.cells.cell_m[1] / geometry.pixel_depth_m
    right = min(body.right * across, float(geometry.width_px))
    bottom = min(body.bottom * down, float(geometry.height_px))
    return body.left * across, body.top * down, right, bottom

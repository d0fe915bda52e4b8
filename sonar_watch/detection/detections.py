"""What a detector found in one image: parallel arrays, in pixels, and nothing about the sea."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]
ByteImage = npt.NDArray[np.uint8]


class Detection(NamedTuple):
    """One row of `Detections`: the box in pixels, how sure, and what."""

    xyxy: tuple[float, float, float, float]
    confidence: float
    class_name: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """What a detector found in one image.

    Parameters
    ----------
    xyxy : ndarray, shape (n, 4), float32, pixels
        Left, top, right, bottom; x + right, y + down, 0 at the outer edge of the first pixel.
    confidence : ndarray, shape (n,), float32, 0 to 1
    class_id : ndarray, shape (n,), int32
        Index into `class_names`.
    class_names : tuple of str

    Raises
    ------
    ValueError
        Shapes that do not belong together, boxes that are not finite or are inside out,
        confidences beyond 0..1 or a class that has no name.

    Examples
    --------
    >>> found = Detections.from_rows([[0, 0, 10, 20, 0.9, 1]], ("signal", "noise"))
    >>> [(row.class_name, round(row.confidence, 3)) for row in found]
    [('noise', 0.9)]
    """

    xyxy: Float32Array
    confidence: Float32Array
    class_id: IntArray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        _set(self, "xyxy", np.array(self.xyxy, np.float32))
        _set(self, "confidence", np.array(self.confidence, np.float32))
        _set(self, "class_id", np.array(self.class_id, np.int32))
        object.__setattr__(self, "class_names", tuple(self.class_names))
        _check_shapes(self)
        _check_values(self)

    @classmethod
    def empty(cls, class_names: tuple[str, ...]) -> Detections:
        """Return the result of an image in which nothing was found."""
        return cls.from_rows(np.empty((0, 6), np.float32), class_names)

    @classmethod
    def from_rows(cls, rows: npt.ArrayLike, class_names: tuple[str, ...]) -> Detections:
        """Return the detections of rows `x1 y1 x2 y2 confidence class`.

        Parameters
        ----------
        rows : array_like, shape (n, 6)
        class_names : tuple of str

        Raises
        ------
        ValueError
            Rows that are not six wide, or values that `Detections` refuses.
        """
        table = np.asarray(rows, np.float32)
        table = table.reshape(0, 6) if table.size == 0 else table
        if table.ndim != 2 or table.shape[1] != 6:
            raise ValueError(f"rows: expected shape (n, 6), received {table.shape}")
        return cls(
            xyxy=table[:, :4],
            confidence=table[:, 4],
            class_id=table[:, 5].astype(np.int32),
            class_names=class_names,
        )

    @classmethod
    def from_ultralytics(cls, result: Any) -> Detections:
        """Return the boxes of an `ultralytics.engine.results.Results`."""
        names = tuple(result.names[index] for index in sorted(result.names))
        return cls.from_rows(result.boxes.data.cpu().numpy(), names)

    def select(self, mask: npt.ArrayLike) -> Detections:
        """Return the rows of a boolean mask or a list of indices."""
        index = np.asarray(mask)
        return self[index if index.size else index.astype(np.intp)]

    def of_class(self, class_name: str) -> Detections:
        """Return the rows of one class; none when the model does not know it."""
        wanted = [index for index, name in enumerate(self.class_names) if name == class_name]
        return self.select(np.isin(self.class_id, wanted))

    def __getitem__(self, index: Any) -> Detections:
        return Detections(
            xyxy=self.xyxy[index].reshape(-1, 4),
            confidence=np.atleast_1d(self.confidence[index]),
            class_id=np.atleast_1d(self.class_id[index]),
            class_names=self.class_names,
        )

    def __len__(self) -> int:
        return len(self.confidence)

    def __iter__(self) -> Iterator[Detection]:
        for box, confidence, class_id in zip(
            self.xyxy.tolist(), self.confidence.tolist(), self.class_id.tolist(), strict=True
        ):
            yield Detection(tuple(box), confidence, self.class_names[class_id])

    def __eq__(self, other: object) -> bool:
        """Exact: the same boxes, bit for bit, in the same order."""
        if not isinstance(other, Detections):
            return NotImplemented
        return self.class_names == other.class_names and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("xyxy", "confidence", "class_id")
        )

    __hash__ = None  # type: ignore[assignment]  # arrays inside, compared by value


def _set(detections: Detections, name: str, array: npt.NDArray[Any]) -> None:
    array.flags.writeable = False
    object.__setattr__(detections, name, array)


def _check_shapes(detections: Detections) -> None:
    count = len(np.atleast_1d(detections.confidence))
    for name, expected in (("xyxy", (count, 4)), ("confidence", (count,)), ("class_id", (count,))):
        received = getattr(detections, name).shape
        if received != expected:
            raise ValueError(f"{name}: expected shape {expected}, received {received}")


def _check_values(detections: Detections) -> None:
    boxes, confidence, class_id = detections.xyxy, detections.confidence, detections.class_id
    if not np.all(np.isfinite(boxes)) or np.any(boxes[:, 2:] < boxes[:, :2]):
        raise ValueError(f"xyxy: expected finite boxes, left <= right, top <= bottom: {boxes}")
    if not np.all((confidence >= 0) & (confidence <= 1)):
        raise ValueError(f"confidence: expected 0 to 1, received {confidence}")
    if np.any((class_id < 0) | (class_id >= len(detections.class_names))):
        raise ValueError(
            f"class_id: expected 0 to {len(detections.class_names) - 1}, received {class_id}"
        )

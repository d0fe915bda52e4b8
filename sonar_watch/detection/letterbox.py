"""Fitting an image into the network's input, and boxes back again.

The same arithmetic as the letterbox the networks are trained with (scale to fit, centre, grey
bars of 114), in OpenCV alone, so that no torch is needed to run a model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sonar_watch.detection.detections import ByteImage, Float32Array

PADDING = 114
"""Grey of the bars; the value the networks see while they are trained."""
STEP_PX = 64
"""Sides of a snug input are multiples of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterbox:
    """How one image was fitted into the input.

    Parameters
    ----------
    width_px, height_px : int
        Of the image.
    scale : float
        Input pixels per image pixel.
    left_px, top_px : int
        Bars before the image, in input pixels.
    scaled_width_px, scaled_height_px : int
        Of the image inside the bars, in input pixels.
    """

    width_px: int
    height_px: int
    scale: float
    left_px: int
    top_px: int
    scaled_width_px: int
    scaled_height_px: int

    def to_image(self, xyxy: Float32Array) -> Float32Array:
        """Return boxes in input pixels as boxes in image pixels, clipped to the image.

        Parameters
        ----------
        xyxy : ndarray, shape (n, 4), float32, input pixels

        Returns
        -------
        ndarray, shape (n, 4), float32, image pixels
        """
        offset = np.array([self.left_px, self.top_px] * 2, np.float32)
        limit = np.array([self.width_px, self.height_px] * 2, np.float32)
        boxes = np.clip((xyxy - offset) / np.float32(self.scale), np.float32(0), limit)
        return np.asarray(boxes, np.float32)

    def to_input(self, xyxy: Float32Array) -> Float32Array:
        """Return boxes in image pixels as boxes in input pixels."""
        offset = np.array([self.left_px, self.top_px] * 2, np.float32)
        return np.asarray(xyxy * np.float32(self.scale) + offset, np.float32)


def fit(width_px: int, height_px: int, input_size: tuple[int, int]) -> Letterbox:
    """Return how an image of that size fits into an input of (height, width) pixels.

    >>> fit(200, 100, (64, 64)).top_px
    16

    Raises
    ------
    ValueError
        An image without pixels.
    """
    if width_px < 1 or height_px < 1:
        raise ValueError(f"expected an image with pixels, received {width_px} x {height_px} px")
    scale = min(input_size[0] / height_px, input_size[1] / width_px)
    width, height = max(round(width_px * scale), 1), max(round(height_px * scale), 1)
    return Letterbox(
        width_px=width_px,
        height_px=height_px,
        scale=scale,
        left_px=round((input_size[1] - width) / 2 - 0.1),
        top_px=round((input_size[0] - height) / 2 - 0.1),
        scaled_width_px=width,
        scaled_height_px=height,
    )


def snug_size(width_px: int, height_px: int, input_size: tuple[int, int]) -> tuple[int, int]:
    """Return the least input (height, width) that takes the image at the same scale.

    A fan is two or three times wider than high: most of a square input would be bars. Sides are
    multiples of 64, so that there are few different sizes.

    >>> snug_size(1024, 400, (640, 640))
    (256, 640)
    """
    scale = min(input_size[0] / height_px, input_size[1] / width_px)
    height = math.ceil(height_px * scale / STEP_PX - 1e-9) * STEP_PX
    width = math.ceil(width_px * scale / STEP_PX - 1e-9) * STEP_PX
    return min(height, input_size[0]), min(width, input_size[1])


def letterbox(
    image: ByteImage, input_size: tuple[int, int], channels: int = 3
) -> tuple[ByteImage, Letterbox]:
    """Return the image fitted into the network's input, and how it was fitted.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
        Grey or BGR.
    input_size : tuple of int
        Height and width of the input.
    channels : {1, 3}
        What the network takes; grey is scaled as grey and only then copied to three.

    Returns
    -------
    ndarray, shape (*input_size, channels), uint8
    Letterbox

    Raises
    ------
    ValueError
        An image that is not uint8, or neither grey nor BGR.
    """
    import cv2

    shape = image.shape
    if image.dtype != np.uint8 or len(shape) < 2 or shape[2:] not in ((), (1,), (3,)):
        raise ValueError(f"expected uint8 (h, w) or (h, w, 3), received {image.dtype} {shape}")
    grey = image.ndim == 2 or image.shape[2] == 1
    plane = image[..., 0] if image.ndim == 3 and grey else image
    if channels == 1 and not grey:
        plane, grey = cv2.cvtColor(plane, cv2.COLOR_BGR2GRAY), True
    how = fit(image.shape[1], image.shape[0], input_size)
    size = (how.scaled_width_px, how.scaled_height_px)
    if plane.shape[1::-1] != size:
        plane = cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)
    canvas = np.full((*input_size, *plane.shape[2:]), PADDING, np.uint8)
    rows = slice(how.top_px, how.top_px + how.scaled_height_px)
    canvas[rows, how.left_px : how.left_px + how.scaled_width_px] = plane
    return _with_channels(canvas, channels), how


def shrunk(image: ByteImage, longest_px: int) -> ByteImage:
    """Return an image with no side longer than that, every pixel the mean of what it covers.

    The letterbox itself looks at four pixels however many it covers, as the detectors' training
    does: what is shrunk to a third or less loses fine ridges and keeps their noise.

    Parameters
    ----------
    image : ndarray, shape (h, w) or (h, w, 3), uint8
        Given back as it is when it is small enough.
    longest_px : int
    """
    import cv2

    longest = max(image.shape[:2])
    if longest <= longest_px or image.dtype != np.uint8:  # which letterbox refuses
        return image
    height, width = (max(round(side * longest_px / longest), 1) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _with_channels(canvas: ByteImage, channels: int) -> ByteImage:
    """Return the canvas as (h, w, channels), contiguous."""
    import cv2

    if canvas.ndim == 3:
        return canvas
    if channels == 1:
        return canvas[..., None]
    return np.asarray(cv2.cvtColor(canvas, cv2.COLOR_GRAY2BGR), np.uint8)

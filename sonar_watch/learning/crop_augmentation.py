"""Random changes to crops of particles: they lie any way round, at any focus, in any light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sonar_watch.detection.detections import ByteImage
from sonar_watch.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class CropJitter:
    """Changes a training crop.

    Parameters
    ----------
    turn_deg : float
        Range of a random turn (+-), after one by a random multiple of 90 degrees and a flip.
    zoom, shift : float
        Range of random zoom and shift (+-), as fractions: boxes of a detector are not exact.
    brightness, contrast : float
        Range of a random offset and gain (+-), as fractions.
    tint : float
        Range of a random gain (+-) of each colour of its own.
    blur_share : float
        Probability of a blur ...
    blur_px : float
        ... of up to this standard deviation.
    noise : float
        Largest standard deviation of added noise, grey values.

    Raises
    ------
    ConfigurationError
        A number beyond its range.
    """

    turn_deg: float = 20.0
    zoom: float = 0.15
    shift: float = 0.08
    brightness: float = 0.15
    contrast: float = 0.25
    tint: float = 0.05
    blur_share: float = 0.4
    blur_px: float = 2.0
    noise: float = 4.0

    def __post_init__(self) -> None:
        for name in ("zoom", "shift", "brightness", "contrast", "tint", "blur_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigurationError(f"{name}: expected 0..1, received {getattr(self, name)}")

    def change(self, image: ByteImage, random: np.random.Generator) -> ByteImage:
        """Return the changed crop, of the same size.

        Parameters
        ----------
        image : ndarray, shape (side, side, 3), uint8
        random : Generator
            Decides everything.
        """
        turned = np.rot90(image, int(random.integers(4)))
        if random.random() < 0.5:
            turned = turned[:, ::-1]
        return self._relit(self._moved(np.ascontiguousarray(turned), random), random)

    def _moved(self, image: ByteImage, random: np.random.Generator) -> ByteImage:
        import cv2

        side = image.shape[0]
        turn, zoom, across, down = random.uniform(-1.0, 1.0, 4)
        centre = ((side - 1) / 2, (side - 1) / 2)
        matrix = cv2.getRotationMatrix2D(
            centre, float(turn) * self.turn_deg, math.exp(float(zoom) * math.log1p(self.zoom))
        )
        matrix[:, 2] += np.array([across, down]) * self.shift * side
        moved = cv2.warpAffine(
            image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        return np.asarray(moved, np.uint8)

    def _relit(self, image: ByteImage, random: np.random.Generator) -> ByteImage:
        import cv2

        gain, offset, *tints = random.uniform(-1.0, 1.0, 5)
        blurred = image
        if random.random() < self.blur_share and self.blur_px > 0:
            sigma = float(random.uniform(0.3, max(self.blur_px, 0.31)))
            blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
        values = blurred.astype(np.float32) - 128.0
        values *= (1.0 + self.contrast * float(gain)) * (1.0 + self.tint * np.array(tints))
        values += 128.0 + 128.0 * self.brightness * float(offset)
        spread = float(random.uniform(0.0, self.noise))
        values += random.normal(0.0, 1.0, values.shape).astype(np.float32) * spread
        return np.asarray(np.clip(values, 0, 255), np.uint8)

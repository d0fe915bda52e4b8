"""OpenCV, imported when the first picture is drawn: the base installation has none."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from sonar_watch.errors import ConfigurationError


@cache
def opencv() -> ModuleType:
    """Return the `cv2` module; looked up once, then free.

    Raises
    ------
    ConfigurationError
        OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise ConfigurationError(
            f"drawing pictures needs OpenCV: pip install 'sonar-watch[detect]' ({error})"
        ) from error
    return cv2

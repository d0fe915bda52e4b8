"""One picture and its sidecar: is it whole, when was it made, and the frame of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sonar_watch import images
from sonar_watch.errors import SonarWatchError
from sonar_watch.formats.sidecar import read_frame, read_sidecar, sidecar_of
from sonar_watch.records import (
    SourceRef,
    WaterColumnFrame,
    identify,
    iso_utc,
    printable,
)
from sonar_watch.sources.calibration import Calibration
from sonar_watch.watercolumn.pictures import PictureOptions, normalise_frame

_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*")
"""How PNG, JPEG, BMP and TIFF begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A whole picture whose time and identity are known; its pixels are not read yet.

    Parameters
    ----------
    path : Path
    time_utc : datetime
    frame_id : str
    has_sidecar : bool
        Geometry from the sidecar, else from the calibration.
    """

    path: Path
    time_utc: datetime
    frame_id: str
    has_sidecar: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A picture that cannot be used as it is, which may change while it is being written.

    Parameters
    ----------
    reason : str
    time_utc : datetime or None
        When its sidecar already says so.
    fallback : Picture or None
        What to use when no sidecar comes: the picture by the calibration.
    """

    reason: str
    time_utc: datetime | None = None
    fallback: Picture | None = None


def inspect(
    path: Path,
    calibration: Calibration | None,
    is_done: Callable[[str], bool] = lambda _: False,
) -> Picture | Unfinished:
    """Return what can be said of a picture without decoding it.

    Whether one is whole that is done already, nobody asks: of a long cruise most are.

    Raises
    ------
    FileNotFoundError
        The picture is gone.
    """
    try:
        sidecar = read_sidecar(sidecar_of(path))
    except FileNotFoundError:
        return _without_sidecar(path, calibration)
    except SonarWatchError as error:
        return Unfinished(reason=str(error))
    frame_id = sidecar.frame_id
    if not is_done(frame_id) and not images.is_whole(path):
        return Unfinished(reason=_why_not_whole(path), time_utc=sidecar.time_utc)
    return Picture(path=path, time_utc=sidecar.time_utc, frame_id=frame_id, has_sidecar=True)


def load(
    picture: Picture,
    source: str,
    calibration: Calibration | None,
    options: PictureOptions | None = None,
) -> WaterColumnFrame:
    """Return the frame of a picture, the colours of somebody else's read as `options` say.

    Raises
    ------
    ImageError
        The picture cannot be decoded or is too large.
    FormatError, GeometryError, NavigationError
        The sidecar breaks its format, or says what cannot be.
    OSError
        The files are gone.
    """
    frame = _decoded(picture, source, calibration)
    return normalise_frame(frame, options)


def _decoded(
    picture: Picture, source: str, calibration: Calibration | None
) -> WaterColumnFrame:
    if picture.has_sidecar:
        return read_frame(picture.path, source=source)
    if calibration is None:
        raise ValueError(f"{picture.path.name}: expected a calibration for a lone picture")
    image = images.read_image(picture.path)
    height_px, width_px = image.shape[:2]
    left, top, right, bottom = calibration.crop(width_px, height_px)
    return WaterColumnFrame(
        frame_id=picture.frame_id, time_utc=picture.time_utc, sounder=calibration.sounder,
        image=image[top:bottom, left:right],
        geometry=calibration.geometry(width_px, height_px),
        source=SourceRef(source=source, file=printable(picture.path.name)),
    )


def _why_not_whole(path: Path) -> str:
    """Return what is in the file instead of a whole picture."""
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        return f"{path.name}: expected a picture, the file is empty"
    if not any(head.startswith(magic[: len(head)]) for magic in _MAGIC):
        return f"{path.name}: expected a PNG, JPEG, TIFF or BMP, the file begins with {head!r}"
    return f"{path.name}: not whole: its end is missing ({path.stat().st_size} bytes)"


def _no_geometry(path: Path) -> str:
    return (
        f"{path.name}: image without geometry: expected {sidecar_of(path).name} beside it "
        "or a calibration in the settings, found neither"
    )


def _without_sidecar(path: Path, calibration: Calibration | None) -> Unfinished:
    if not images.is_whole(path):
        return Unfinished(reason=_why_not_whole(path))
    if calibration is None:
        return Unfinished(reason=_no_geometry(path))
    try:
        time_utc = calibration.time_of(path)
    except SonarWatchError as error:
        return Unfinished(reason=str(error))
    # A second may hold several pictures: without a ping counter the name tells them apart.
    frame_id = identify(calibration.sounder, printable(path.stem), iso_utc(time_utc))
    picture = Picture(path=path, time_utc=time_utc, frame_id=frame_id, has_sidecar=False)
    return Unfinished(reason=_no_geometry(path), time_utc=time_utc, fallback=picture)

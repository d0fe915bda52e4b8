"""From a folder of pictures to slides and their tiles, by names and headers alone.

Tiles are named `<sample>_<slide>_<Y>_<X>.<ext>`, Y first, and the name decides; folders only tell
the site. A picture without a position in its name is a slide of its own, stitched by somebody
else. Whatever is neither is reported, never passed over.
"""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sonar_watch.errors import ImageError
from sonar_watch.ichthyolith.reading import SUFFIXES, picture_size
from sonar_watch.ichthyolith.records import Slide, Tile

log = logging.getLogger(__name__)

LEAST_STITCHED_PX = 128
"""The longer side of a picture without a position: smaller ones are crops or thumbnails."""

OTHER_PICTURES = frozenset(
    {".webp", ".gif", ".jp2", ".heic", ".svs", ".ndpi", ".czi", ".nd2", ".lif", ".psd", ".pdf"}
)
"""Endings of pictures that are not read: worth a word, unlike notes and tables beside tiles."""

_TILE = re.compile(r"(?P<sample>.+)_(?P<slide>[^_]+)_(?P<y>-?\d{1,7})_(?P<x>-?\d{1,7})")
_STITCHED = re.compile(r"(?P<sample>.+)_(?P<slide>\d{3})")
_NUMBERED = re.compile(r"0\d{2}")
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A picture that could not be used, and why.

    Parameters
    ----------
    image : str
        The path below the folder that was given, with forward slashes.
    reason : str
        What was expected and what came, in words for the person who has to mend it.
    """

    image: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """A picture and what its path says; `tile` has a position in its name."""

    site: str
    sample: str
    slide: str
    tile: Tile
    is_stitched: bool


def read_tree(
    root: Path, tick: Callable[[], object] = lambda: None
) -> tuple[list[Slide], list[Problem]]:
    """Return the slides below a folder, and what in it could not be understood.

    Parameters
    ----------
    root : Path
        A folder `site/sample/slide/tiles`, any folder within such a tree, a folder of tiles, or
        one picture.
    tick : callable
        Called after each picture: where there are many, headers alone take minutes.

    Returns
    -------
    list of Slide
        By site, sample and slide.
    list of Problem
        By image. Hidden files and files that are no pictures are none.

    Raises
    ------
    FileNotFoundError
        There is nothing at `root`.
    """
    if not root.exists():
        raise FileNotFoundError(f"expected a folder of slides or a picture, there is no {root}")
    base = root if root.is_dir() else root.parent
    problems: list[Problem] = []
    folders = _folders(root, problems) if root.is_dir() else iter([(base, [root])])
    named = [one for _, files in folders for one in _read_folder(base, files, problems, tick)]
    slides = _slides(named, problems)
    return slides, sorted(problems, key=lambda problem: problem.image)


def _folders(root: Path, problems: list[Problem]) -> Iterator[tuple[Path, list[Path]]]:
    """Yield every folder with its files, in order of names; links are followed, once."""
    seen: set[str] = set()

    def complain(error: OSError) -> None:
        problems.append(_problem(root, Path(error.filename or root), f"not readable: {error}"))

    for name, below, files in os.walk(root, followlinks=True, onerror=complain):
        folder, real = Path(name), os.path.realpath(name)
        if real in seen:
            problems.append(_problem(root, folder, "a link to a folder that is read already"))
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(one for one in below if not one.startswith("."))
        yield folder, [folder / one for one in sorted(files) if not _is_hidden(one)]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def _problem(root: Path, path: Path, reason: str) -> Problem:
    return Problem(image=_image_of(root, path), reason=reason)


def _image_of(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _read_folder(
    root: Path, files: list[Path], problems: list[Problem], tick: Callable[[], object]
) -> Iterator[_Named]:
    """Yield the pictures of one folder that are understood."""
    for path in files:
        if path.suffix.lower() in OTHER_PICTURES:
            reason = f"{path.suffix} pictures are not read: expected one of {', '.join(SUFFIXES)}"
            problems.append(_problem(root, path, reason))
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    has_tiles = any(_position(path) for path in pictures)
    for path in pictures:
        tick()
        if has_tiles and not _position(path):
            reason = "no _<Y>_<X> at the end of its name, as the tiles beside it have"
            problems.append(_problem(root, path, reason))
            continue
        try:
            yield _read_picture(root, path, is_alone=len(pictures) == 1)
        except (ImageError, OSError) as error:
            problems.append(_problem(root, path, str(error)))


def _position(path: Path) -> re.Match[str] | None:
    """Return sample, slide and place as a tile's name has them, None for one without a place.

    1149A_17_04_36_001 is slide 001 of sample 1149A_17_04_36, not slide 04 at (36, 1): slides
    are numbered with leading zeros, places are not unless the slide before them is, too.
    """
    found = _TILE.fullmatch(path.stem)
    if found and _NUMBERED.fullmatch(found["x"]) and not re.fullmatch(r"\d{3}", found["slide"]):
        return None
    return found


def _read_picture(root: Path, path: Path, *, is_alone: bool) -> _Named:
    width, height = picture_size(path)
    found = _position(path)
    x, y = (int(found["x"]), int(found["y"])) if found else (0, 0)
    tile = Tile(
        path=path, image=_image_of(root, path), x_px=x, y_px=y, width_px=width, height_px=height
    )
    if found:
        site, sample, slide = _place_of_tile(root, path, found["sample"], found["slide"])
    else:
        if max(width, height) < LEAST_STITCHED_PX:
            raise ImageError(
                f"{width} x {height} px and no _<Y>_<X> at the end of its name: a crop or a "
                f"thumbnail, expected a tile or a slide of at least {LEAST_STITCHED_PX} px"
            )
        site, sample, slide = _place_of_stitched(root, path, is_alone=is_alone)
    return _Named(site=site, sample=sample, slide=slide, tile=tile, is_stitched=not found)


def _place_of_tile(root: Path, path: Path, sample: str, slide: str) -> tuple[str, str, str]:
    """Return site, sample and slide of a tile: the name decides, the folders tell the site.

    Part of a tree has the site that the whole tree has: folders above `root` count where the
    sample's own folder is among them.
    """
    folder = _STITCHED.fullmatch(path.parent.name)
    if folder and folder["sample"] == sample and folder["slide"] != slide:
        raise ImageError(
            f"its name says slide {slide}, its folder {path.parent.name}: move or rename it"
        )
    below, folders = _folder_names(root, path), [*path.parent.resolve().parts[1:]]
    if folders and folders[-1] in (slide, f"{sample}_{slide}"):
        folders.pop()
        below = below[:-1]
    if len(folders) > 1 and folders[-1] == sample:
        return folders[-2], sample, slide
    return (below[-1] if below else _name_of(root)), sample, slide


def _place_of_stitched(root: Path, path: Path, *, is_alone: bool) -> tuple[str, str, str]:
    """Return site, sample and slide of a stitched picture: by its name, else by its folders."""
    if found := _STITCHED.fullmatch(path.stem):
        return _place_of_tile(root, path, found["sample"], found["slide"])
    folders = _folder_names(root, path)
    slide = path.stem
    if len(folders) > 2:
        slide = folders.pop() if is_alone else f"{folders.pop()}_{path.stem}"
    sample = folders.pop() if folders else _name_of(root)
    return (folders[-1] if folders else _name_of(root)), sample, slide.removeprefix(f"{sample}_")


def _folder_names(root: Path, path: Path) -> list[str]:
    """Return the folders between `root` and the picture."""
    return list(path.parent.relative_to(root).parts)


def _name_of(root: Path) -> str:
    return root.resolve().name or "slides"


def _slides(named: list[_Named], problems: list[Problem]) -> list[Slide]:
    """Return the slides of the pictures; what takes the place of another is a problem."""
    groups: defaultdict[tuple[str, str, str], list[_Named]] = defaultdict(list)
    for one in named:
        groups[one.site, one.sample, one.slide].append(one)
    slides = []
    for (site, sample, slide), members in sorted(groups.items()):
        tiles = _tiles_of(members, problems)
        slides.append(Slide(site=site, sample=sample, slide=slide, tiles=tiles))
    return slides


def _tiles_of(members: list[_Named], problems: list[Problem]) -> tuple[Tile, ...]:
    """Return one tile for each position, in order of rows; tiles go before a stitched picture."""
    taken: dict[tuple[int, int], Tile] = {}
    has_tiles = not all(one.is_stitched for one in members)
    for one in sorted(members, key=lambda one: one.tile.image):
        tile, place = one.tile, (one.tile.y_px, one.tile.x_px)
        if one.is_stitched and has_tiles:
            reason = "the slide is here as tiles, too: counted from these"
        elif place in taken:
            reason = f"stands where {taken[place].image} stands: which of both counts?"
        else:
            taken[place] = tile
            continue
        problems.append(Problem(image=tile.image, reason=reason))
    return tuple(taken[place] for place in sorted(taken))

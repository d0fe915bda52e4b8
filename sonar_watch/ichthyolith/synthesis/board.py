"""The drawing board: one particle as height, stain and outline; then light goes through it.

A particle is drawn as a height map (in pixels of optical path) and a stain (optical density in
blue, green, red). What the camera sees follows from both:

- slopes bend light out of the lens: steep edges, ridges and cracks turn dark,
- out of focus, curvature gathers or spreads light: bright and dark lines along edges (Becke lines),
- the lamp is a little oblique: one flank is darker than the other,
- the stain absorbs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.detections import ByteImage, Float32Array
from sonar_watch.ichthyolith.synthesis.fields import Points, chance, clouds
from sonar_watch.opencv import opencv

FINE_PX = 60.0
"""Particles shorter than this are drawn twice as large and scaled down."""
DARKEST = 2.6
"""Optical density beyond which nothing more is lost: stray light in the lens and the camera."""
_SUB = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """How a slide is lit and focused.

    Parameters
    ----------
    lamp_rad : float
        Where the light leans from.
    lean : float
        Difference in density between the two flanks of a steep edge.
    loss : float
        Density of an edge that bends all light out of the lens.
    becke : tuple of float
        Strength of the lines along edges in blue, green, red; the sign says on which side of
        the focus the slide is. They differ: fringes have colours.
    scale : float
        Pixels of the picture per pixel of a tile of 0.96 um; lines are that much thinner.
    """

    lamp_rad: float
    lean: float
    loss: float
    becke: tuple[float, float, float]
    scale: float


def drawn_light(rng: np.random.Generator, scale: float) -> Light:
    """Return the light of one slide, by chance."""
    becke = rng.normal(0.24, 0.13)
    fringe = rng.normal(0.02, 0.07)
    return Light(
        lamp_rad=float(rng.uniform(0, 2 * np.pi)),
        lean=float(abs(rng.normal(0.06, 0.05))),
        loss=float(rng.uniform(0.7, 1.5)),
        becke=(becke + fringe, float(becke), becke - fringe),
        scale=scale,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Particle:
    """What one particle does to the light.

    Parameters
    ----------
    class_name : str
        One of `records.CLASSES`.
    passes : ndarray, shape (h, w, 3), float32
        Share of the blue, green and red light that passes; above 1 where it is gathered.
    mask : ndarray, shape (h, w), uint8
        1 where the particle itself is; the box is drawn around it.
    """

    class_name: str
    passes: Float32Array
    mask: ByteImage


@dataclass(slots=True, kw_only=True, eq=False)
class Board:
    """Where one particle is being drawn.

    Parameters
    ----------
    along, across : ndarray, shape (h, w), float32
        Coordinates of the particle at every pixel, in units of its length.
    inside : ndarray, shape (h, w), float32
        Share of the pixel within the outline.
    depth : ndarray, shape (h, w), float32
        Distance to the outline, in units of the length; 0 outside.
    height : ndarray, shape (h, w), float32
        Optical path, pixels.
    stain : ndarray, shape (h, w), float32
        Optical density, before its colour.
    unit_px : float
        Length of the particle in pixels of the board.
    fine : int
        The board is that many times larger than the picture.
    line_px : float
        Pixels of the board per pixel of a tile: how thick lines come out.
    place : ndarray, shape (2, 3), float64
        From the particle's coordinates to pixels of the board.
    """

    along: Float32Array
    across: Float32Array
    inside: Float32Array
    depth: Float32Array
    height: Float32Array
    stain: Float32Array
    unit_px: float
    fine: int
    line_px: float
    place: npt.NDArray[np.float64] = field(repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.inside.shape[0], self.inside.shape[1]

    def pixels(self, points: Points) -> npt.NDArray[np.int32]:
        """Return points in the particle's coordinates as sixteenths of a pixel."""
        where = points @ self.place[:, :2].T + self.place[:, 2]
        return np.asarray(np.round(where * _SUB), np.int32)

    def filled(self, points: Points) -> Float32Array:
        """Return which pixels lie within a closed line, 0 to 1."""
        cv2 = opencv()
        plane = np.zeros(self.shape, np.uint8)
        cv2.fillPoly(plane, [self.pixels(points)], 255, cv2.LINE_AA, 4)
        return np.asarray(plane, np.float32) / np.float32(255)

    def lined(self, lines: list[Points], width: float = 0.0) -> Float32Array:
        """Return open lines `width` units wide, at least a pixel, 0 to 1."""
        cv2 = opencv()
        plane = np.zeros(self.shape, np.uint8)
        thick = max(round(width * self.unit_px), 1)
        cv2.polylines(
            plane, [self.pixels(line) for line in lines], False, 255, thick, cv2.LINE_AA, 4
        )
        return np.asarray(plane, np.float32) / np.float32(255)

    def dots(self, centres: Points, radii: npt.NDArray[np.float64]) -> Float32Array:
        """Return discs, 0 to 1; radii in units of the length."""
        cv2 = opencv()
        plane = np.zeros(self.shape, np.uint8)
        for (x, y), radius in zip(self.pixels(centres).tolist(), radii.tolist(), strict=True):
            size = max(round(radius * self.unit_px * _SUB), 6)
            cv2.circle(plane, (x, y), size, 255, -1, cv2.LINE_AA, 4)
        return np.asarray(plane, np.float32) / np.float32(255)


def laid_out(
    points: Points, length_px: float, light: Light, rng: np.random.Generator, pad: float = 7
) -> Board:
    """Return a board with an outline laid on it, turned and mirrored by chance.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Closed line in the particle's coordinates, about one unit long.
    length_px : float
        One unit, pixels of the picture.
    pad : float
        Picture pixels around it, for light that strays.
    """
    fine = 2 if length_px < FINE_PX else 1
    unit = length_px * fine
    turn = rng.uniform(0, 2 * np.pi)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    spin = spin @ np.diag([1.0, -1.0 if chance(rng, 0.5) else 1.0]) * unit
    spread = points @ spin.T
    low, high = spread.min(0), spread.max(0)
    pads = np.ceil(pad * fine)
    size = (np.ceil((high - low + 2 * pads) / fine) * fine).astype(int)
    shift = pads - low + rng.uniform(0, fine, 2)
    place = np.column_stack([spin, shift])
    back = np.linalg.inv(spin).astype(np.float32)
    x = np.arange(size[0], dtype=np.float32) - np.float32(shift[0])
    y = (np.arange(size[1], dtype=np.float32) - np.float32(shift[1]))[:, None]
    empty = np.zeros((size[1], size[0]), np.float32)
    board = Board(
        along=back[0, 0] * x + back[0, 1] * y,
        across=back[1, 0] * x + back[1, 1] * y,
        inside=empty,
        depth=empty,
        height=empty.copy(),
        stain=empty.copy(),
        unit_px=unit,
        fine=fine,
        line_px=light.scale * fine,
        place=place,
    )
    cv2 = opencv()
    board.inside = board.filled(points)
    far = cv2.distanceTransform((board.inside > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    board.depth = np.asarray(far / np.float32(unit), np.float32)
    return board


def finished(
    board: Board,
    class_name: str,
    light: Light,
    rng: np.random.Generator,
    *,
    colour: tuple[float, float, float],
    blur_px: float,
) -> Particle:
    """Return what the light makes of a board.

    Parameters
    ----------
    colour : tuple of float
        Density of the stain in blue, green and red, for a stain of 1.
    blur_px : float
        Deviation of the blur, pixels of the picture.
    """
    cv2 = opencv()
    lines = board.line_px
    height = cv2.GaussianBlur(board.height, (0, 0), max(0.75 * lines, 0.5))
    dx, dy = (cv2.Sobel(height, cv2.CV_32F, 1 - axis, axis, scale=0.125) for axis in (0, 1))
    steep = dx * dx + dy * dy
    lost = np.float32(light.loss) * steep / (steep + np.float32(0.35))
    if light.lean > 0.004:
        lost += np.float32(light.lean) * np.tanh(
            dx * np.float32(2 * np.cos(light.lamp_rad))
            + dy * np.float32(2 * np.sin(light.lamp_rad))
        )
    wide = cv2.GaussianBlur(height, (0, 0), 1.9 * lines)
    bend = np.tanh((height - wide) * np.float32(1.1 / max(lines, 0.3)))
    density = np.empty((*board.shape, 3), np.float32)
    for channel in range(3):
        density[..., channel] = (
            board.stain * np.float32(colour[channel])
            + lost
            - bend * np.float32(light.becke[channel])
        )
    passes = cv2.exp(np.clip(-density, -DARKEST, 0.35))
    return _scaled(board, class_name, passes, blur_px, chance(rng, 0.3) and rng.uniform(0, 0.5))


def _scaled(
    board: Board, class_name: str, passes: Float32Array, blur_px: float, apart: float
) -> Particle:
    """Return the board at the size of the picture, out of focus as asked."""
    cv2 = opencv()
    inside = board.inside
    if board.fine > 1:
        size = (board.shape[1] // board.fine, board.shape[0] // board.fine)
        passes = cv2.resize(passes, size, interpolation=cv2.INTER_AREA)
        inside = cv2.resize(inside, size, interpolation=cv2.INTER_AREA)
    if blur_px > 0.25:
        if apart:
            # Colours come to focus at different depths.
            for channel, more in enumerate((1 + apart, 1.0, 1 - apart)):
                passes[..., channel] = cv2.GaussianBlur(
                    np.ascontiguousarray(passes[..., channel]), (0, 0), max(blur_px * more, 0.2)
                )
        else:
            passes = cv2.GaussianBlur(passes, (0, 0), blur_px)
    mask = (inside > 0.4).astype(np.uint8)
    return Particle(class_name=class_name, passes=_faded(passes), mask=mask)


def _faded(passes: Float32Array, rim: int = 3) -> Float32Array:
    """Return the map with its outermost pixels brought to 1, so that no seam shows."""
    for index in range(rim):
        weight = np.float32(index / rim)
        for edge in (np.s_[index, :], np.s_[-1 - index, :], np.s_[:, index], np.s_[:, -1 - index]):
            passes[edge] = 1 + (passes[edge] - 1) * weight
    return passes


def mottled(board: Board, rng: np.random.Generator, cell: float, depth: float) -> Float32Array:
    """Return a factor about 1 with blobs of `cell` units that vary by `depth`."""
    field_of = clouds(board.shape, max(cell * board.unit_px, 1.5), rng)
    return np.asarray(np.clip(1 + np.float32(depth) * field_of, 0, 3), np.float32)


def raise_plate(
    board: Board, height: float, bevel: float, rough: Float32Array | None = None
) -> None:
    """Make the particle a plate: `height` pixels of a tile high, its edge bevelled as wide.

    Parameters
    ----------
    rough : ndarray, shape (h, w), float32, optional
        Factor of the width of the bevel from place to place: broken edges.
    """
    width = np.float32(bevel * board.line_px)
    far = board.depth * np.float32(board.unit_px)
    over = far / (width if rough is None else width * rough)
    board.height += np.float32(height * board.line_px) * (1 - np.exp(-over))


def add_cracks(
    board: Board, count: int, rng: np.random.Generator, *, along: float = 0.0, deep: float = 0.8
) -> None:
    """Scratch crooked lines into the height of a particle; `along` 1: along its axis."""
    lines: list[Points] = []
    for _ in range(count):
        turn = rng.uniform(0, 2 * np.pi) * (1 - along) + rng.normal(0, 0.05)
        steps = rng.normal(0, 0.5, 6).cumsum() * 0.3 * (1 - along) + turn
        stride = rng.uniform(0.03, 0.12)
        start = np.array([rng.uniform(-0.4, 0.4), rng.normal(0, 0.15)])
        walk = np.column_stack([np.cos(steps), np.sin(steps)]) * stride
        lines.append(start + walk.cumsum(0))
    if lines:
        scratch = board.lined(lines) * (board.depth > 0)
        board.height -= np.float32(deep * board.line_px) * scratch

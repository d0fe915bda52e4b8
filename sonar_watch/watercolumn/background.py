"""What the sounder showed before: artefacts stand still, speckle comes and goes, plumes pass.

Kept for each configuration, over beams and range rows:

- `static`: a slow mean of the contrast over some hundred pings, each ping's say limited, so
  that what passes hardly enters it. Nadir stripe, fixed beams, steps between beams.
- `recent`: a fast mean of what stands over the static background. Speckle is independent from
  ping to ping and averages out (5.6 dB to about 2.8 dB over four); a plume is seen on many.

Rows are native samples in powers of two, so that the memory survives a change of picture size;
everything is kept as integers: what is stored with a checkpoint goes on to the bit.
"""

from __future__ import annotations

import json
import logging
import struct
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sonar_watch.errors import ConfigurationError, FormatError
from sonar_watch.records import Float32Array, WaterColumnPing, stream_names

log = logging.getLogger(__name__)

ROWS = 256
"""Most rows kept; the rows are doubled in length beyond, halved below a third of it."""

STATIC_ROWS = 8
"""Rows that share one value of the static background: artefacts are long, noise averages out."""

SHORT_PINGS = 20
"""So many short pings in a row make shorter rows."""

MOST_DB = 3.0
"""A ping moves the static background by no more than this times its weight."""

RESTART_S = 60.0
"""After a gap this long the recent pings are of another place."""

KEPT_CONFIGURATIONS = 16
VERSION = 2
_RECENT_STEP_DB = np.float32(0.25)
_STATIC_STEP_DB = np.float32(1 / 256)
_HEAD = struct.Struct("<I")
_Whole = TypeVar("_Whole", np.int8, np.int16)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundOptions:
    """How long the pictures remember.

    Parameters
    ----------
    static_pings : int
        Pings after which the static background of a configuration has settled.
    recent_weight : float
        Weight of the present ping in the recent mean, above 0 up to 1; 0.4 averages four pings.
    """

    static_pings: int = 80
    recent_weight: float = 0.4

    def __post_init__(self) -> None:
        if not 1 <= self.static_pings <= 300 or not 0 < self.recent_weight <= 1:
            raise ConfigurationError(
                "expected static_pings of 1 to 300 and recent_weight above 0 up to 1, "
                f"received {self.static_pings} and {self.recent_weight}"
            )


def configurations_of(ping: WaterColumnPing, beams: int) -> list[str]:
    """Return the name of what shapes the background of `ping`, drawn with that many beams.

    After it, names under which it may have been kept: from before the sounder had said which of
    its model it is, and from releases that did not ask.
    """
    streams = stream_names(ping.sounder, ping.unit)
    return [f"{stream}/{ping.swath}/{beams}/{ping.runtime}" for stream in streams]


class Background:
    """What one configuration showed.

    Parameters
    ----------
    beams : int
    factor : int
        Native samples in a row, a power of two.
    """

    def __init__(self, beams: int, factor: int = 1) -> None:
        self.factor = factor
        self.pings = 0
        self.last_s = 0.0
        self.used = 0
        self._short = 0
        self._static = np.zeros((beams, ROWS // STATIC_ROWS), np.int16)
        self._recent = np.zeros((beams, ROWS), np.int8)

    def fit(self, samples: int) -> int:
        """Return the native samples in a row, longer or shorter when `samples` need it.

        Longer at once; shorter only after many short pings: what lay beyond them is lost, and a
        bottom detection that locks on something shallow is over after a few.
        """
        while samples > self.factor * ROWS:
            self._coarser()
        is_short = self.factor > 1 and samples < self.factor * ROWS // 3
        self._short = self._short + 1 if is_short else 0
        if self._short > SHORT_PINGS:
            self._finer()
            self._short = 0
        return self.factor

    def _coarser(self) -> None:
        self.factor *= 2
        self._static = _halved(self._static)
        self._recent = _halved(self._recent)

    def _finer(self) -> None:
        self.factor //= 2
        self._static = _doubled(self._static)
        self._recent = _doubled(self._recent)

    def static_db(self, rows: int) -> Float32Array:
        """Return the static background, shape (beams, rows), decibels over the row's median."""
        fine = np.repeat(self._static, STATIC_ROWS, axis=1)[:, :rows]
        return fine.astype(np.float32) * _STATIC_STEP_DB

    def take(
        self,
        contrast_db: Float32Array,
        valid: npt.NDArray[np.bool_],
        water: npt.NDArray[np.bool_],
        time_s: float,
        options: BackgroundOptions,
    ) -> Float32Array:
        """Take a ping in; return the recent mean with it, shape (beams, rows), decibels.

        Parameters
        ----------
        contrast_db : ndarray, shape (beams, rows), float32
            Over the median of the row, without the static background taken off.
        valid, water : ndarray, shape (beams, rows), bool
            What is drawn, and the part above the bottom, which alone the static background
            learns from.
        time_s : float
            Of the ping, in data time.
        """
        rows = contrast_db.shape[1]
        standing = contrast_db - self.static_db(rows)
        if self.pings == 0 or not 0 <= time_s - self.last_s <= RESTART_S:
            self._recent[:] = 0
            weight = np.float32(1.0)
        else:
            weight = np.float32(options.recent_weight)
        recent = self._recent[:, :rows].astype(np.float32)
        recent *= _RECENT_STEP_DB * (1 - weight)
        recent += standing * weight
        steps = np.rint(np.clip(recent / _RECENT_STEP_DB, -127, 127))
        self._recent[:, :rows] = np.where(valid, steps, 0)
        self._recent[:, rows:] = 0
        self._learn(standing, water, options.static_pings)
        self.pings = min(self.pings + 1, options.static_pings)
        self.last_s = time_s
        return recent

    def _learn(
        self, standing_db: Float32Array, valid: npt.NDArray[np.bool_], static_pings: int
    ) -> None:
        """Move the static background towards this ping: by a quarter's worth more at the start."""
        weight = MOST_DB / (self.pings + max(1, static_pings // 4))
        sums = _summed(np.where(valid, standing_db, 0))
        counts = _summed(valid.astype(np.float32))
        mean = sums / np.maximum(counts, 1)
        step = np.clip(mean / MOST_DB, -1, 1) * np.float32(weight)
        self._static[:, : step.shape[1]] += np.rint(step / _STATIC_STEP_DB).astype(np.int16)

    def to_bytes(self) -> bytes:
        """Return the memory for a checkpoint."""
        head = {"version": VERSION, "beams": len(self._static), "factor": self.factor,
                "pings": self.pings, "last_s": self.last_s, "used": self.used,
                "short": self._short}
        text = json.dumps(head, separators=(",", ":")).encode()
        static = zlib.compress(self._static.tobytes(), 1)  # speckle would not get smaller
        return _HEAD.pack(len(text)) + text + self._recent.tobytes() + static

    @classmethod
    def from_bytes(cls, stored: bytes) -> Background:
        """Return the memory of a checkpoint.

        Raises
        ------
        FormatError
            These bytes are none.
        """
        try:
            (length,) = _HEAD.unpack_from(stored)
            head = json.loads(stored[_HEAD.size : _HEAD.size + length])
            if head["version"] != VERSION:
                raise ValueError(f"version {head['version']} is not {VERSION}")
            made = cls(int(head["beams"]), int(head["factor"]))
            made.pings, made.last_s = int(head["pings"]), float(head["last_s"])
            made.used, made._short = int(head["used"]), int(head["short"])
            body = stored[_HEAD.size + length :]
            recent, static = body[: made._recent.nbytes], body[made._recent.nbytes :]
            made._recent[:] = np.frombuffer(recent, np.int8).reshape(made._recent.shape)
            levels = np.frombuffer(zlib.decompress(static), np.int16)
            made._static[:] = levels.reshape(made._static.shape)
        except (struct.error, ValueError, KeyError, TypeError, zlib.error) as error:
            raise FormatError(f"expected a stored background: {error}") from error
        return made


class Memory:
    """The backgrounds of the configurations seen last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Background] = OrderedDict()
        self._changed: set[str] = set()
        self._used = 0

    def of(self, name: str, beams: int, before: Sequence[str] = ()) -> Background:
        """Return the background of a configuration, empty when it is new.

        Kept under a name from `before`, it goes on under this one.
        """
        old = next((each for each in before if each in self._known), None)
        if name not in self._known and old is not None:
            self._known[name] = self._known.pop(old)
            self._changed.add(old)
        known = self._known.setdefault(name, Background(beams))
        self._known.move_to_end(name)
        self._used += 1
        known.used = self._used
        self._changed.add(name)
        while len(self._known) > KEPT_CONFIGURATIONS:
            forgotten, _ = self._known.popitem(last=False)
            self._changed.add(forgotten)
        return known

    def changes(self) -> dict[str, bytes | None]:
        """Return what changed since the last call, by configuration, for the checkpoint.

        None stands for a configuration that is forgotten.
        """
        changed = {
            name: known.to_bytes() if (known := self._known.get(name)) else None
            for name in sorted(self._changed)
        }
        self._changed.clear()
        return changed

    def restore(self, stored: Mapping[str, bytes]) -> None:
        """Go on from a checkpoint: the configurations seen last, as they were.

        What cannot be read, such as that of another release, is left out and said: it comes
        back within some hundred pings.
        """
        found: dict[str, Background] = {}
        for name, body in stored.items():
            try:
                found[name] = Background.from_bytes(body)
            except FormatError as error:
                log.warning("the background of %s starts anew: %s", name, error)
        ordered = sorted(found.items(), key=lambda pair: (pair[1].used, pair[0]))
        self._known = OrderedDict(ordered[-KEPT_CONFIGURATIONS:])
        self._used = max((known.used for known in self._known.values()), default=0)
        self._changed.clear()


def _halved(values: npt.NDArray[_Whole]) -> npt.NDArray[_Whole]:
    """Means of neighbouring columns, the second half of the columns empty."""
    pairs = values.reshape(len(values), -1, 2).astype(np.int32).sum(axis=2) // 2
    return np.hstack((pairs, np.zeros_like(pairs))).astype(values.dtype)


def _doubled(values: npt.NDArray[_Whole]) -> npt.NDArray[_Whole]:
    """The first half of the columns, each twice."""
    return np.repeat(values[:, : values.shape[1] // 2], 2, axis=1)


def _summed(values: Float32Array) -> Float32Array:
    """Sums over STATIC_ROWS columns at a time; the last may be fewer."""
    edges = np.arange(0, values.shape[1], STATIC_ROWS)
    return np.asarray(np.add.reduceat(values, edges, axis=1))

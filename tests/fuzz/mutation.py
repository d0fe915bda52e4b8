"""Seeded mutations: a name and a number always make the same input, so nothing need be stored.

What breaks readers is broken on purpose: bits, ends, lengths, counts, floats that are none,
pieces doubled, moved, taken from another input. Sums and sizes can be put right afterwards, so
that the damage reaches what lies behind the first check.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

Repair = Callable[[bytes], bytes]

LARGEST_INPUT = 1 << 20
"""Doubling must not make inputs that are slow for no other reason than their size."""

REPAIRED = 0.8

_BYTES = (0, 1, 0x20, 0x7F, 0x80, 0xFE, 0xFF)
_WHOLE_NUMBERS = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 60_000,
                  0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1_000_000_000)
_REALS = (0.0, -0.0, 1.0, -1.0, 1e-40, 1e30, -1e30, 3.4e38, float("inf"), float("-inf"),
          float("nan"), 90.0, 200.0, 1e-300)


class Mutator:
    """Makes inputs by number: first the seeds as they are, then damaged ones.

    Parameters
    ----------
    name : str
        With the number, all that an input depends on besides the seeds.
    seeds : sequence of bytes
        Sound inputs.
    tokens : sequence of bytes
        Words of the format that chance would not find.
    repair : callable or None
        Puts sums and sizes right again; done for `REPAIRED` of the inputs.
    """

    def __init__(
        self,
        name: str,
        seeds: Sequence[bytes],
        *,
        tokens: Sequence[bytes] = (),
        repair: Repair | None = None,
    ) -> None:
        self._name, self._seeds, self._tokens, self._repair = name, seeds, tokens, repair
        self._ways = [_flip, _interesting_byte, _whole_number, _whole_number, _nudge, _real,
                      _cut, _drop, _double, _move, _noise, _zeros, self._splice]
        if tokens:
            self._ways += [self._token] * 5

    def make(self, number: int) -> bytes:
        """Return the input of that number."""
        if number < len(self._seeds):
            return self._seeds[number]
        dice = random.Random(f"{self._name}:{number}")
        data = bytearray(dice.choice(self._seeds))
        for _ in range(1 + int(dice.expovariate(0.8))):
            data = dice.choice(self._ways)(data, dice)
        made = bytes(data[:LARGEST_INPUT])
        if self._repair is not None and dice.random() < REPAIRED:
            return self._repair(made)
        return made

    def _splice(self, data: bytearray, dice: random.Random) -> bytearray:
        other = dice.choice(self._seeds)
        return data[: _place(data, dice)] + other[_place(other, dice) :]

    def _token(self, data: bytearray, dice: random.Random) -> bytearray:
        at = _place(data, dice)
        word = dice.choice(self._tokens)
        replaced = dice.choice((0, len(word), dice.randrange(1 + 2 * len(word))))
        return data[:at] + word + data[at + replaced :]


def _place(data: bytes | bytearray, dice: random.Random) -> int:
    """Return a byte of `data`; one in two lies among the first, where headers are."""
    if dice.random() < 0.5:
        return dice.randrange(1 + min(len(data), 160))
    return dice.randrange(1 + len(data))


def _put(data: bytearray, at: int, written: bytes) -> bytearray:
    return data[:at] + written + data[at + len(written) :]


def _flip(data: bytearray, dice: random.Random) -> bytearray:
    at = min(_place(data, dice), len(data) - 1)
    return data if at < 0 else _put(data, at, bytes([data[at] ^ 1 << dice.randrange(8)]))


def _interesting_byte(data: bytearray, dice: random.Random) -> bytearray:
    return _put(data, _place(data, dice), bytes([dice.choice(_BYTES)]))


def _whole_number(data: bytearray, dice: random.Random) -> bytearray:
    value = dice.choice((*_WHOLE_NUMBERS, len(data), len(data) - 4, len(data) + 1))
    size = dice.choice((2, 4))
    order = dice.choice(("little", "little", "big"))
    return _put(data, _even(data, dice), (value % (1 << 8 * size)).to_bytes(size, order))


def _nudge(data: bytearray, dice: random.Random) -> bytearray:
    """Counts and sizes that are off by a little are the ones that nearly fit."""
    at = _even(data, dice)
    if at + 2 > len(data):
        return data
    value = int.from_bytes(data[at : at + 2], "little") + dice.choice((-4, -2, -1, 1, 2, 4, 16))
    return _put(data, at, (value % 65_536).to_bytes(2, "little"))


def _real(data: bytearray, dice: random.Random) -> bytearray:
    packed = struct.pack(dice.choice(("<f", "<d")), dice.choice(_REALS))
    return _put(data, _even(data, dice), packed)


def _even(data: bytearray, dice: random.Random) -> int:
    """Return a place where a number may begin."""
    return _place(data, dice) & ~1 if dice.random() < 0.8 else _place(data, dice)


def _cut(data: bytearray, dice: random.Random) -> bytearray:
    return data[: dice.randrange(1 + len(data))]


def _piece(data: bytearray, dice: random.Random) -> slice:
    start = _place(data, dice)
    return slice(start, start + dice.choice((1, 2, 4, 16, dice.randrange(1 + len(data)))))


def _drop(data: bytearray, dice: random.Random) -> bytearray:
    gone = _piece(data, dice)
    return data[: gone.start] + data[gone.stop :]


def _double(data: bytearray, dice: random.Random) -> bytearray:
    twice = _piece(data, dice)
    times = dice.choice((1, 1, 1, 2, 8, 64))
    return data[: twice.stop] + data[twice] * times + data[twice.stop :]


def _move(data: bytearray, dice: random.Random) -> bytearray:
    return _put(data, _place(data, dice), bytes(data[_piece(data, dice)]))[: len(data)]


def _noise(data: bytearray, dice: random.Random) -> bytearray:
    at = _place(data, dice)
    return data[:at] + dice.randbytes(dice.choice((1, 3, 17, 200))) + data[at:]


def _zeros(data: bytearray, dice: random.Random) -> bytearray:
    gone = _piece(data, dice)
    return _put(data, gone.start, bytes(len(data[gone])))

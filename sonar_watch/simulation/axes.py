"""Turns between the ground's axes, the ship's and a body's own, for whole arrays."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sonar_watch.simulation.ship import ShipState

Metres = TypeVar("Metres", bound=npt.NDArray[np.floating])


def ground_to_ship(state: ShipState, east: Metres, north: Metres) -> tuple[Metres, Metres]:
    """Return vectors over ground as (forward, starboard), in the precision they came in."""
    sin, cos = state.rotate_to_ship(1.0, 0.0)
    return east * sin + north * cos, east * cos - north * sin  # type: ignore[return-value]


def ship_to_body(
    state: ShipState, bearing_deg: float, ahead: Metres, aside: Metres
) -> tuple[Metres, Metres]:
    """Return vectors of the ship's axes as (along, to the right of) a compass bearing."""
    turn = np.radians(bearing_deg - state.heading_deg)
    sin, cos = float(np.sin(turn)), float(np.cos(turn))
    return ahead * cos + aside * sin, aside * cos - ahead * sin  # type: ignore[return-value]

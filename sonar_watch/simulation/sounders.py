"""The simulated sounders: families, not makers' data sheets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import FloatArray, IntArray

SOUND_SPEED_M_S = 1500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounder:
    """One multibeam echo sounder in one configuration.

    Parameters
    ----------
    model : int
        Such as 304; KMALL knows no serial number, so the stream's name is "em304".
    beams : int
    half_fan_deg : float
        Outermost beam from the vertical.
    beam_width_deg : float
        Across and along, one-way at -3 dB.
    sector_edges_deg : tuple of float
        Inner edges between the transmit sectors, port to starboard, + starboard.
    sector_frequency_hz, sector_offset_db : tuple of float
        One more than the edges; the offset is how much louder a sector's noise is.
    sample_rate_hz : float
    dual_swath : bool
        Two swaths per transmission, tilted by `swath_tilt_deg` fore and aft.
    """

    model: int = 304
    beams: int = 256
    half_fan_deg: float = 65.0
    beam_width_deg: float = 1.0
    sector_edges_deg: tuple[float, ...] = (-40.0, 40.0)
    sector_frequency_hz: tuple[float, ...] = (26_500.0, 30_000.0, 28_000.0)
    sector_offset_db: tuple[float, ...] = (2.0, 0.0, 1.5)
    sample_rate_hz: float = 750.0
    dual_swath: bool = False
    swath_tilt_deg: float = 0.4
    transducer_depth_m: float = 6.0
    lever_forward_m: float = 8.0
    lever_starboard_m: float = -1.5

    @property
    def name(self) -> str:
        """The word records use for this sounder."""
        return f"em{self.model}"

    @property
    def beam_angle_deg(self) -> FloatArray:
        """Beam angles, shape (beams,), degrees from the vertical, + starboard, ascending."""
        return np.linspace(-self.half_fan_deg, self.half_fan_deg, self.beams)

    @property
    def sector(self) -> IntArray:
        """Transmit sector of each beam, shape (beams,)."""
        return np.searchsorted(self.sector_edges_deg, self.beam_angle_deg).astype(np.int32)

    @property
    def metres_per_sample(self) -> float:
        """Range of one sample."""
        return SOUND_SPEED_M_S / (2 * self.sample_rate_hz)


FAMILIES: dict[str, Sounder] = {
    "em122": Sounder(
        model=122,
        beams=288,
        half_fan_deg=65,
        sector_frequency_hz=(11.5e3, 12.5e3, 12e3),
        sample_rate_hz=280.0,
    ),
    "em304": Sounder(),
    "em304-dual": Sounder(dual_swath=True, beams=256),
    "em710": Sounder(
        model=710,
        beams=256,
        half_fan_deg=62,
        sector_frequency_hz=(73e3, 97e3, 81e3),
        sample_rate_hz=2300.0,
    ),
    "em2040": Sounder(
        model=2040,
        beams=256,
        half_fan_deg=68,
        sector_edges_deg=(0.0,),
        sector_frequency_hz=(260e3, 320e3),
        sector_offset_db=(1.0, 0.0),
        sample_rate_hz=9000.0,
    ),
}


def sounder_for(family: str, depth_m: float) -> Sounder:
    """Return a sounder of `family` whose sample rate suits `depth_m`: about 1000 samples a beam.

    Raises
    ------
    ConfigurationError
        No such family.
    """
    if family not in FAMILIES:
        raise ConfigurationError(f"sounder: expected one of {sorted(FAMILIES)}, received {family}")
    sounder = FAMILIES[family]
    longest_m = depth_m / np.cos(np.radians(sounder.half_fan_deg))
    fitting_hz = 1000 * SOUND_SPEED_M_S / (2 * longest_m)
    return replace(sounder, sample_rate_hz=round(float(min(fitting_hz, 12_000.0)), 2))

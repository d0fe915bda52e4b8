"""One multibeam echo sounder in one configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sonar_watch.errors import ConfigurationError
from sonar_watch.records import FloatArray, IntArray, SoundSpeedProfile

SOUND_SPEED_M_S = 1500.0
PROFILE = SoundSpeedProfile(
    depth_m=np.array([0.0, 12_000.0]), speed_m_s=np.full(2, SOUND_SPEED_M_S)
)
"""Of the simulated sea: rays are straight, and every ping says so."""


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
    spacing : {"equiangle", "equidistant"}
        Of the beams: in angle, or on a flat seabed.
    beam_width_deg : float
        Across and along, one-way at -3 dB, at broadside of the array.
    sector_edges_deg : tuple of float
        Inner edges between the transmit sectors, port to starboard, + starboard.
    sector_frequency_hz, sector_offset_db : tuple of float
        One more than the edges; the offset is how much louder a sector's noise is.
    sector_isolation_db : float
        How much weaker a beam hears the side lobes of other sectors' bottom (6-17 dB on real
        EM710 data, none to 4 dB on an EM2040).
    sample_rate_hz : float
    tvg_range_factor, tvg_offset_db : float
        Of the time-varying gain, as written into the ping.
    dual_swath : bool
        Two swaths per transmission, tilted by `swath_tilt_deg` fore and aft.
    second_shift_hz, second_offset_db : float
        How the second swath's frequencies and noise differ from the first's.
    past_bottom : float
        Beams are recorded to this share beyond their bottom (0.10-0.17 on
        real data, up to 0.35 in a harbour).
    beam_blur, range_blur : tuple of int
        Neighbours that share their speckle; see `speckle.speckle`.
    """

    model: int = 304
    beams: int = 256
    half_fan_deg: float = 65.0
    spacing: Literal["equiangle", "equidistant"] = "equiangle"
    beam_width_deg: float = 1.0
    sector_edges_deg: tuple[float, ...] = (-40.0, 40.0)
    sector_frequency_hz: tuple[float, ...] = (26_500.0, 30_000.0, 28_000.0)
    sector_offset_db: tuple[float, ...] = (2.0, 0.0, 1.5)
    sector_isolation_db: float = 12.0
    sample_rate_hz: float = 750.0
    tvg_range_factor: float = 30.0
    tvg_offset_db: float = 0.0
    dual_swath: bool = False
    swath_tilt_deg: float = 0.4
    second_shift_hz: float = 0.0
    second_offset_db: float = 0.0
    past_bottom: float = 0.12
    beam_blur: tuple[int, ...] = (1, 1, 2)
    range_blur: tuple[int, ...] = (1,)
    transducer_depth_m: float = 6.0
    lever_forward_m: float = 8.0
    lever_starboard_m: float = -1.5

    def __post_init__(self) -> None:
        sectors = len(self.sector_edges_deg) + 1
        for name in ("sector_frequency_hz", "sector_offset_db"):
            if len(getattr(self, name)) != sectors:
                raise ConfigurationError(
                    f"{name}: expected one value for each of {sectors} sectors, "
                    f"received {getattr(self, name)}"
                )

    @property
    def name(self) -> str:
        """The word records use for this sounder."""
        return f"em{self.model}"

    @property
    def beam_angle_deg(self) -> FloatArray:
        """Beam angles, shape (beams,), degrees from the vertical, + starboard, ascending."""
        if self.spacing == "equiangle":
            return np.linspace(-self.half_fan_deg, self.half_fan_deg, self.beams)
        edge = np.tan(np.radians(self.half_fan_deg))
        return np.degrees(np.arctan(np.linspace(-edge, edge, self.beams)))

    @property
    def sector(self) -> IntArray:
        """Transmit sector of each beam, shape (beams,)."""
        return np.searchsorted(self.sector_edges_deg, self.beam_angle_deg).astype(np.int32)

    @property
    def metres_per_sample(self) -> float:
        """Range of one sample."""
        return SOUND_SPEED_M_S / (2 * self.sample_rate_hz)

    def frequencies_hz(self, swath: int) -> tuple[float, ...]:
        """Return the centre frequency of each sector in one swath of a transmission."""
        shift = self.second_shift_hz if swath else 0.0
        return tuple(frequency + shift for frequency in self.sector_frequency_hz)

    def noise_offset_db(self, swath: int) -> FloatArray:
        """Return how much louder each beam's noise is, shape (beams,)."""
        offset = np.asarray(self.sector_offset_db)[self.sector]
        return offset + (self.second_offset_db if swath else 0.0)

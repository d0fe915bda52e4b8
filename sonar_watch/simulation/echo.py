"""What a sounder hears of a scene: one swath of echo levels, and the true boxes in it.

Levels are built as linear power over a (beam, sample) grid: ambient noise that rises with
range (the TVG amplifies it), bottom echo, its side-lobe plateau beyond the minimum slant range
within the centre sector, volume scatterers, then speckle (exponential power: a standard
deviation of 5.6 dB, as real files show), then int8 steps of 0.5 dB with a floor at -64 dB.
Rays are straight, at one sound speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sonar_watch.records import (
    Float32Array,
    FloatArray,
    SourceRef,
    WaterColumnPing,
)
from sonar_watch.simulation.scene import Layer, Plume, Scene, School
from sonar_watch.simulation.ship import ShipState
from sonar_watch.simulation.sounders import SOUND_SPEED_M_S, Sounder

_FWHM = 2.355
VISIBLE_DB = 4.0
"""A plume's true box holds what stands this far over its surroundings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueBox:
    """What should be found in one swath.

    Parameters
    ----------
    class_name : {"signal", "noise"}
    name : str
        Of the plume; "" for fish.
    across_track_m, depth_m : tuple of float (min, max)
        Across-track + starboard of the transducer, depth below the surface.
    contrast_db : float
        Highest level over its surroundings.
    """

    class_name: str
    name: str
    across_track_m: tuple[float, float]
    depth_m: tuple[float, float]
    contrast_db: float


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where each sample of the fan lies: shape (beams, samples) but for `range_m`."""

    range_m: Float32Array
    across_m: Float32Array
    depth_m: Float32Array


@lru_cache(maxsize=4)
def _grid(sounder: Sounder, samples: int) -> _Grid:
    range_m = (np.arange(samples) * sounder.metres_per_sample).astype(np.float32)
    angle = np.radians(sounder.beam_angle_deg).astype(np.float32)[:, None]
    return _Grid(
        range_m, range_m * np.sin(angle), sounder.transducer_depth_m + range_m * np.cos(angle)
    )


class _Swath:
    """The power of one swath while it is being built."""

    def __init__(
        self, scene: Scene, sounder: Sounder, state: ShipState, rng: np.random.Generator
    ) -> None:
        self.scene, self.sounder, self.state, self.rng = scene, sounder, state, rng
        tilt = sounder.swath_tilt_deg * (1 if state.swath == 0 else -1) * sounder.dual_swath
        self.tilt = np.tan(np.radians(tilt))
        self.bottom_m = self._bottom_range()
        longest = int(1.12 * self.bottom_m.max() / sounder.metres_per_sample) + 8
        samples = -(-longest // 64) * 64
        self.grid = _grid(sounder, samples)
        self.ambient = self._ambient()
        self.power = np.broadcast_to(self.ambient, self.grid.across_m.shape).copy()
        self.boxes: list[TrueBox] = []

    def _bottom_range(self) -> FloatArray:
        """Range to the seabed along each beam, shape (beams,): fixed-point iteration."""
        sounder, angle = self.sounder, np.radians(self.sounder.beam_angle_deg)
        reach = np.full(sounder.beams, self.scene.seabed.depth_m) / np.cos(angle)
        for _ in range(6):
            across, down = reach * np.sin(angle), reach * np.cos(angle)
            forward = sounder.lever_forward_m + down * self.tilt
            east, north = self.state.to_world(forward, sounder.lever_starboard_m + across)
            depth = self.scene.seabed.at(east, north) - sounder.transducer_depth_m
            reach = 0.5 * reach + 0.5 * np.maximum(depth, 1.0) / np.cos(angle)
        return np.asarray(reach)

    def _ambient(self) -> Float32Array:
        """Ambient power, shape (beams, samples): range slope and sector levels."""
        noise, share = self.scene.noise, self.grid.range_m / self.grid.range_m[-1]
        by_sector = np.asarray(self.sounder.sector_offset_db)[self.sounder.sector]
        level = noise.ambient_db + noise.rise_db * share[None, :] + by_sector[:, None]
        return np.asarray(10 ** (level / 10), np.float32)

    def add_bottom(self) -> None:
        """Bottom echo of each beam; its side lobes in the centre sector beyond the first echo."""
        noise, grid, sounder = self.scene.noise, self.grid, self.sounder
        reach = self.bottom_m.astype(np.float32)[:, None]
        angle = np.radians(sounder.beam_angle_deg)[:, None]
        length = np.radians(sounder.beam_width_deg) * reach * np.tan(np.abs(angle)) / 2
        width = np.maximum(length, 2 * sounder.metres_per_sample).astype(np.float32)
        level = noise.bottom_db - 18 * np.abs(angle) / np.radians(65)
        offset = (grid.range_m - reach) / width
        tail = np.where(offset > 0, np.exp(-offset / 4), 0) * 0.05
        echo = (np.exp(-0.5 * np.minimum(offset**2, 50)) + tail) * 10 ** (level / 10)
        self.power += (self.ambient * echo).astype(np.float32)
        self._add_side_lobes()

    def _add_side_lobes(self) -> None:
        noise, grid, sector = self.scene.noise, self.grid, self.sounder.sector
        centre = sector == sector[len(sector) // 2]
        first = float(self.bottom_m.min())
        beyond = (grid.range_m - first) / first
        plateau = noise.bottom_db - noise.plateau_below_bottom_db - 12 * beyond
        ring = 7 * np.exp(-0.5 * (beyond / 0.012) ** 2)
        level = np.where(beyond >= -0.02, plateau + ring, -60)
        self.power[centre] += self.ambient[centre] * (10 ** (level / 10)).astype(np.float32)
        if noise.ghost_db:
            ghost = noise.ghost_db * np.exp(-0.5 * ((grid.range_m - first / 2) / (first / 80)) ** 2)
            self.power *= (10 ** (ghost / 10)).astype(np.float32)

    def add_static(self) -> None:
        """What stands still from swath to swath: nadir stripe, fixed beams, rings."""
        noise, beams = self.scene.noise, self.sounder.beams
        fixed = np.random.default_rng(noise.static_seed)
        gain = np.zeros(beams)
        gain[beams // 2 - 1 : beams // 2 + 1] += noise.nadir_stripe_db
        for beam in fixed.integers(0, beams, noise.stripe_count):
            gain[beam] += fixed.uniform(2, 7)
        rings = np.zeros(self.grid.range_m.size)
        for place in fixed.uniform(0.1, 0.9, noise.ring_count) * self.bottom_m.min():
            rings += fixed.uniform(2, 8) * np.exp(
                -0.5 * ((self.grid.range_m - place) / (2 * self.sounder.metres_per_sample)) ** 2
            )
        self.power *= (10 ** ((gain[:, None] + rings[None, :]) / 10)).astype(np.float32)

    def add_layer(self, layer: Layer) -> None:
        """A band of raised level at a depth."""
        offset = (self.grid.depth_m - layer.depth_m) / layer.half_height_m
        shape = np.exp(-0.5 * np.minimum(offset**2, 40))
        self.power += self.ambient * (shape * 10 ** (layer.contrast_db / 10)).astype(np.float32)

    def add_passing(self) -> None:
        """What comes and goes: another sonar's spoke, single fish."""
        noise, rng, (beams, samples) = self.scene.noise, self.rng, self.power.shape
        if rng.random() < noise.spoke_chance:
            beam, start = int(rng.integers(beams)), int(rng.integers(samples))
            end = start + int(rng.integers(20, max(21, samples // 2)))
            self.power[beam : beam + 1, start:end] *= 10 ** (rng.uniform(6, 15) / 10)
        for _ in range(rng.poisson(noise.fish_count)):
            beam, sample = int(rng.integers(beams)), int(rng.integers(samples))
            level = 10 ** (rng.uniform(8, 20) / 10) * self.ambient[beam, sample]
            self.power[max(beam - 1, 0) : beam + 2, sample : sample + 2] += level

    def _window(
        self, across: tuple[float, float], depth: tuple[float, float]
    ) -> tuple[slice, slice] | None:
        """Beams and samples that can hold a body within these bounds, or None."""
        sounder = self.sounder
        top = max(depth[0] - sounder.transducer_depth_m, 1.0)
        low = max(depth[1] - sounder.transducer_depth_m, 1.0)
        corners = np.degrees([np.arctan2(y, z) for y in across for z in (top, low)])
        beams = np.searchsorted(sounder.beam_angle_deg, [corners.min() - 2, corners.max() + 2])
        nearest = np.hypot(0 if across[0] * across[1] < 0 else np.abs(across).min(), top)
        ranges = np.array([nearest, np.hypot(np.abs(across).max(), low)])
        samples = (ranges / sounder.metres_per_sample).astype(int) + np.array([-2, 3])
        first, last = np.clip(samples, 0, self.grid.range_m.size)
        if beams[1] - beams[0] < 1 or last - first < 2:
            return None
        return slice(int(beams[0]), int(beams[1])), slice(int(first), int(last))

    def add_plume(self, plume: Plume) -> None:
        """A leaning, patchy column of one or more strands."""
        forward, starboard = self._from_transducer(plume.east_m, plume.north_m)
        lean_forward, lean_starboard = self.state.rotate_to_ship(plume.lean_east, plume.lean_north)
        foot = float(self.scene.seabed.at(plume.east_m, plume.north_m))
        far = 4 * plume.radius_m + plume.spread_m + 0.02 * foot
        drift = lean_starboard * plume.height_m
        across = (starboard + min(0, drift) - far, starboard + max(0, drift) + far)
        window = self._window(across, (foot - plume.height_m, foot + 2))
        if window is None or abs(forward) > far + abs(lean_forward) * plume.height_m + 0.05 * foot:
            return
        y, z, reach = self._cut(window)
        height = foot - z
        body = self._column(height, plume)
        spread = self._footprint(plume.radius_m, reach)
        ahead = forward + lean_forward * height - z * self.tilt
        body *= plume.radius_m / spread * np.exp(-0.5 * (ahead / spread) ** 2)
        strands = [
            np.exp(-0.5 * ((y - starboard - lean_starboard * height - side) / spread) ** 2)
            * self._patches(height)
            for side in self._strand_offsets(plume)
        ]
        self._add_body(
            window,
            body * np.sum(strands, axis=0),
            plume.contrast_db,
            "signal",
            plume.name,
            min_height_m=0.05 * foot,
        )

    def add_school(self, school: School) -> None:
        """A patchy ellipsoid."""
        forward, starboard = self._from_transducer(school.east_m, school.north_m)
        far = 3 * school.radius_m
        window = self._window(
            (starboard - far, starboard + far),
            (school.depth_m - 3 * school.half_height_m, school.depth_m + 3 * school.half_height_m),
        )
        if window is None or abs(forward) > far:
            return
        y, z, _ = self._cut(window)
        body = np.exp(
            -0.5
            * (
                ((y - starboard) / school.radius_m) ** 2
                + ((z - school.depth_m) / school.half_height_m) ** 2
                + (forward / school.radius_m) ** 2
            )
        ) * self.rng.gamma(0.8, 1.25, y.shape)
        self._add_body(window, body, school.contrast_db, "noise", "", min_height_m=0.0)

    def _from_transducer(self, east_m: float, north_m: float) -> tuple[float, float]:
        forward, starboard = self.state.to_ship(east_m, north_m)
        return forward - self.sounder.lever_forward_m, starboard - self.sounder.lever_starboard_m

    def _cut(self, window: tuple[slice, slice]) -> tuple[Float32Array, Float32Array, Float32Array]:
        return self.grid.across_m[window], self.grid.depth_m[window], self.grid.range_m[window[1]]

    def _footprint(self, radius_m: float, range_m: Float32Array) -> FloatArray:
        """Standard deviation of a body as the beam smears it, shape (samples,)."""
        beam = range_m * np.radians(self.sounder.beam_width_deg) / _FWHM
        return np.asarray(np.hypot(radius_m, beam))

    def _strand_offsets(self, plume: Plume) -> FloatArray:
        places = np.arange(plume.strands) - (plume.strands - 1) / 2
        return np.asarray(places * plume.spread_m)

    def _column(self, height: Float32Array, plume: Plume) -> FloatArray:
        """Full strength at the foot, fading over the upper quarter."""
        fade = np.clip((1 - height / plume.height_m) * 4, 0, 1)
        return np.where(height >= 0, fade, 0.0)

    def _patches(self, height: Float32Array) -> FloatArray:
        """Bursts along the rise (a few metres long) and bright dots; mean about 1."""
        knots = np.arange(0, max(float(height.max()), 1) + 40, 8.0)
        bursts = np.exp(self.rng.normal(-0.3, 0.75, knots.size))
        gain = np.interp(np.maximum(height, 0), knots, bursts)
        return np.asarray(gain * self.rng.gamma(1.2, 1 / 1.2, height.shape))

    def _add_body(
        self,
        window: tuple[slice, slice],
        body: FloatArray,
        contrast_db: float,
        class_name: str,
        name: str,
        min_height_m: float,
    ) -> None:
        """Add the body's power; note its true box where it stands out of its surroundings."""
        y, z, reach = self._cut(window)
        before_bottom = reach[None, :] < 0.995 * self.bottom_m[window[0], None]
        added = body * before_bottom * self.ambient[window] * 10 ** (contrast_db / 10)
        ratio = added / self.power[window]
        self.power[window] += added.astype(np.float32)
        seen = ratio > 10 ** (VISIBLE_DB / 10) - 1
        if seen.sum() < 12:
            return
        left, right = np.percentile(y[seen], [3, 97])
        top, low = np.percentile(z[seen], [2, 99.5])
        if low - top < max(min_height_m, 4 * self.sounder.metres_per_sample):
            return
        contrast = float(10 * np.log10(1 + np.percentile(ratio[seen], 80)))
        self.boxes.append(
            TrueBox(
                class_name=class_name,
                name=name,
                across_track_m=(float(left), float(right)),
                depth_m=(float(top), float(low)),
                contrast_db=contrast,
            )
        )


def hear(
    scene: Scene, sounder: Sounder, state: ShipState, seed: int, source: SourceRef | None = None
) -> tuple[WaterColumnPing, tuple[TrueBox, ...]]:
    """Return one swath over a scene and the true boxes in it.

    Parameters
    ----------
    seed : int
        Of everything random; mixed with ping counter and swath, so a swath can be made alone.
    """
    rng = np.random.default_rng((seed, state.ping_counter, state.swath))
    swath = _Swath(scene, sounder, state, rng)
    swath.add_bottom()
    for layer in scene.layers:
        swath.add_layer(layer)
    for plume in scene.plumes:
        swath.add_plume(plume)
    for school in scene.schools:
        swath.add_school(school)
    swath.add_passing()
    swath.add_static()
    return _to_ping(swath, source), tuple(swath.boxes)


def _to_ping(swath: _Swath, source: SourceRef | None) -> WaterColumnPing:
    """Speckle, quantise, detect the bottom."""
    sounder, state = swath.sounder, swath.state
    speckle = swath.rng.standard_exponential(swath.power.shape, dtype=np.float32)
    level_db = 10 * np.log10(swath.power * speckle + 1e-12)
    quantised = np.clip(np.round(2 * level_db), -128, 127).astype(np.int8)
    counts = (
        np.minimum(1.12 * swath.bottom_m / sounder.metres_per_sample, swath.power.shape[1]).astype(
            np.int32
        )
        // 2
        * 2
    )
    quantised[np.arange(quantised.shape[1]) >= counts[:, None]] = -128
    detected = swath.bottom_m / sounder.metres_per_sample
    detected = detected * (1 + swath.rng.normal(0, 0.002, detected.size))
    detected[swath.rng.random(detected.size) < swath.scene.noise.lost_bottom] = np.nan
    return WaterColumnPing(
        time_utc=state.time_utc,
        ping_counter=state.ping_counter,
        swath=state.swath,
        sounder=sounder.name,
        beam_angle_deg=sounder.beam_angle_deg.astype(np.float32),
        samples_half_db=quantised,
        first_sample=np.zeros(sounder.beams, np.int32),
        sample_count=counts,
        detected_sample=detected.astype(np.float32),
        sector=sounder.sector,
        sector_frequency_hz=np.asarray(sounder.sector_frequency_hz, np.float32),
        sector_tilt_deg=_sector_tilt_deg(swath),
        sample_rate_hz=sounder.sample_rate_hz,
        sound_speed_m_s=SOUND_SPEED_M_S,
        transducer_depth_m=sounder.transducer_depth_m,
        lever_forward_m=sounder.lever_forward_m,
        lever_starboard_m=sounder.lever_starboard_m,
        beam_width_deg=sounder.beam_width_deg,
        source=source
        or SourceRef(
            source="simulation", file="", ping_counter=state.ping_counter, swath=state.swath
        ),
    )


def _sector_tilt_deg(swath: _Swath) -> Float32Array:
    """Return the tilt of each sector relative to the vessel, as a pitch-stabilised sounder steers.

    It undoes the pitch, so that with the pitch the wanted tilt remains; outer sectors are
    steered less, as a steered transmitter sounds a cone.
    """
    sounder = swath.sounder
    level_deg = np.degrees(np.arctan(swath.tilt)) - swath.state.pitch_deg
    cosine = np.cos(np.radians(sounder.beam_angle_deg))
    of_sector = [
        np.median(cosine[sounder.sector == sector])
        for sector in range(len(sounder.sector_frequency_hz))
    ]
    tangent = np.tan(np.radians(level_deg)) * np.array(of_sector)
    return np.asarray(np.degrees(np.arctan(tangent)), np.float32)

"""Synthetic pings whose every echo is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from sonar_watch.records import SoundSpeedProfile, SourceRef, WaterColumnPing

BACKGROUND_DB = -40.0
RATE_HZ = 3000.0
SPEED_M_S = 1500.0
METRES_PER_SAMPLE = SPEED_M_S / (2 * RATE_HZ)

OCEAN = SoundSpeedProfile(
    depth_m=np.array([0.0, 20.0, 60.0, 100.0, 300.0, 1000.0, 3000.0]),
    speed_m_s=np.array([1535.0, 1533.0, 1512.0, 1500.0, 1490.0, 1482.0, 1507.0]),
)


def make_ping(
    *,
    beams: int = 161,
    half_fan_deg: float = 60.0,
    depth_m: float = 100.0,
    targets: Sequence[tuple[int, int]] = (),
    profile: SoundSpeedProfile | None = None,
    detections: bool = True,
    sectors: int = 1,
    sector_step_db: float = 0.0,
    speckle_db: float = 0.0,
    jitter_deg: float = 0.0,
    counter: int = 1,
    transducer_depth_m: float = 5.0,
) -> WaterColumnPing:
    """A flat bottom `depth_m` below the transducer; `targets` are (beam, sample)."""
    rng = np.random.default_rng(counter)
    angle = np.linspace(-half_fan_deg, half_fan_deg, beams) + rng.uniform(-1, 1) * jitter_deg
    bottom = depth_m / np.cos(np.radians(angle)) / METRES_PER_SAMPLE
    count = (bottom * 1.12).astype(np.int32)
    sample = np.arange(int(count.max()))
    sector = np.minimum(np.arange(beams) * sectors // beams, sectors - 1).astype(np.int32)
    level = BACKGROUND_DB + sector[:, None] * sector_step_db + np.zeros((beams, sample.size))
    level += speckle_db * rng.standard_normal(level.shape)
    level[np.abs(sample - bottom[:, None]) < 3] = 0.0
    half = 1 + round(depth_m / 100)
    for beam, where in targets:
        level[beam, where - half : where + half + 1] = 0.0
    level[sample >= count[:, None]] = -64.0
    return WaterColumnPing(
        time_utc=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        ping_counter=counter,
        swath=0,
        sounder="em712-1",
        beam_angle_deg=angle.astype(np.float32),
        samples_half_db=np.clip(np.rint(level * 2), -128, 127).astype(np.int8),
        first_sample=np.zeros(beams, np.int32),
        sample_count=count,
        detected_sample=(bottom if detections else np.full(beams, np.nan)).astype(np.float32),
        sector=sector,
        sector_frequency_hz=np.full(sectors, 70e3, np.float32),
        sector_tilt_deg=np.zeros(sectors, np.float32),
        sample_rate_hz=RATE_HZ,
        sound_speed_m_s=SPEED_M_S,
        transducer_depth_m=transducer_depth_m,
        profile=profile,
        source=SourceRef(source="made", file="made.kmwcd", offset=0, ping_counter=counter, swath=0),
    )


def walk(
    angle_deg: float,
    time_s: float,
    profile: SoundSpeedProfile,
    *,
    transducer_depth_m: float,
    sound_speed_m_s: float,
    steps: int = 20_000,
) -> tuple[float, float]:
    """Follow one ray in small steps of time: slow, plain Snell."""
    below = profile.depth_m > transducer_depth_m
    levels = np.append(transducer_depth_m, profile.depth_m[below])
    speeds = np.append(sound_speed_m_s, profile.speed_m_s[below])
    slowness = np.sin(np.radians(angle_deg)) / sound_speed_m_s
    across, depth, step = 0.0, transducer_depth_m, time_s / steps
    for _ in range(steps):
        speed = np.interp(depth, levels, speeds)
        half_way = depth + speed * np.sqrt(1 - (slowness * speed) ** 2) * step / 2
        speed = np.interp(half_way, levels, speeds)
        across += slowness * speed * speed * step
        depth += speed * np.sqrt(1 - (slowness * speed) ** 2) * step
    return float(across), float(depth)

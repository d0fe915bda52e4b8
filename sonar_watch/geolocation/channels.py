"""What a sample speaks to: position, heading, course, motion, speed."""

from __future__ import annotations

import numpy as np

from sonar_watch.records import FloatArray, NavigationSample

CIRCULAR: dict[str, tuple[bool, ...]] = {
    "position": (False, True, False),  # latitude, longitude, sigma
    "heading": (True,),
    "course": (True, False),  # course, speed
    "motion": (False, False, False),  # roll, pitch, heave
    "speed": (False,),
}
"""The channels, and which of their columns are angles that go round."""


def columns_of(sample: NavigationSample) -> dict[str, list[FloatArray]]:
    """Return the columns of each channel that `sample` speaks to, NaN where it leaves one out."""
    size = sample.time_s.size
    columns: dict[str, list[FloatArray]] = {}
    if sample.latitude is not None and sample.longitude is not None:
        sigma = np.full(size, np.nan if (s := sample.position_sigma_m) is None else s)
        columns["position"] = [sample.latitude, sample.longitude, sigma]
    if sample.heading_deg is not None:
        columns["heading"] = [sample.heading_deg]
    if sample.course_deg is not None and sample.speed_m_s is not None:
        columns["course"] = [sample.course_deg, sample.speed_m_s]
    if sample.speed_m_s is not None:
        columns["speed"] = [sample.speed_m_s]
    motion = (sample.roll_deg, sample.pitch_deg, sample.heave_m)
    if any(each is not None for each in motion):
        columns["motion"] = [np.full(size, np.nan) if each is None else each for each in motion]
    return columns

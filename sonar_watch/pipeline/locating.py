"""From boxes in a picture to detections on the seabed, each with what speaks against it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from sonar_watch.detection.detections import Detections
from sonar_watch.geolocation.georeference import PositionOptions, georeference
from sonar_watch.pipeline.domain import Domain, out_of_domain
from sonar_watch.records import GeolocatedDetection, GeolocatedFrame, WaterColumnFrame
from sonar_watch.watercolumn.classical import overlooked, seconded
from sonar_watch.watercolumn.feet import foot_line
from sonar_watch.watercolumn.rivals import TAKEN_FOR_A_BODY, rivalled
from sonar_watch.watercolumn.vetoes import VetoOptions, vetoes_of


def locate(
    frame: WaterColumnFrame,
    found: Detections,
    opinion: Detections | None,
    note: str | None,
    vetoes: VetoOptions,
    position: PositionOptions,
    domain: Domain = MappingProxyType({}),
    least: float = 0.0,
) -> GeolocatedFrame:
    """Return what was found in a frame, in metres and on the seabed.

    Parameters
    ----------
    found : Detections
        May hold bodies that are less sure than `least`: they speak against plumes, no more.
    opinion : Detections or None
        What a second detector found in the same frame.
    note : str or None
        What to know about the position, such as why there is none.
    vetoes, position
        Options of the stages.
    domain : mapping
        What the network was trained on.
    least : float
        Confidence from which on a box is told of.
    """
    sure = found.confidence >= least
    rivals = rivalled(found, vetoes.rival_share)[sure].tolist()
    found = found.select(sure)
    names = [row.class_name for row in found]
    shared = None if opinion is None else seconded(found.xyxy, names, opinion)
    alone = None if opinion is None else overlooked(found, opinion)
    boxes = found.xyxy if alone is None else np.concatenate((found.xyxy, alone.xyxy))
    reasons = vetoes_of(boxes, frame, vetoes)  # of all at once: the picture is read once
    own = [
        TAKEN_FOR_A_BODY if reason is None and rival and name == "signal" else reason
        for reason, rival, name in zip(reasons[: len(found)], rivals, names, strict=True)
    ]
    placed = _placed(frame, found, own, shared, note, position)
    second = None
    if alone is not None:
        second = _placed(frame, alone, reasons[len(found) :], None, note, position)
    geometry = frame.geometry
    seabed = geometry.seabed_depth_m
    known = None if seabed is None or np.isnan(seabed).all() else float(np.nanmedian(seabed))
    return GeolocatedFrame(
        frame_id=frame.frame_id,
        time_utc=frame.time_utc,
        sounder=frame.sounder,
        unit=frame.unit,
        source=frame.source,
        navigation=frame.navigation,
        coverage_across_m=(geometry.left_m, geometry.right_m),
        seabed_depth_m=known,
        detections=placed,
        second=second,
        out_of_domain=out_of_domain(frame, known, domain),
    )


def _placed(
    frame: WaterColumnFrame,
    found: Detections,
    reasons: list[str | None],
    shared: list[bool] | None,
    note: str | None,
    position: PositionOptions,
) -> tuple[GeolocatedDetection, ...]:
    """Return boxes on the seabed, each with what speaks against it."""
    feet = [foot_line(row.xyxy, frame) for row in found]
    placed = georeference(frame, found, reasons, position, shared, feet)
    if note is None:
        return placed
    return tuple(replace(detection, position_note=note) for detection in placed)

"""How often the watch looks for what people rejected: after each batch, and when idle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest.mock import sentinel

import pytest

from sonar_watch.alerts.journal import Journal
from sonar_watch.association.tracker import PlumeTracker, TrackerOptions
from sonar_watch.geolocation.navigation import NavigationTrack
from sonar_watch.pipeline.chain import Pipeline
from sonar_watch.pipeline.stages import PipelineOptions, Stages
from sonar_watch.records import EventChange, LineEnd, Provenance
from sonar_watch.watercolumn.raster import Rasteriser


@pytest.mark.parametrize(("ends", "looks"), [(0, 1), (1, 1), (3, 3)])
def test_each_batch_is_followed_by_one_look(tmp_path: Path, ends: int, looks: int) -> None:
    asked = 0

    def rejected() -> Sequence[EventChange]:
        nonlocal asked
        asked += 1
        return ()

    with Journal(tmp_path / "journal.sqlite", tense="test") as journal:
        pipeline = Pipeline(Stages(
            raster=Rasteriser(), detector=sentinel.none_needed, track=NavigationTrack(),
            tracker=PlumeTracker(TrackerOptions()), ledger=journal, publish=lambda _: None,
            provenance=Provenance(weights="w", config="c", code="x"), tense="test",
            options=PipelineOptions(batch_frames=1), rejected=rejected,
        ))  # fmt: skip
        lines = [f"raw/em2040-40/{number}" for number in range(ends)]
        pipeline.take(
            LineEnd(source="raw", checkpoint={"key": line, "value": 1}) for line in lines
        )
        assert asked == looks
        assert [journal.checkpoint(line) for line in lines] == [1] * ends

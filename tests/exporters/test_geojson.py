"""FeatureCollections: whole or not at all."""

from __future__ import annotations

import json

import pytest

from sonar_watch.exporters.geojson import write_geojson


def feature(number):
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [139.9, 32.1]},
            "properties": {"name": f"plume {number} é"}}


def test_features_are_read_back(tmp_path):
    path = tmp_path / "new" / "alerts.geojson"
    assert write_geojson(path, (feature(i) for i in range(3))) == 3
    read = json.loads(path.read_text(encoding="utf-8"))
    assert read == {"type": "FeatureCollection", "features": [feature(i) for i in range(3)]}
    assert len(path.read_text(encoding="utf-8").splitlines()) == 5


def test_nothing_is_a_collection_too(tmp_path):
    path = tmp_path / "alerts.geojson"
    write_geojson(path, [])
    assert json.loads(path.read_text()) == {"type": "FeatureCollection", "features": []}


def test_a_position_that_is_not_known_is_null(tmp_path):
    write_geojson(tmp_path / "a.geojson", [{**feature(1), "geometry": None}])
    assert json.loads((tmp_path / "a.geojson").read_text())["features"][0]["geometry"] is None


@pytest.mark.parametrize("wrong", [
    {"type": "Point", "coordinates": [0, 0]},
    {"type": "Feature"},
    {**feature(1), "properties": {"depth_m": float("nan")}},
])
def test_the_old_file_stays_when_the_new_one_fails(tmp_path, wrong):
    path = tmp_path / "alerts.geojson"
    write_geojson(path, [feature(1)])
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"expected a GeoJSON|not JSON compliant"):
        write_geojson(path, [feature(2), wrong])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["alerts.geojson"]

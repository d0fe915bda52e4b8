"""Settings: wrong ones are refused by line, the commented default file says what is."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonar_watch.errors import ConfigurationError
from sonar_watch.settings import Settings, commented_defaults, load_settings, parse_settings

COMMITTED = Path(__file__).parents[2] / "config" / "sonar_watch.yaml"


def test_the_committed_file_is_what_the_options_say() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == commented_defaults()


def test_the_committed_file_holds_the_defaults() -> None:
    assert parse_settings(commented_defaults()) == parse_settings("")


def test_an_empty_file_is_good() -> None:
    assert parse_settings("").tracker == Settings().tracker


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tracker:\n  confirm_swath: 3\n", "line 2: unknown key tracker.confirm_swath"),
        ("data_dir: x\nraster:\n  max_side_px: wide\n", "line 3: raster.max_side_px"),
        (
            "sources:\n  raw:\n    - path: a\n    - pth: b\n",
            "line 4: unknown key sources.raw.1.pth",
        ),
        ("sources:\n  raw:\n    - name: a\n", "line 3: sources.raw.0.path"),
        ("tracker: 7\n", "line 1: tracker: expected keys and values"),
        ("- a\n", "line 1: settings: expected keys and values"),
        ("tracker: [\n", "not YAML"),
        ("tracker:\n  confirm_swaths: 9\n  of_swaths: 6\n", "line 1: tracker"),
        ("tracker:\n  site_radius_m: 20000\n", "site_radius_m: expected less than 10000"),
        ("log_level: loud\n", "line 1: log_level"),
        ("raster: {}\ntracker: {}\nraster: {}\n", "line 3: raster stands in line 1 already"),
        ("sources:\n  raw:\n  - path: a\n  - path: b\n", "a name of its own"),
    ],
)
def test_what_is_wrong_is_said_by_line(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said.replace(".", r"\.")) as caught:
        parse_settings(text, "watch.yaml")
    assert "watch.yaml" in str(caught.value)


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "watch.yaml"
    path.write_text("data_dir: data\nsources:\n  images:\n    - path: pictures\n")
    settings = load_settings(path)
    assert settings.data_dir == tmp_path / "data"
    assert settings.sources.images[0].path == tmp_path / "pictures"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml"):
        load_settings(tmp_path / "nowhere.yaml")


def test_the_environment_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "watch.yaml"
    path.write_text("log_level: debug\n")
    monkeypatch.setenv("SONAR_WATCH_CONFIG", str(path))
    assert load_settings().log_level == "debug"


def test_the_fingerprint_knows_decisions_and_no_paths() -> None:
    plain = parse_settings("").fingerprint
    assert parse_settings("data_dir: elsewhere\n").fingerprint == plain
    assert parse_settings("detector:\n  device: cpu\n").fingerprint == plain
    assert parse_settings("detector:\n  confidence: 0.55\n").fingerprint != plain
    assert parse_settings("tracker:\n  confirm_swaths: 4\n").fingerprint != plain


def test_the_fingerprint_knows_how_pictures_are_read() -> None:
    folder = "sources:\n  images:\n  - path: here\n"
    read = [
        parse_settings(text).fingerprint
        for text in (
            folder,
            folder + "    pictures:\n      palette: jet\n",
            folder + "    pictures:\n      span_db: 40\n",
            folder + "    calibration:\n      across_track_m: [-9, 9]\n      depth_m: [0, 9]\n",
        )
    ]
    assert len({*read}) == 4
    elsewhere = folder.replace("here", "there") + "    name: other\n    rescan_s: 3\n"
    assert parse_settings(elsewhere).fingerprint == read[0]
    assert parse_settings("").fingerprint == read[0]  # as a replay of its files without settings


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "watch.yaml"
    path.write_bytes(b"# 3\xb0 C\n")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load_settings(path)

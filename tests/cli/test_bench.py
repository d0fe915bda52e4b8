"""What `sonar-watch bench` refuses; reliability/test_load.py measures."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonar_watch.cli import main


def test_a_folder_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "journal.sqlite").write_text("")
    assert main(["bench", "--load", "1", "--out", str(tmp_path)]) == 78
    assert "expected an empty folder" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--load", "0"], ["--load", "1", "--frames-per-s", "-1"]])
def test_a_load_that_cannot_be_is_a_usage_error(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *words])
    assert ended.value.code == 2


def test_no_subscribers_are_a_configuration_error() -> None:
    assert main(["bench", "--load", "1", "--subscribers", "0"]) == 78

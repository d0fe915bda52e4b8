"""Command lines that are written down somewhere, and options that would do nothing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonar_watch.cli import COMMANDS, build_parser, main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")),
         *sorted((ROOT / "models").glob("*.md"))]
PLACEHOLDER = re.compile(r"[A-Z]+(\.\.\.)?")


def command_lines(text: str) -> Iterator[str]:
    """Yield the command lines of a page: of its blocks, and in backticks."""
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("sonar-watch "):
                yield line
    yield from re.findall(r"`(sonar-watch [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def written_down() -> list[tuple[str, str]]:
    return [(page.relative_to(ROOT).as_posix(), line)
            for page in PAGES for line in command_lines(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "line"), written_down())
def test_a_command_line_that_is_written_down_can_be_given(page: str, line: str) -> None:
    words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
    if len(words) == 1 or words[-1] in ("…", "..."):  # names the command, not a line to give
        assert words[0] in COMMANDS
        return
    # A number serves wherever a page says NAME, HOURS or FILE.
    given = ["1" if PLACEHOLDER.fullmatch(word) else word for word in words]
    assert build_parser(only=given[0]).parse_args(given).command == given[0]


def test_pages_are_looked_through() -> None:
    lines = [line for _, line in written_down()]
    assert len(lines) > 20
    assert any("--from-review" in line and "--frozen" in line for line in lines)


@pytest.mark.parametrize(
    ("line", "message"),
    [("train SET --out o --inputs a --frozen b", "--inputs, --frozen: without effect without"),
     ("train SET --out o --note x", "--note: without effect without --name"),
     ("train SET --out o --spread-grey", "--spread-grey: without effect without --from"),
     ("train SET --out o --from-review w", "DATA: without effect with --from-review"),
     ("train --out o --from-review w --resume --size 480 --classes signal",
      "--classes, --resume, --size: without effect with --from-review"),
     ("simulate --out o --frozen --depth-range 50 60",
      "--depth-range, --frozen: without effect with --kind raw"),
     ("simulate --out o --kind demo --seed 5", "--seed: without effect with --kind demo"),
     ("simulate --out o --kind dataset --depth 50 --pace 2",
      "--depth, --pace: without effect with --kind dataset"),
     ("simulate --out o --kind dataset --inject-share 0.5",
      "--inject-share: without effect without --inject")],
)
def test_options_that_would_do_nothing_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    line: str, message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(line.split()) == 78
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_set_of_other_depths_and_warm_up_is_checked_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["simulate", "--out", str(tmp_path / "o"), "--kind", "dataset", "--depth-range"]
    assert main([*line, "500", "50"]) == 78
    assert "depth_m: expected 10 <= low <= high, got (500.0, 50.0)" in capsys.readouterr().err
    assert main([*line, "50", "500", "--swaths", "4", "--warm-up", "4"]) == 78
    assert "fewer swaths to warm up" in capsys.readouterr().err


def test_a_models_folder_that_cannot_be_written_is_said_before_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").write_text("a file, not a folder")
    words = ["train", str(tmp_path), "--out", str(tmp_path / "o"), "--name", "a",
             "--models", str(tmp_path / "models")]
    assert main(words) == 78
    assert "expected a folder that weights can be written into" in capsys.readouterr().err

"""Verdicts from the command line, with and without keys; real processes."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

from sonar_watch.alerts.publisher import PublisherOptions
from sonar_watch.alerts.testing import PretendWatch, sample_alert

FREE = "tcp://127.0.0.1:0"
EVENT = sample_alert(1).event.event_id


def sonar_watch(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sonar_watch", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_an_event_is_reviewed_by_its_first_letters(tmp_path: Path) -> None:
    with PretendWatch(tmp_path) as watch:
        watch.say(sample_alert(1), sample_alert(2))
        at = ("--request", watch.endpoints[1])
        words = ("--by", "Ann", "--note", "fish")
        done = sonar_watch("review", EVENT[:8], "--reject", *words, *at)
        assert done.returncode == 0, done.stderr
        review = json.loads(done.stdout)
        assert review.pop("time_utc")
        assert review == {"event_id": EVENT, "verdict": "rejected", "by": "Ann", "note": "fish"}
        unknown = sonar_watch("review", "zzz", "--confirm", *at)
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert "is of no event" in unknown.stderr
    kept = [json.loads(line) for line in (tmp_path / "reviews.jsonl").read_text().splitlines()]
    assert [line["verdict"] for line in kept] == ["rejected"]
    assert sonar_watch("review", EVENT).returncode == 2
    assert sonar_watch("review", EVENT, "--confirm", "--reject").returncode == 2


def test_keys_that_may_review_are_let_in_from_the_command_line(tmp_path: Path) -> None:
    server, guest = tmp_path / "server", tmp_path / "guest"
    sonar_watch("keys", "make", server)
    sonar_watch("keys", "make", guest, "--name", "bridge")
    sonar_watch("keys", "allow", server, guest / "bridge.key")
    options = PublisherOptions(
        publish=FREE,
        request=FREE,
        curve_secret=server / "watch.key_secret",
        curve_allowed=server / "allowed",
    )
    key = ("--key", guest / "bridge.key_secret", "--server-key", server / "watch.key")
    with PretendWatch(tmp_path, options) as watch:
        watch.say(sample_alert(1))
        words = ("review", EVENT, "--confirm", "--request", watch.endpoints[1], *key)
        refused = sonar_watch(*words)
        assert refused.returncode == 1
        assert "this key may not review" in refused.stderr
        allowed = sonar_watch("keys", "allow", "--reviewer", server, guest / "bridge.key")
        assert "may subscribe and review" in allowed.stdout
        assert stat.S_IMODE((server / "reviewers").stat().st_mode) == 0o700
        assert stat.S_IMODE((server / "reviewers" / "bridge.key").stat().st_mode) == 0o600
        assert json.loads(sonar_watch(*words).stdout)["key"] == "bridge"
        (guest / "bridge.key_secret").chmod(0o644)
        careless = sonar_watch(*words)
        assert careless.returncode == 78
        assert "chmod 600" in careless.stderr

"""A watch that looks at its folders often and forgets warnings soon."""

from __future__ import annotations

import pytest

from sonar_watch.health import health


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(health, "CALM_S", 0.3)
    monkeypatch.setattr(health, "SELDOM_S", 0.2)

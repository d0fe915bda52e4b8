"""No number of the settings may be what cannot be compared, or so large that nobody counts it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from sonar_watch.errors import ConfigurationError
from sonar_watch.settings import Settings, parse_settings

SOURCES: dict[str, Any] = {
    "raw": [{"path": "raw", "name": "raw"}],
    "images": [{"path": "images", "name": "images"}],
    "kmall_udp": [{"port": 5}],
    "nmea_udp": [{"port": 6, "name": "udp"}],
    "nmea_tcp": [{"host": "gateway", "port": 7, "name": "tcp"}],
    "nmea_logs": [{"path": "logs", "name": "logs"}],
}
Place = tuple[str | int, ...]


def numbers(options: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the keys of all numbers, those of the first of several sources among them."""
    for field in dataclasses.fields(options):
        value, here = getattr(options, field.name), (*place, field.name)
        if dataclasses.is_dataclass(value):
            yield from numbers(value, here)
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            yield from numbers(value[0], (*here, 0))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield here


def with_number(place: Place, number: float) -> str:
    """Return settings in which one number is another."""
    tree: Any = {"sources": copy.deepcopy(SOURCES)}
    inner = tree
    for key in place[:-1]:
        inner = inner[key] if isinstance(key, int) else inner.setdefault(key, {})
    inner[place[-1]] = number
    return yaml.safe_dump(tree)


ALL = list(numbers(parse_settings(yaml.safe_dump({"sources": SOURCES}))))


def test_the_numbers_of_every_part_are_looked_at() -> None:
    looked_at = {place[0] for place in ALL}
    assert looked_at >= {"sources", "detector", "tracker", "vetoes", "alerts", "health"}
    assert looked_at <= {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
@pytest.mark.parametrize("place", ALL, ids=lambda place: ".".join(map(str, place)))
def test_what_is_no_number_is_refused(place: Place, number: float) -> None:
    with pytest.raises(ConfigurationError, match="line"):
        parse_settings(with_number(place, number))


@pytest.mark.parametrize("place", ALL, ids=lambda place: ".".join(map(str, place)))
def test_a_number_that_is_far_too_large_is_taken_or_refused(place: Place) -> None:
    """On a reload any other error would end the watch."""
    try:
        parse_settings(with_number(place, 10**400))
    except ConfigurationError as error:
        assert str(place[-1]) in str(error)  # noqa: PT017 - most are refused, not all

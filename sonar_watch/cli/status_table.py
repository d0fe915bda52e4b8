"""What `sonar-watch status` shows: first whether all is well, then what is known, in groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from sonar_watch.monitoring.words import ago, in_words, size_in_words

KNOT_M_S = 0.514444
_STEPS = ("waiting", "drawing", "detecting", "locating", "storing")

Rows = Iterator[tuple[str, str]]


def status_view(
    status: Mapping[str, Any], watch: Mapping[str, Any], wrong: Sequence[str]
) -> RenderableType:
    """Return the page: HEALTHY or what is wrong, then a table of each group.

    Parameters
    ----------
    status : mapping
        The status message without its `watch`.
    watch : mapping
        What the watch says of itself; what it does not say is left out.
    wrong : sequence of str
        See `complaints`.
    """
    head = [f"[bold red]WRONG[/] {escape(complaint)}" for complaint in wrong]
    if not wrong:
        head = ["[bold green]HEALTHY[/]"]
    first = _groups({"watch": _watch(watch)})
    rest = _groups(
        {
            "detector": _detector(watch),
            "alerts": _alerts(status, watch),
            "machine": _machine(watch),
        }
    )
    return Group(*head, "", first, "", *_sources(watch.get("each_source") or ()), rest)


def _groups(groups: Mapping[str, Rows]) -> Table:
    """Return one table of some groups."""
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 1))
    table.add_column(style="bold", no_wrap=True, width=8)
    table.add_column(no_wrap=True, style="cyan", width=13)
    table.add_column(overflow="fold")
    for group, rows in groups.items():
        for number, (what, text) in enumerate(rows):
            table.add_row("" if number else group, what, escape(text))
    return table


def _watch(watch: Mapping[str, Any]) -> Rows:
    frames = f"{watch.get('frames_per_min', 0.0):.1f} a minute, {watch.get('frames', 0)} in all"
    yield "running", f"for {in_words(watch.get('uptime_s', 0.0))}"
    yield "frames", f"{frames}, the last done {ago(watch.get('last_frame_age_s'))}"
    backlog = watch.get("backlog", 0)
    behind = f", the oldest {in_words(watch.get('backlog_age_s') or 0.0)} old" if backlog else ""
    yield "waiting", (
        f"{backlog:.0f}{behind}; {watch.get('waiting_for_navigation', 0)} of them for navigation"
    )
    yield from _lag(watch.get("lag") or {})
    if "ping_age_s" in watch:
        yield "last ping", ago(watch["ping_age_s"])
        speed = watch.get("speed_m_s")
        knots = "" if speed is None else f", speed {speed / KNOT_M_S:.1f} kn"
        yield "last position", f"{ago(watch.get('navigation_age_s'))}{knots}"


def _lag(lag: Mapping[str, Mapping[str, float]]) -> Rows:
    """Yield the whole way and its steps: medians, and what one in a hundred exceeds."""
    if "total" in lag:
        median, most = (in_seconds(lag["total"][share]) for share in ("p50", "p99"))
        data = lag.get("data")
        old = f"; data is {in_words(max(0.0, data['p50']))} old then" if data else ""
        yield "lag", f"{median} from arrival to journal, 1 in 100 above {most}{old}"
    steps = [f"{name} {in_seconds(lag[name]['p50'])}" for name in _STEPS if name in lag]
    if steps:
        yield "", ", ".join(steps)


def in_seconds(seconds: float) -> str:
    """Return a short time with two digits that matter.

    >>> in_seconds(0.0304), in_seconds(1.26), in_seconds(45.2), in_seconds(300.0)
    ('0.03 s', '1.3 s', '45 s', '5 min')
    """
    if seconds >= 10.0:
        return in_words(seconds)
    return f"{seconds:.1f} s" if seconds >= 1.0 else f"{seconds:.2f} s"


def _detector(watch: Mapping[str, Any]) -> Rows:
    weights, runtime = watch.get("weights", "nothing"), watch.get("runtime", "nothing")
    asked = f" (device: {watch['device']})" if "device" in watch else ""
    alone = weights == runtime == "classical"
    yield "runs", "the classical detector alone" if alone else f"{weights} on {runtime}{asked}"
    yield "found", f"{watch.get('detections', 0)} boxes, turned-down ones included"


def _alerts(status: Mapping[str, Any], watch: Mapping[str, Any]) -> Rows:
    yield "told", (
        f"{status.get('head_sequence', 0)} in the journal, "
        f"{watch.get('alerts', 0)} since the start; {watch.get('open_events', 0)} plumes open"
    )
    wire = status.get("wire") or {}
    told = [f"{number} {what.replace('_', ' ')}" for what, number in wire.items() if number]
    if told:
        yield "clients", ", ".join(told)
    if "journal_bytes" in watch:
        yield "journal", f"{size_in_words(watch['journal_bytes'])}, {_epoch(status)}"
    set_aside = watch.get("quarantined_in_all", sum((watch.get("quarantined") or {}).values()))
    yield "set aside", f"{set_aside} in all" if set_aside else "nothing"
    for item in watch.get("quarantined_lately") or ():
        named = item["reason"].startswith(item["file"])
        yield "", item["reason"] if named else f"{item['file']}: {item['reason']}"


def _epoch(status: Mapping[str, Any]) -> str:
    return f"epoch {str(status.get('epoch', ''))[:8]}"


def _machine(watch: Mapping[str, Any]) -> Rows:
    if "memory_bytes" in watch:
        limit = watch.get("file_handles_limit")
        yield "process", (
            f"{size_in_words(watch['memory_bytes'])} in memory, {watch.get('file_handles')} of "
            f"{limit} file handles, {watch.get('threads')} threads"
        )
    disks: dict[tuple[int, int], list[str]] = {}
    for disk in watch.get("disks") or ():
        disks.setdefault((disk["free_bytes"], disk["total_bytes"]), []).append(disk["folder"])
    for (free, total), folders in disks.items():
        share = f" ({free / total:.0%})" if total else ""
        yield "disk", f"{size_in_words(free)}{share} left for {', '.join(folders)}"
    if "clock_steps" in watch:
        yield "clock", ", ".join(_clock(watch))


def _clock(watch: Mapping[str, Any]) -> Iterator[str]:
    steps = watch["clock_steps"]
    yield f"{steps} jumps" if steps else "no jumps"
    offset_s = watch.get("clock_offset_s")
    if offset_s is not None:
        late = f"heard {offset_s:.1f} s after their time at least"
        yield f"pings {late if offset_s >= 0 else f'dated {-offset_s:.1f} s ahead of it'}"
    if watch.get("nmea_clock_offset_s") is not None:
        yield f"navigation's date {watch['nmea_clock_offset_s']:+.1f} s off it"


def _sources(sources: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    """Yield a table with a line for each source."""
    if not sources:
        return
    names = ("source", "kind", "files", "newest", "heard", "waiting", "trouble")
    table = Table(*names, box=None, pad_edge=False, padding=(0, 1))
    for source in sources:
        trouble = _trouble(source)
        table.add_row(
            escape(str(source["name"])),
            str(source.get("kind", "")),
            _number(source.get("files")),
            escape(str(source.get("newest") or "")),
            ago(source["newest_age_s"]) if "newest_age_s" in source else "",
            _number(source.get("backlog")),
            f"[red]{escape(trouble)}[/]" if source.get("failing") else escape(trouble),
        )
    yield table
    yield ""


def _trouble(source: Mapping[str, Any]) -> str:
    known = ("name", "kind", "files", "newest", "newest_age_s", "failing", "backlog", "scanning")
    counts = [
        f"{number} {key.replace('_', ' ')}"
        for key, number in source.items()
        if key not in known and number
    ]
    return "; ".join(filter(None, [source.get("failing", ""), ", ".join(counts)]))


def _number(value: Any) -> str:
    return "" if value is None else str(value)

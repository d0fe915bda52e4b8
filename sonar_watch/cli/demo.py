"""sonar-watch demo."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from sonar_watch.demo import DemoReport, HeardAlert
    from sonar_watch.trials import EventScore

WIDEST_DEGREES = len("139.91765")
SITE_LETTERS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR")
    parser.add_argument(
        "--pace", type=float, default=30.0, metavar="N", help="times real time (default 30)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the demo, print its table; exit 1 when a plume was missed."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from sonar_watch.demo import run_demo
    from sonar_watch.simulation.cruise import demo_survey

    console = Console()
    total = demo_survey().swath_count()
    columns = (TextColumn("{task.description:>16}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as bars:
        written = bars.add_task("swaths written", total=total)
        watched = bars.add_task("swaths watched", total=total)

        def tell(written_now: int, watched_now: int) -> None:
            bars.update(written, completed=written_now)
            bars.update(watched, completed=watched_now)

        report = run_demo(
            options.out,
            pace=options.pace,
            on_alert=lambda heard: bars.console.print(_sentence(heard)),
            on_progress=tell,
        )
    console.print(_table(report))
    console.print(_verdict(report, options.out))
    return int(bool(report.score.missed))


def _sentence(heard: HeardAlert) -> str:
    alert, event = heard.alert, heard.alert.event
    place = "position unknown"
    if event.latitude is not None and event.longitude is not None:
        place = f"{event.latitude:.5f}, {event.longitude:.5f}"
    return (
        f"{alert.sequence:>3} {alert.kind:<7} {alert.time_utc:%H:%M:%S}  {place}, "
        f"{event.foot_depth_m:.0f} m deep, {event.height_m:.0f} m high, "
        f"{event.swath_count}/{event.swaths_possible} swaths"
    )


def _table(report: DemoReport) -> Table:
    from rich.table import Column, Table

    table = Table(
        Column("plume", no_wrap=True),
        # Whole positions, also on the 80 columns of a plain terminal.
        *(Column(name, no_wrap=True, min_width=WIDEST_DEGREES) for name in ("true", "alerted")),
        "error\nm",
        "in\n95 %",
        "swaths",
        "delay\ns",
        Column("site", no_wrap=True, min_width=SITE_LETTERS),
        title="What was told, beside the truth",
    )
    for event in sorted(report.score.events, key=lambda event: event.plume or "~"):
        table.add_row(*_row(event))
    for name in report.score.missed:
        table.add_row(name, "", "[red]missed[/]")
    return table


def _row(event: EventScore) -> list[str]:
    def place(position: tuple[float, float] | None) -> str:
        return f"{position[0]:.5f}\n{position[1]:.5f}" if position else "-"

    latency = event.latency_s if event.latency_s is not None else math.nan
    inside = {True: "yes", False: "no", None: "-"}[event.inside_ellipse]
    return [
        event.plume or "[red]false[/]",
        place(event.true_position),
        place(event.position),
        "-" if event.error_m is None else f"{event.error_m:.1f}",
        inside,
        str(event.swaths),
        "-" if math.isnan(latency) else f"{latency:.2f}",
        event.site_id[:SITE_LETTERS],
    ]


def _verdict(report: DemoReport, out: Path) -> str:
    score = report.score
    plumes = len({event.plume for event in score.events if event.plume}) + len(score.missed)
    sites = len({event.site_id for event in score.events})
    return (
        f"{plumes - len(score.missed)} of {plumes} plumes found, missed: "
        f"{', '.join(score.missed) or 'none'}; {score.false_alerts} false; "
        f"{len(score.events)} events on {sites} sites; {report.frames} swaths in "
        f"{report.wall_s:.0f} s.\nSee {out}/track_map.png, {out}/events/*.png, "
        f"{out}/alerts.geojson, {out}/journal.sqlite"
    )

"""What `sonar-watch doctor` looks at.

machine  Python, packages, GPU, clock
inputs   folders, navigation logs and feeds
outputs  weights' files, the data folder and its journal
sockets  the endpoints and keys of the alerts, the port of the metrics
"""

from __future__ import annotations

from collections.abc import Iterator

from sonar_watch.examination.finding import Finding
from sonar_watch.examination.inputs import look_at_inputs
from sonar_watch.examination.machine import look_at_clock, look_at_gpu, look_at_machine
from sonar_watch.examination.outputs import look_at_data_folder, look_at_journal, look_at_weights
from sonar_watch.examination.sockets import look_at_metrics, look_at_sockets
from sonar_watch.settings import Settings

__all__ = ["Finding", "examine"]


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield the findings, in the order in which a start would meet them."""
    yield from look_at_machine()
    yield look_at_gpu(settings.detector.device)
    yield look_at_weights(settings)
    yield from look_at_inputs(settings.sources)
    yield look_at_data_folder(settings.data_dir)
    yield look_at_journal(settings.data_dir)
    yield from look_at_sockets(settings.alerts)
    yield from look_at_metrics(settings.health.prometheus)
    yield look_at_clock()

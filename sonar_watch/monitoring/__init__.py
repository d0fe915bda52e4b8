"""What a running watch says of itself: counters.py counts, windows.py looks back over minutes,
warnings.py tells when something begins and ends to be wrong, complaints.py says it in words,
prometheus.py and metrics_server.py tell it to a monitoring system, options.py holds the limits."""

from sonar_watch.monitoring.complaints import complaints
from sonar_watch.monitoring.counters import Monitor, reason_kind
from sonar_watch.monitoring.options import HealthOptions
from sonar_watch.monitoring.prometheus import prometheus_text
from sonar_watch.monitoring.warnings import Warnings

__all__ = [
    "HealthOptions",
    "Monitor",
    "Warnings",
    "complaints",
    "prometheus_text",
    "reason_kind",
]

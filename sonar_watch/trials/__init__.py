"""Trials of the whole watch on cruises whose truth is known.

`events` sets the alerts of one cruise beside its truth. `cruises` sails simulated cruises in
memory through the same watch as at sea, `nights` long ones without plumes, `injected` ones over
the pings of real files, `campaign` many of any kind side by side, and `summary` says what they
come to: recall, false alerts, errors.
`measured` keeps the false alerts of nights with the weights. `replayed` sets a replay beside its
cruise, `replayed_boxes` its single boxes. `picks` and `agreement` set people's picks beside each
other and beside a watch.
"""

from sonar_watch.trials.events import (
    MATCH_RADIUS_M,
    EventScore,
    TrialScore,
    last_states,
    read_alerts,
    read_lines,
    read_truth,
    score_events,
)

__all__ = [
    "MATCH_RADIUS_M", "EventScore", "TrialScore", "last_states", "read_alerts",
    "read_lines", "read_truth", "score_events",
]

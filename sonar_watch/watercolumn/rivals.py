"""Boxes that the network takes for something else as well: a school on the seabed is both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sonar_watch.detection.decoding import intersection_over_union
from sonar_watch.detection.detections import Detections

TAKEN_FOR_A_BODY = "taken for a body as well"
WEAKEST_RIVAL = 0.05
"""Less sure boxes of another class say nothing: they are everywhere."""
_SAME_PLACE = 0.5
"""Intersection over union from which two boxes are drawn round one thing."""


def rivalled(found: Detections, share: float) -> npt.NDArray[np.bool_]:
    """Return for each box whether one of another class on the same place is nearly as sure.

    Of 346 plumes rightly found in the frozen set 4 in 100 have a rival of 0.3 of their own
    confidence or more, of the plumes found where a school lies on the seabed nearly all, swath
    after swath: which of the two is surer changes from one to the next, and three swaths confirm.

    Parameters
    ----------
    found : Detections
        With boxes of all classes down to `WEAKEST_RIVAL`.
    share : float
        Of a box's own confidence that a rival needs.

    Returns
    -------
    ndarray, shape (n,), bool
    """
    boxes = found.xyxy.astype(np.float64)
    one_place = intersection_over_union(boxes, boxes) >= _SAME_PLACE
    other = found.class_id[:, None] != found.class_id[None]
    least = np.maximum(WEAKEST_RIVAL, share * found.confidence)
    sure = found.confidence[None] >= least[:, None]
    return np.asarray((one_place & other & sure).any(axis=1))

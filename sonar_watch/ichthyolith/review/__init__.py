"""What a person says of the objects on slides: a page to look at them, verdicts, what follows.

objects -> write_gallery -> index.html -> verdicts.json -> apply_verdicts -> objects
objects a person has seen -> write_reviewed_set, write_reviewed_crops -> what is trained on
"""

from sonar_watch.ichthyolith.review.gallery import GalleryOptions, uncertainty, write_gallery
from sonar_watch.ichthyolith.review.training_set import (
    ReviewedOptions,
    ReviewedSet,
    reviewed_pictures,
    write_reviewed_crops,
    write_reviewed_set,
)
from sonar_watch.ichthyolith.review.verdicts import (
    UNSURE,
    Applied,
    Review,
    Verdict,
    apply_verdicts,
    join_reviews,
    read_verdicts,
)

__all__ = [
    "UNSURE",
    "Applied",
    "GalleryOptions",
    "Review",
    "ReviewedOptions",
    "ReviewedSet",
    "Verdict",
    "apply_verdicts",
    "join_reviews",
    "read_verdicts",
    "reviewed_pictures",
    "uncertainty",
    "write_gallery",
    "write_reviewed_crops",
    "write_reviewed_set",
]

"""Learn from what a ship's own people confirmed and rejected, and prove that it did no harm.

    reviews.jsonl + journal -> which boxes are right -> frames drawn again -> training set
    (verdicts)                                          (redrawing)
        -> fine-tuning -> frozen set: no worse? -> the new weights take the place of the old
           (fine_tuning)
"""

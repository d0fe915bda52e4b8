"""Microscope slides: tiles in, counted and measured ichthyoliths out; nothing of sonar or ships.

    tree -> sweep (reading, detection, registration) -> joining -> looking (classes, lengths)
         -> census -> results (tables), figures (plots, sheets), reviewing (a page for people)

`records.py` holds what travels between the steps, `slides.py` runs them for one slide, `batch.py`
for a tree of them, `stored.py` remembers what need not be run again.
"""

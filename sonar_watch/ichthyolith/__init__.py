"""Microscope slides: tiles in, counted and measured ichthyoliths out. Knows nothing of sonar or ships.

    tree -> reading -> detection core -> registration -> merging -> classifier -> measuring -> census

`records.py` holds what travels between them.
"""

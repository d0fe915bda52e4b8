"""The chain from source items to committed alerts.

    hold.py      keeps a swath back until the ship's navigation at its instant is settled
    stages.py    what the chain is made of, and what each stage must be able to do
    ahead.py     pictures drawn and searched while swaths wait for navigation
    chain.py     the stages in order; the one place where a bad frame is caught
    finder.py    who looks for plumes: a network with a second opinion, or the classical detector
    locating.py  boxes in pixels -> detections on the seabed, with vetoes
    results.py   the lines of detections.jsonl
    evidence.py  the annotated picture of each event

Order and content of everything this package decides follow from the items alone: no clock.
"""

"""The last stage: changes of events become alerts that are stored first and then published.

The only door to zmq and sqlite3. `message` is the text of an alert, `journal` stores it,
`publisher` sends it, `subscriber` receives it exactly once; `wire` holds what both ends share.
A subscriber program needs `message`, `subscriber` and `curve` alone: see docs/wire.md.
"""

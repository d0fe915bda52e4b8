"""How a live watch is: hearing.py listens to what the sources give, folders.py looks at their
folders and disks, machine.py at the process and the clock, rules.py says what is wrong, and
`Health` puts it together."""

from sonar_watch.health.health import Health

__all__ = ["Health"]

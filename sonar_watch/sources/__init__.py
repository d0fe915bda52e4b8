"""Where data comes in: folders of pictures, raw sounder files, navigation feeds and logs.

    source.py     what a source and a ledger are
    folder.py     pictures            candidates.py: which are ready; pictures.py, calibration.py
    raw.py        raw sounder files   stream.py: line after line; reader.py, line.py: one line
    udp.py        navigation from a socket        logs.py           navigation from log files
                  sentences.py: what both share, broken sentences and clocks that are off
    merge.py      several sources in the order of data time
    replay.py     recorded files through the same doors, at recorded pace or faster
    unreadable.py       files that cannot be read for now
    watch.py, scan.py   hints of the file system; the truth, by looking again

A source never blocks: `poll` gives what is there now. Threads and sockets live here and
nowhere before the alerts.
"""

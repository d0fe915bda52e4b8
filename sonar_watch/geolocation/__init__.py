"""From a box in a picture to a place on the seabed.

series.py        one sensor's values, sorted in time
channels.py      which values a sample speaks to
navigation.py    NavigationTrack: all sensors -> NavigationFix at an instant
geodesy.py       metres <-> degrees on the WGS84 ellipsoid
budget.py        where the uncertainty of a position comes from
georeference.py  box + geometry + fix -> GeolocatedDetection
"""

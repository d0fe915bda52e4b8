"""Events and tracks in the forms that other programs and people read.

    geojson   a FeatureCollection, written whole or not at all
    trackmap  a picture: the ship's track, what it covered, and the plumes with their errors
"""

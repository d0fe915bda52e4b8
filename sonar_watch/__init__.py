"""sonar_watch: plumes in multibeam water-column data, one geolocated alert each.

The flow, one type on each arrow (see `sonar_watch.records`):

    sources/      files and sockets      -> WaterColumnPing or WaterColumnFrame
    watercolumn/  ping -> picture        -> WaterColumnFrame
    detection/    picture -> boxes       -> Detections
    geolocation/  box -> seabed          -> GeolocatedDetection
    association/  swaths -> one plume    -> PlumeEvent
    alerts/       journal -> ZeroMQ      -> Alert
"""

__version__ = "0.1.0"

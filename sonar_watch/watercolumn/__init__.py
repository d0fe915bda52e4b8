"""From ping to picture: ray tracing, the fan raster, vetoes and pictures for people.

geometry  launch angle and travel time <-> across-track and depth
fan       a ping's beams in order, its seabed and the extents of its picture
contrast  echo levels -> grey values
raster    WaterColumnPing -> WaterColumnFrame
vetoes    boxes that cannot be plumes, and why
render    a frame with axes and boxes, for people
opencv    the one import of OpenCV, when it is needed
"""

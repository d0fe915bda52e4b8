"""From ping to picture: ray tracing, the fan raster, vetoes and pictures for people.

geometry  launch angle and travel time <-> across-track and depth
fan       a ping's beams in order, its seabed and the extents of its picture
contrast  echo levels -> grey values
raster    WaterColumnPing -> WaterColumnFrame
cells     a picture made coarse, by angle and range
standing  what stands out of its range row
classical plumes found without a network
vetoes    boxes that cannot be plumes, and why
stripes   ... because they are pieces of a stripe, a spoke, an arc or a step
render    a frame with axes and boxes, for people
opencv    the one import of OpenCV, when it is needed
"""

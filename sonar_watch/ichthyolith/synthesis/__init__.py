"""Microscope slides that were never made: particles, glass, light, and labels that are exact.

    outlines -> board (height and stain of one particle) -> optics (what light is left)
    glass -> composite (particles laid on glass) -> dataset, crops

A particle is a map of how much light it lets through. Laying it on a slide is a multiplication,
as it is under a real microscope: what lies over what does not matter, shadows add up.
"""

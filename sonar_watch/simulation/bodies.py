"""Bodies in the water, drawn into a swath: the same over simulated water and over real pings.

    layers, hard things with their shadows, single fish, schools, dolphins, plumes

Where bodies overlap their powers add; a body is judged against what was drawn before it.
"""

from __future__ import annotations

from sonar_watch.simulation.fish_echo import draw_dolphins, draw_fish, draw_school
from sonar_watch.simulation.layer_echo import draw_layer
from sonar_watch.simulation.plume_echo import draw_plume
from sonar_watch.simulation.structure_echo import draw_wall, draw_wreck
from sonar_watch.simulation.swath import Swath

__all__ = [
    "draw_bodies",
    "draw_dolphins",
    "draw_fish",
    "draw_layer",
    "draw_plume",
    "draw_school",
    "draw_wall",
    "draw_wreck",
]


def draw_bodies(swath: Swath) -> None:
    """Draw everything of the swath's scene that has a place in the world."""
    scene = swath.scene
    for layer in scene.layers:
        draw_layer(swath, layer)
    for wreck in scene.wrecks:
        draw_wreck(swath, wreck)
    for wall in scene.walls:
        draw_wall(swath, wall)
    draw_fish(swath, scene.noise.fish_count, scene.noise.static_seed)
    for school in scene.schools:
        draw_school(swath, school)
    for group in scene.dolphins:
        draw_dolphins(swath, group)
    for plume in scene.plumes:
        draw_plume(swath, plume)

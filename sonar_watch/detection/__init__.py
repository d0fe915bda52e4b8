"""The shared detection core: images in, boxes in pixels out. Knows nothing of sonar or ships."""

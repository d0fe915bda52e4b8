"""Teaching and judging detectors: annotations, training, export and scores."""

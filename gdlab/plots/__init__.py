"""Pictures: arrays in, a PNG or a matplotlib figure out. Nothing here knows of runs or losses."""

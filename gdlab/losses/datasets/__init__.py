"""Data sets: named ones, files of a person's own, synthetic ones and those of torch."""

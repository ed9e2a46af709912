"""A compiler from torch to C: the step of one run as straight-line arithmetic over many rows."""

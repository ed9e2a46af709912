"""A compiler for one row: the step of a run as straight-line arithmetic, in C over many rows."""

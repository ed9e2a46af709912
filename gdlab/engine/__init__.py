"""The engine: it advances a batch of runs and tells how each run ended."""

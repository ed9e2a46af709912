"""The loop that advances a batch of runs, and what became of each run."""

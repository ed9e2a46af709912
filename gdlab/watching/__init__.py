"""Watches a training loop that someone else runs: `gdlab.watch`."""

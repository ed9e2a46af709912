"""Losses over data: regressions, classifications and networks."""

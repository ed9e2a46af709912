"""Findings about derivatives: one concept per file, each computed by independent methods."""

"""Findings about derivatives: one idea a file, each computed in independent ways."""

"""Recorded runs read back: tables, histories, the best runs of a sweep."""

"""Test functions with published minimizers, by family."""

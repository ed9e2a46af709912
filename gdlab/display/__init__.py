"""A run shown on a terminal and in a notebook."""

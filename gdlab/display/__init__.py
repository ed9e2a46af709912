"""A run in words: on a terminal and in a notebook."""

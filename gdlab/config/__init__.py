"""From YAML, Python and the command line's words to typed settings."""

"""Settings: their classes, and how YAML, Python and the command line turn into them."""

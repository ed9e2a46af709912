"""Pictures: arrays in, a PNG or a matplotlib figure out. Independent of the rest of gdlab."""

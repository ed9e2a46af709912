"""Who runs the shards of a sweep: one file per executor."""

"""Executors run the shards of a sweep: one file per executor, one line each in `table`."""

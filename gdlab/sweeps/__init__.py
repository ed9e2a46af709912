"""`gdlab.sweep`: many runs as few tensor programs, resumable shard by shard."""

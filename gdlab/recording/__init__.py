"""The files a run leaves behind, one sink per file."""

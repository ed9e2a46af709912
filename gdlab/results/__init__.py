"""What runs left, read back: tables, histories, the best of a sweep."""

"""Moving pictures of recorded runs."""

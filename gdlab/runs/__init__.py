"""`gdlab.run`: one experiment, checked and carried out."""

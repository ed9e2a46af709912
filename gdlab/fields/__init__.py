"""Settings as typed fields: their types, ranges and names, and instances from plain values."""

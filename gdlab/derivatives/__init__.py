"""The calculus behind every step: derivatives computed in independent ways, and shown."""

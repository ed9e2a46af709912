"""Formulas as text: read by a whitelist parser, computed by torch, and known to sympy."""

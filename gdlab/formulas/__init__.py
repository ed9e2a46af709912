"""Formulas as text: parsed with a whitelist, evaluated with torch, and converted to sympy."""

"""Independent ways to compute derivatives: finite differences, symbols, residuals."""

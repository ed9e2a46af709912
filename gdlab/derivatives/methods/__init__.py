"""The independent ways to a derivative: differences, symbols, residuals."""

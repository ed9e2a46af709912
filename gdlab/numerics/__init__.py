"""Derivatives, eigenvalues, random numbers and threads: tensors in, tensors out."""

"""Steps as kernels of a GPU: a row is a thread."""

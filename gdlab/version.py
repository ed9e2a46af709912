"""The version of gdlab."""

__version__ = "0.1.0"

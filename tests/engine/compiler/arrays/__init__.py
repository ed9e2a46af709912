"""Tests of gdlab.engine.compiler.arrays."""

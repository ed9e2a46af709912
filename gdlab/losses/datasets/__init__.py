"""Data sets: bundled ones, CSV and Parquet files, generated ones and torch datasets."""

"""The names of the files that a run and a sweep leave, and that are read back."""

HISTORY = "history.parquet"
RESULT = "result.json"
SNAPSHOTS = "snapshots.parquet"
CHECKPOINT = "checkpoint.pt"
CONFIG = "*/config.yaml"
OVERRIDES = "*/overrides.yaml"
"""A run's composed configuration, in the folder that Hydra makes for it."""

HYDRA = "hydra.yaml"
"""The file beside it with the choices that were made."""

CONFIGURATION = tuple(sorted(pattern.rpartition("/")[2] for pattern in (CONFIG, OVERRIDES, HYDRA)))
"""The names of these files."""

RESULTS = "results.parquet"
RESULTS_CSV = "results.csv"
ABOUT = "sweep.json"
MULTIRUN = "multirun.yaml"
SUMMARY_CSV, SUMMARY_MD = "summary.csv", "summary.md"
SHARDS = "shards"

"""Programs of loops over arrays: the step of one run on a loss that is a mean over examples."""

"""A faster start of the process: garbage collection is off during imports.

Importing torch and composing the configuration create a million objects that stay. Each collection
on the way would scan all of them, a third of a second in total.
"""

import gc


def pause_garbage_collection() -> None:
    """Turn garbage collection off until `resume_garbage_collection`."""
    gc.disable()


def resume_garbage_collection() -> None:
    """Turn garbage collection on again, except for the objects that exist by now."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()

"""A faster start of the process: no garbage is looked for while modules are imported.

Importing torch and composing the configuration make a million objects that stay; each collection
on the way goes through all of them, a third of a second in sum.
"""

import gc


def pause_garbage_collection() -> None:
    """Look for no garbage until `resume_garbage_collection`."""
    gc.disable()


def resume_garbage_collection() -> None:
    """Look for garbage again, but never among what there is by now."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()

"""A faster start of the process: no garbage is looked for while modules are imported.

Importing torch and composing the configuration make a million objects that stay; each collection
on the way goes through all of them, a third of a second in sum.
"""

import gc


def begin() -> None:
    """Look for no garbage until `done`."""
    gc.disable()


def done() -> None:
    """Look for garbage again, but never among what there is by now."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()

"""The errors that gdlab raises for what a person can mend.

    GdlabError
    ├── SettingError   a setting that cannot be used (also a ValueError)
    └── RecordError    a recorded file that is missing or damaged

Each has a message of one line. The command line prints it and exits with code 2.
"""


class GdlabError(Exception):
    """Something that a person can mend; its message is one line."""

    __module__ = "gdlab"


class SettingError(GdlabError, ValueError):
    """A setting is unknown, of the wrong type, out of range or impossible here.

    Its message names the setting, what was given and what is allowed.
    """

    __module__ = "gdlab"


class RecordError(GdlabError):
    """A file or directory that a run or a sweep left is missing or damaged.

    Its message names the file and says what is wrong with it.
    """

    __module__ = "gdlab"

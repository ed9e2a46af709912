"""The one error that a person can cause: a setting that cannot be used."""


class SettingError(ValueError):
    """A setting is unknown, of the wrong type, out of range or impossible here.

    Its message is one line that names the setting, what was given and what is allowed.
    """

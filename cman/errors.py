"""The two errors that end a command with one sentence instead of a traceback.

A message says where (file, line, field), what was found and what was wanted, so that the reader can act on it.
"""


class CmanError(Exception):
    """Something the user gave or a file holds is wrong; the command ends with exit status 1."""


class UsageError(CmanError):
    """The request itself makes no sense (unknown key, experiment or corpus); exit status 2."""

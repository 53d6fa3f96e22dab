"""The errors a user can cause, and the exit code each ends a command with."""


class UserError(ValueError):
    """Something given to tfminilm cannot be used.

    The message is one line: what was given, what is expected, how to fix it.
    Commands print it on stderr and exit with code 1.
    """

    exit_code = 1


class UsageError(UserError):
    """A command line or a recipe is malformed. Commands exit with code 2."""

    exit_code = 2

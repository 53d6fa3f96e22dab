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


class Interrupted(UserError):
    """A signal stopped the work, and the same command goes on with it.

    Commands exit with code 75, the `EX_TEMPFAIL` of sysexits.h, so that a
    scheduler can tell this from a failure.
    """

    exit_code = 75


class NotFiniteError(UserError):
    """The loss of a run is no longer a finite number."""


def in_one_line(error: Exception) -> str:
    """Return another library's message as a part of a `UserError`'s one line.

    It has 300 characters at most.
    """
    return " ".join(str(error).split())[:300]

"""What commands print."""

import pytest


@pytest.fixture
def error(capsys):
    """The line of a command that failed, whatever else stands around it."""

    def line():
        (found,) = (
            line
            for line in capsys.readouterr().err.splitlines()
            if line.startswith("tfminilm: ")
        )
        return found

    return line

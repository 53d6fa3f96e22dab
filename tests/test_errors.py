"""What a user is told of another library's error."""

from tfminilm.errors import in_one_line


def test_a_long_message_of_several_lines_is_told_in_one():
    assert (
        in_one_line(ValueError("no file\n  at all\t.\n")) == "no file at all ."
    )
    assert in_one_line(OSError("x" * 999)) == "x" * 300

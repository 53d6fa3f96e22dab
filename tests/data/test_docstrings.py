import inspect

from tfminilm.data.docstrings import paragraphs


def cleaned(text):
    return list(paragraphs(inspect.cleandoc(text)))


def test_keeps_running_text_and_takes_markup_away():
    assert cleaned(
        """
        Returns the ``sum`` of *all* values, see :func:`~os.path.join`,
        `the site <https://x.org>`_, :class:`Foo` and [docs](http://y) [1]_.

        **Second** paragraph of `text`, with my_own_name and
        2 * 3 * 4 left alone.
        """
    ) == [
        "Returns the sum of all values, see join, the site, Foo and docs.",
        "Second paragraph of text, with my_own_name and 2 * 3 * 4 left alone.",
    ]


def test_drops_code_tables_headings_and_directives():
    assert cleaned(
        """
        Title
        =====

        Before the code::

            code = block

            still = code

        After the code.

        >>> doctest()
        Its output.

        ```python
        Fenced code.

        More of it.
        ```

        .. code-block:: python

            Not this.

        .. note::
            But this note.

        .. note:: And this one.

        ===== =====
        Table cells
        ===== =====

        .. _target: https://x.org

        | Another | table |

        Last words.
        """
    ) == [
        "Before the code::",
        "After the code.",
        "But this note.",
        "And this one.",
        "Last words.",
    ]


def test_drops_argument_lists_of_both_styles():
    assert cleaned(
        """
        Summary.

        Args:
          x: The first one.

            More on the first one.
          y: The second one.

        Returns:
          The sum.

        Text between.

        Parameters
        ----------
        z : int
            The third one.

        Unindented but still in the section.

        Notes
        -----
        Kept again.

        :param x: Not this.
        """
    ) == ["Summary.", "Text between.", "Kept again."]


def test_items_of_a_list_are_paragraphs():
    assert cleaned(
        """
        - The first item
          goes on.
        - The second.

        1. One.
        2. Two.
        """
    ) == ["The first item goes on.", "The second.", "One.", "Two."]

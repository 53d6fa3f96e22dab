import itertools

import pytest

from tfminilm.data import corpus, python_docs


@pytest.fixture
def python(tmp_path, monkeypatch):
    """A small Python installation; returns (standard library, packages)."""
    library, packages = tmp_path / "lib", tmp_path / "lib" / "site-packages"
    packages.mkdir(parents=True)
    monkeypatch.setattr(python_docs, "_roots", lambda: [library, packages])
    return library, packages


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_documents_are_topics_then_files_in_order(python):
    library, packages = python
    write(
        library / "pydoc_data" / "topics.py",
        "topics = {'with': 'With\\n****\\n\\nThe statement is used so.\\n',\n"
        "'if': 'The topic of if is known.\\n'}\n",
    )
    write(library / "zoo.py", '"""The zoo is in the library."""\n')
    write(library / "abc.py", 'def f():\n  """The f is of abc."""\n')
    write(packages / "b.py", '"""The package b comes last."""\n')
    write(packages / "a" / "x.py", '"""The package a comes before."""\n')
    for name in "gfedc":
        write(packages / name / "x.py", f'"""The package is {name} here."""')
    write(packages / "tests" / "x.py", '"""The tests are not for us."""\n')
    write(packages / "test_x.py", '"""The tests are not for us."""\n')
    assert list(python_docs.documents()) == [
        ["The topic of if is known."],
        ["The statement is used so."],
        ["The f is of abc."],
        ["The zoo is in the library."],
        ["The package b comes last."],
        ["The package a comes before."],
        *[[f"The package is {name} here."] for name in "cdefg"],
    ]


def test_only_docstrings_are_read_and_nothing_is_run(python):
    library, _ = python
    write(
        library / "m.py",
        '# A comment with a """ in it.\n'
        'raise SystemExit("never imported")\n'
        "A = '''The assigned string is no docstring.'''\n"
        'b = \'"""\'\n'
        "class C:\n"
        '    r"""The class has a raw docstring with "quotes" in it.\n\n'
        "    The second paragraph\n    is of two lines.\n"
        '    """\n'
        "    x = 1\n"
        "    '''The attribute is described so.'''\n"
        'f("""The argument is no docstring.""")\n'
        'f"""The f-string is no {docstring}."""\n'
        'b"""The bytes are no docstring."""\n',
    )
    write(library / "l.py", '# A comment: """\n"""The l has a docstring."""')
    write(library / "broken.py", 'x = """The string is never closed.')
    (library / "latin.py").write_bytes(b'"""The \xe9."""')
    assert list(python_docs.documents()) == [
        ["The l has a docstring."],
        [
            'The class has a raw docstring with "quotes" in it.',
            "The second paragraph is of two lines.",
            "The attribute is described so.",
        ],
    ]


def test_only_english_sentences_once_each_paragraph(python):
    library, _ = python
    write(
        library / "a.py",
        '"""The licence is the same everywhere.\n\n'
        "The result of x = y is not prose. But the rest of it is kept.\n\n"
        "Das hier versteht niemand sonst. Zu kurz.\n\n"
        'See https://x.org for the rest of it.\n"""\n',
    )
    write(
        library / "b.py",
        '"""The licence is the same everywhere.\n\nIt is b."""',
    )
    assert list(python_docs.documents()) == [
        [
            "The licence is the same everywhere.",
            "But the rest of it is kept.",
        ],
    ]


def test_identity_changes_with_the_files(python):
    library, _ = python
    write(library / "a.py", '"""The text is here."""')
    first = corpus.identity("docs")
    assert corpus.identity("docs") == first
    write(library / "a.py", '"""The text is here too."""')
    second = corpus.identity("docs")
    assert second != first
    write(library / "b.py", "")
    assert corpus.identity("docs") != second


def test_this_machine_has_documentation():
    first = list(itertools.islice(corpus.documents("docs"), 40))
    assert first == list(itertools.islice(corpus.documents("docs"), 40))
    sentences = [sentence for document in first for sentence in document]
    assert len(sentences) > 100
    assert any("statement" in sentence for sentence in sentences)
    assert all(sentence[-1] in ".!?\"')" for sentence in sentences)

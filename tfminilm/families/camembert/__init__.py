"""CamemBERT: XLM-R's layers, French pieces, and ids of its own."""

import pathlib
from typing import TYPE_CHECKING

from tfminilm.families.family import Relative, Tokens

if TYPE_CHECKING:
    from tfminilm.typing import Tokenizer


def _tokenizer() -> type:
    from tfminilm.families.camembert.tokenizer import CamembertTokenizer

    return CamembertTokenizer


def _read(folder: pathlib.Path) -> "Tokenizer":
    from tfminilm.families.camembert import tokenizer

    return tokenizer.read(folder)


RELATIVE = Relative(
    "camembert",
    "Camembert",
    Tokens(
        "CamembertTokenizer",
        32_005,
        separators=2,
        own_class=_tokenizer,
        read=_read,
    ),
)

"""ELECTRA: BERT's shape, pre-trained to tell replaced tokens."""

import dataclasses

from tfminilm.families import post_norm
from tfminilm.families.bert import WORD_PIECES
from tfminilm.families.family import Family, HuggingFace

FAMILY = Family(
    name="electra",
    title="ELECTRA",
    backbone="ElectraBackbone",
    tokens=dataclasses.replace(WORD_PIECES, tokenizer="ElectraTokenizer"),
    hugging_face=HuggingFace("electra", "Electra"),
    exposure=post_norm.exposure,
)

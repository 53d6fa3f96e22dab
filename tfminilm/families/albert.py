"""ALBERT: layers that share their weights, and a narrow token table."""

from tfminilm.families import post_norm
from tfminilm.families.family import Family, HuggingFace, Tokens

FAMILY = Family(
    name="albert",
    backbone="AlbertBackbone",
    tokens=Tokens("AlbertTokenizer", 30_000),
    hugging_face=HuggingFace("albert", "Albert"),
    exposure=post_norm.exposure,
)

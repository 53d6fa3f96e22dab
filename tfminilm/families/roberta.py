"""RoBERTa: BERT without segments, its tokens byte-level pieces."""

from tfminilm.families import post_norm
from tfminilm.families.family import Family, HuggingFace, Tokens

FAMILY = Family(
    name="roberta",
    backbone="RobertaBackbone",
    # It was trained with two end tokens between the texts.
    tokens=Tokens("RobertaTokenizer", 50_265, separators=2),
    hugging_face=HuggingFace("roberta", "Roberta"),
    exposure=post_norm.exposure,
    mobile_graph="post_norm",
)

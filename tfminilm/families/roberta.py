"""RoBERTa: BERT without segments, its tokens byte-level pieces."""

from tfminilm.families import post_norm
from tfminilm.families.family import Family, HuggingFace, Tokens
from tfminilm.families.hugging_face import names

NAMES = names.Names(
    prefix="roberta.",
    sizes=names.SIZES,
    defaults=names.DEFAULTS | {"pad_token_id": 1},
    has_pads_position=True,
    layer=names.LAYER,
    masked_lm=("lm_head.dense", "lm_head.layer_norm", "lm_head"),
    decoder="lm_head.decoder",
    is_masked_lm=r"lm_head\.",
    # KerasHub's has no pooler.
    is_other=rf"{names.OTHER}|(roberta\.)?pooler\.dense\.",
)
CLASSIFIER = {
    "pooled_dense": "classifier.dense",
    "logits": "classifier.out_proj",
}
FAMILY = Family(
    name="roberta",
    title="RoBERTa",
    backbone="RobertaBackbone",
    # It was trained with two end tokens between the texts.
    tokens=Tokens("RobertaTokenizer", 50_265, separators=2),
    hugging_face=HuggingFace(
        "roberta",
        "Roberta",
        names=NAMES,
        reader=post_norm.reader,
        classifier=CLASSIFIER,
    ),
    exposure=post_norm.exposure,
    computes_with=("gelu", 1e-5),
    masked_lm_activation="gelu",
    mobile_graph="post_norm",
)

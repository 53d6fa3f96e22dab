"""ELECTRA: BERT's shape, pre-trained to tell replaced tokens."""

import dataclasses

from tfminilm.families import post_norm
from tfminilm.families.bert import WORD_PIECES
from tfminilm.families.family import Family, HuggingFace
from tfminilm.families.hugging_face import names

SIZES = {key: x for key, x in names.SIZES.items() if key != "vocabulary_size"}
NAMES = names.Names(
    prefix="electra.",
    sizes=SIZES
    | {"vocab_size": "vocab_size", "embedding_dim": "embedding_size"},
    defaults=names.DEFAULTS | {"embedding_size": 128},
    layer=names.LAYER,
    projection="embeddings_project",
    # The generator's head, which KerasHub has no model for.
    masked_lm=(
        "generator_predictions.dense",
        "generator_predictions.LayerNorm",
        "generator_lm_head",
    ),
    decoder="generator_lm_head",
    is_masked_lm=r"generator_(predictions|lm_head)\.",
    is_other=rf"discriminator_predictions\.|{names.OTHER}",
)
CLASSIFIER = {
    "pooled_dense": "classifier.dense",
    "logits": "classifier.out_proj",
}
FAMILY = Family(
    name="electra",
    title="ELECTRA",
    backbone="ElectraBackbone",
    tokens=dataclasses.replace(WORD_PIECES, tokenizer="ElectraTokenizer"),
    hugging_face=HuggingFace(
        "electra",
        "Electra",
        names=NAMES,
        reader=post_norm.reader,
        classifier=CLASSIFIER,
        classifier_activation="gelu",
    ),
    exposure=post_norm.exposure,
    computes_with=("gelu_approximate", 1e-12),
)

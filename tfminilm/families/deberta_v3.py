"""DeBERTa-v3: distances between tokens instead of places, in each layer."""

from tfminilm.families import post_norm
from tfminilm.families.family import Exposure, Family, Tokens


def _exposure() -> Exposure:
    from tfminilm.layers.disentangled import (
        DisentangledParts,
        ExposedDisentangled,
    )
    from tfminilm.private.encoders import disentangled_encoder

    return Exposure(
        disentangled_encoder(), ExposedDisentangled, DisentangledParts
    )


FAMILY = Family(
    name="deberta_v3",
    title="DeBERTa-v3",
    backbone="DebertaV3Backbone",
    tokens=Tokens("DebertaV3Tokenizer", 128_100),
    exposure=_exposure,
    computes_with=("gelu", 1e-7),
    masked_lm_activation="",
)

"""Losses: pure functions of tensors, each with its paper's equation.

A `sample_weight` counts in them as in Keras' losses: the result is the sum of
the weighted values divided by how many there are, not by the weights' sum.
"""

from tfminilm.losses.hidden import (
    attention_scores_mse,
    cosine_distance,
    hidden_mse,
    patient,
)
from tfminilm.losses.minilm import attention_transfer, value_relation
from tfminilm.losses.minilmv2 import relation
from tfminilm.losses.pretraining import masked_lm, next_sentence
from tfminilm.losses.ranking import contrastive, margin_mse
from tfminilm.losses.several_labels import (
    hard_several_labels,
    soft_several_labels,
)
from tfminilm.losses.soft_targets import hard_labels, logits_mse, soft_targets

__all__ = [
    "attention_scores_mse",
    "attention_transfer",
    "contrastive",
    "cosine_distance",
    "hard_labels",
    "hard_several_labels",
    "hidden_mse",
    "logits_mse",
    "margin_mse",
    "masked_lm",
    "next_sentence",
    "patient",
    "relation",
    "soft_several_labels",
    "soft_targets",
    "value_relation",
]

"""Keep the name by which saved models find `families.bilstm.model`."""

from tfminilm.families.bilstm.model import (
    BiLSTMBackbone,
    BiLSTMClassifier,
    PairSplitter,
)

__all__ = ["BiLSTMBackbone", "BiLSTMClassifier", "PairSplitter"]

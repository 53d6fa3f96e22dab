"""Distillation methods, one paper per file."""

from tfminilm.methods.bilstm import BiLSTMSoft
from tfminilm.methods.distilbert import DistilBERT
from tfminilm.methods.minilm import MiniLM
from tfminilm.methods.minilmv2 import MiniLMv2
from tfminilm.methods.mlm_kd import MLMKD
from tfminilm.methods.mobilebert import MobileBERT
from tfminilm.methods.patient_kd import PatientKD
from tfminilm.methods.ranking import Ranking
from tfminilm.methods.sentence import SentenceEmbedding
from tfminilm.methods.soft_targets import SoftTargets
from tfminilm.methods.terms import Method, Term
from tfminilm.methods.tinybert import TinyBERT
from tfminilm.students.layer_map import layer_map

__all__ = [
    "MLMKD",
    "BiLSTMSoft",
    "DistilBERT",
    "Method",
    "MiniLM",
    "MiniLMv2",
    "MobileBERT",
    "PatientKD",
    "Ranking",
    "SentenceEmbedding",
    "SoftTargets",
    "Term",
    "TinyBERT",
    "layer_map",
]

"""Students: how they are built, and how they start."""

from tfminilm.families.bert import bert
from tfminilm.families.bilstm.build import bilstm
from tfminilm.families.deberta_v3 import deberta_v3
from tfminilm.families.distilbert import distilbert
from tfminilm.families.electra import electra
from tfminilm.families.mobilebert.build import (
    ib_bert,
    mobilebert,
    mobilebert_tiny,
    mobilebert_without_opt,
)
from tfminilm.families.modernbert.build import modernbert
from tfminilm.families.mpnet import mpnet
from tfminilm.families.roberta import roberta
from tfminilm.families.xlm_roberta import xlm_roberta
from tfminilm.students.init import init_from_teacher

__all__ = [
    "bert",
    "bilstm",
    "deberta_v3",
    "distilbert",
    "electra",
    "ib_bert",
    "init_from_teacher",
    "mobilebert",
    "mobilebert_tiny",
    "mobilebert_without_opt",
    "modernbert",
    "mpnet",
    "roberta",
    "xlm_roberta",
]

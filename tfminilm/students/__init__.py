"""Students: how they are built, and how they start."""

from tfminilm.students.bert import bert
from tfminilm.students.bilstm import bilstm
from tfminilm.students.distilbert import distilbert
from tfminilm.students.init import init_from_teacher
from tfminilm.students.mobilebert import (
    ib_bert,
    mobilebert,
    mobilebert_tiny,
    mobilebert_without_opt,
)
from tfminilm.students.xlm_roberta import xlm_roberta

__all__ = [
    "bert",
    "bilstm",
    "distilbert",
    "ib_bert",
    "init_from_teacher",
    "mobilebert",
    "mobilebert_tiny",
    "mobilebert_without_opt",
    "xlm_roberta",
]

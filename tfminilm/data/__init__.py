"""Turn text into batches. TensorFlow is imported only where it is used."""

from tfminilm.data.batches import batch, dataset, held_out_batches
from tfminilm.data.corpus import documents
from tfminilm.data.masking import (
    Masking,
    masked_batch,
    masked_dataset,
    masked_held_out_batches,
)
from tfminilm.data.next_sentence import SentencePairs
from tfminilm.data.packing import PackedText
from tfminilm.data.text import TextData, text_data

__all__ = [
    "Masking",
    "PackedText",
    "SentencePairs",
    "TextData",
    "batch",
    "dataset",
    "documents",
    "held_out_batches",
    "masked_batch",
    "masked_dataset",
    "masked_held_out_batches",
    "text_data",
]

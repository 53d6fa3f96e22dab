"""Wrote the bundle beside it: int8, a scale for each row of the token table.

TensorFlow Lite 2.16.1 opens such a file and answers the same to every text:
its EMBEDDING_LOOKUP reads one scale a table. `tfminilm export` wrote such
tables until this was known, at commit 0dd67a0 the last time, where this ran.
The tests open the bundle on the library in the APK, which must refuse it.
"""

import pathlib
import string

import keras
import keras_hub
import numpy as np

from tfminilm import files
from tfminilm.export.bundle.writer import export_bundle
from tfminilm.export.target import Target
from tfminilm.tasks.heads import FirstTokenClassifier
from tfminilm.tasks.settings import Settings

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = ("a", "bad", "film", "good", "is", "not", "the", "this", "very")


def main() -> None:
    """Write model, vocabulary and manifest."""
    keras.utils.set_random_seed(0)
    letters = [x for c in string.ascii_lowercase for x in (c, f"##{c}")]
    vocabulary = list(dict.fromkeys([*_SPECIAL, *_WORDS, *letters, "."]))
    tokenizer = keras_hub.models.BertTokenizer(
        vocabulary=vocabulary, lowercase=True
    )
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(vocabulary),
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=16,
    )
    model = FirstTokenClassifier(backbone, 2)
    source = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name not in ("gamma", "beta", "bias"):
            variable.assign(source.normal(scale=0.4, size=variable.shape))
    target = Target(
        name="per_row_scales",
        precision="dynamic_wi8_afp32",
        lengths=(16,),
        max_difference=10.0,
        min_cosine=0.0,
        min_agreement=0.0,
    )
    folder = pathlib.Path(__file__).parent / "bundle"
    said = export_bundle(
        *(model, tokenizer, target, folder),
        texts=[("this film is good.",), ("a very bad film",), ("not",)],
        settings=Settings("made_up", "classification", ("bad", "good"), 16),
        description="Random weights, for tests.",
    )
    # What format version 2 has besides since that commit.
    said["tokenizer"]["rules"] = "keras_hub"
    files.write_json(folder / "manifest.json", said)


if __name__ == "__main__":
    main()

"""What an installed wheel must do, from any folder; run by .ci/run."""

import pathlib
import tempfile

import keras
import keras_hub
import numpy as np

import tfminilm
from tfminilm.export.bundle.writer import export_bundle
from tfminilm.export.litert import runner
from tfminilm.export.target import Target


def main() -> None:
    """Distils a tiny student for two steps and exports it."""
    assert "site-packages" in tfminilm.__file__, tfminilm.__file__
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"]
    tokenizer = keras_hub.models.BertTokenizer(vocabulary=words, lowercase=True)
    shape = {"vocabulary_size": len(words), "max_sequence_length": 16}
    teacher = tfminilm.students.bert(2, 16, 4, **shape)
    student = tfminilm.students.bert(1, 8, 4, **shape)
    distiller = tfminilm.Distiller(teacher, student, tfminilm.methods.MiniLM())
    distiller.compile(keras.optimizers.AdamW(1e-3))
    ids = np.random.default_rng(0).integers(5, 8, (4, 8)).astype("int32")
    batch = {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": np.ones_like(ids),
    }
    history = distiller.fit(batch, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0], history
    with tempfile.TemporaryDirectory() as folder:
        bundle = pathlib.Path(folder, "bundle")
        target = Target(name="smoke", precision="float32", lengths=(8,))
        export_bundle(student, tokenizer, target, bundle, ["a b c", "b"])
        run = runner.LiteRTEncoder(bundle / "model.tflite")
        print(sorted(run(ids[0])))
    print("the wheel works")


if __name__ == "__main__":
    main()

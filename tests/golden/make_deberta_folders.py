"""Writes `deberta_folders.npz`: what `transformers` makes of our folders.

    python tests/golden/make_deberta_folders.py write FOLDER
    python tests/golden/make_deberta_folders.py read FOLDER

The first writes small DeBERTa-v3s with random weights, always the same, as
Hugging Face folders; it needs this package. The second loads them with
`transformers` 5.24 on PyTorch 2.15, with warnings as errors, and stores what
they compute in float32, the token ids of `make_token_ids.LINES` and of a pair,
and the digest of each folder's weights.
"""

import hashlib
import pathlib
import sys

import make_token_ids
import numpy as np

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE / "deberta_folders.npz"
LABELS = ("bad", "good")
CLASSES = {
    "bare": "AutoModel",
    "classes": "AutoModelForSequenceClassification",
    "score": "AutoModelForSequenceClassification",
    "span": "AutoModelForQuestionAnswering",
}
PAIR = ("a cat", "don't <mask> it")


def batch():
    real = np.arange(9) < np.array([[9], [5], [1]])
    ids = np.random.default_rng(0).integers(5, 300, real.shape)
    return np.where(real, ids, 0), real.astype("int64")


def build(name):
    """The model called so, and its tokenizer."""
    import shutil
    import tempfile

    import keras_hub

    from tfminilm.tasks import heads
    from tfminilm.tasks.task import Task
    from tfminilm.teachers import load_tokenizer

    source = HERE / "token_ids" / "deberta_v3"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(source / "config.json", folder)
        # One has the rules of a file, the others SentencePiece's.
        rules = "spm.model" if name == "bare" else "tokenizer_4.json"
        target = rules if name == "bare" else "tokenizer.json"
        shutil.copy(source / rules, pathlib.Path(folder, target))
        pathlib.Path(folder, "model.safetensors").touch()
        tokenizer = load_tokenizer(folder)
    model = keras_hub.models.DebertaV3Backbone(
        vocabulary_size=336, num_layers=2, num_heads=2, hidden_dim=12,
        intermediate_dim=20, max_sequence_length=16, bucket_size=4,
    )  # fmt: skip
    if name != "bare":
        kind = {"classes": "classification", "score": "regression"}
        labels = LABELS if name == "classes" else ()
        task = Task(name, kind.get(name, "qa"), (), (), labels)
        model = heads.build_head(task, model, 0.0)
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.dtype == "float32":
            value = 0.4 * random.normal(size=variable.shape)
            variable.assign(value + (variable.name == "gamma"))
    return model, tokenizer


def write(root):
    """Writes the folders."""
    from tfminilm.export.server import hugging_face

    for name in CLASSES:
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        labels = LABELS if name == "classes" else ()
        hugging_face.write(*build(name), folder, labels)


def digest(folder):
    """The hash of a folder's weights and settings."""
    names = "model.safetensors", "config.json", "tokenizer.json"
    content = b"".join((folder / name).read_bytes() for name in names)
    return hashlib.sha256(content).hexdigest()


def read(root):
    """Stores what `transformers` makes of them."""
    import warnings

    import torch
    import transformers

    warnings.simplefilter("error")
    lines = list(make_token_ids.LINES)
    found = {}
    for name, class_name in CLASSES.items():
        folder = root / name
        cls = getattr(transformers, class_name)
        model, info = cls.from_pretrained(folder, output_loading_info=True)
        print(name, {key: value for key, value in info.items() if value})
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        ids, mask = map(torch.tensor, batch())
        with torch.no_grad():
            outputs = model.eval()(input_ids=ids, attention_mask=mask)
        for key in outputs:
            found[f"{name}/{key}"] = outputs[key].numpy()
        rows = tokenizer(lines, add_special_tokens=False)["input_ids"]
        found[f"{name}/ids"] = np.concatenate(rows).astype("int32")
        found[f"{name}/lengths"] = np.array([*map(len, rows)])
        found[f"{name}/pair"] = np.array(tokenizer(*PAIR)["input_ids"])
        found[f"{name}/digest"] = np.array(digest(folder))
    np.savez_compressed(GOLDEN, **found)


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](pathlib.Path(sys.argv[2]))

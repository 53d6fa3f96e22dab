"""Writes `cross_encoders/`: small cross-encoders, and how they score pairs.

    python tests/golden/make_cross_encoders.py

It needs `sentence-transformers` 6.2, `transformers` 5.24 and PyTorch 2.15, and
not this package. `sigmoid` and `classes` are folders as the library writes
them today, of one score and of three classes; `identity` has the layout of
ms-marco-MiniLM-L6-v2, whose activation stands in `config.json`, and `plain`
says nothing of one. Stored are the logits and the scores of `PAIRS`.
"""

import json
import pathlib
import shutil
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent / "cross_encoders"
WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] the cat sat on a mat and ##s ##ing "
    "' . , ! ? c ##a"
).split()
# The last one is cut, at 16 tokens.
PAIRS = (
    ("the cat?", "a cat sat on the mat."),
    ("The cats' mat", "cating, unknown!"),
    ("a", "mat"),
    ("the cats sat", "a mat and a cat and a mat , the cat sat on a mat"),
)
IDENTITY = {"activation_fn": "torch.nn.modules.linear.Identity"}
# Classes, and what is said of the activation.
CASES = {"sigmoid": 1, "identity": 1, "plain": 1, "classes": 3}


def save(name, seed):
    """Write a case's folder, and return its logits and scores."""
    import torch
    import transformers
    from sentence_transformers import CrossEncoder

    folder, plain = HERE / name, HERE / "base"
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=24,
        max_position_embeddings=16,
        initializer_range=0.4,
        num_labels=CASES[name],
    )
    plain.mkdir(parents=True)
    transformers.BertForSequenceClassification(config).save_pretrained(plain)
    (plain / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    transformers.BertTokenizer(str(plain / "vocab.txt")).save_pretrained(plain)
    if name == "identity":
        path = plain / "config.json"
        settings = json.loads(path.read_text())
        settings["sentence_transformers"] = IDENTITY | {"version": "4.1.0.dev0"}
        path.write_text(json.dumps(settings, indent=2, sort_keys=True))
    shutil.rmtree(folder, ignore_errors=True)
    if name in ("sigmoid", "classes"):
        CrossEncoder(str(plain), device="cpu").save_pretrained(str(folder))
        (folder / "README.md").unlink()
        shutil.rmtree(plain)
    else:
        plain.rename(folder)
    model = CrossEncoder(str(folder), device="cpu")
    none = torch.nn.Identity()
    return {
        f"{name}/logits": model.predict(PAIRS, activation_fn=none),
        f"{name}/scores": model.predict(PAIRS),
    }


def main():
    stored = {}
    for seed, name in enumerate(CASES):
        stored |= save(name, seed)
    for name, value in stored.items():
        print(name, value)
    np.savez_compressed(HERE / "golden.npz", **stored)


if __name__ == "__main__":
    sys.exit(main())

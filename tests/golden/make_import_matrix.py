"""Writes `import_matrix.npz`: every family with every head, as saved today.

    python tests/golden/make_import_matrix.py

It is run twice, with `transformers` 4.57 and with 5.24, both on PyTorch 2.15,
and not with this package; each run replaces its own part of the file. For each
of `CASES` it saves a small model and keeps its settings, the names and shapes
of its tensors, and in which part each is if it is saved in parts. Every tensor
gets the numbers that `make_imports.values` makes of its name, rounded to each
of `DTYPES`; the library loads that and computes in float32. Of the outputs at
real tokens, `FEW` random sums are kept, and the largest number.
"""

import json
import pathlib
import sys
import tempfile
import zlib

import make_imports as imports
import numpy as np

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE / "import_matrix.npz"

DTYPES = ("float32", "float16", "bfloat16")
PARTS = "float32 in parts"
VERSIONS = ("4", "5")
FEW = 12
ROBERTA = imports.SIZES | {"layer_norm_eps": 1e-5, "type_vocab_size": 1}
_SPECIAL = ("bos", "eos", "cls", "sep")
MODERN = imports.SIZES | {
    "pad_token_id": 0,
    "local_attention": 4,
    "num_hidden_layers": 4,
    **{f"{name}_token_id": 1 for name in _SPECIAL},
}
DEBERTA = imports.SIZES | {
    "position_buckets": 4,
    "relative_attention": True,
    "share_att_key": True,
    "position_biased_input": False,
    "norm_rel_ebd": "layer_norm",
    "pos_att_type": "p2c|c2p",
    "max_relative_positions": -1,
}
# What its classes begin with, and its settings.
FAMILIES = {
    "bert": ("Bert", imports.SIZES),
    "roberta": ("Roberta", ROBERTA),
    "xlm-roberta": ("XLMRoberta", ROBERTA),
    "camembert": ("Camembert", ROBERTA),
    "distilbert": ("DistilBert", imports.DISTIL),
    "albert": ("Albert", imports.ALBERT),
    "electra": ("Electra", imports.ELECTRA),
    "mobilebert": ("MobileBert", imports.MOBILE),
    "mpnet": ("MPNet", imports.SIZES),
    "modernbert": ("ModernBert", MODERN),
    "deberta-v2": ("DebertaV2", DEBERTA),
}
LABELS = {"id2label": {0: "O", 1: "B-X", 2: "I-X"}}
# What its classes end with, and the settings of the head.
HEADS = {
    "bare": ("Model", {}),
    "masked words": ("ForMaskedLM", {}),
    "classes": ("ForSequenceClassification", LABELS),
    "answers": ("ForQuestionAnswering", {}),
    "tokens": ("ForTokenClassification", LABELS),
}
CASES = [(family, head) for family in FAMILIES for head in HEADS]


def sums(name, values):
    """A few random sums of all numbers, each as large as one of them."""
    values = np.asarray(values, "float64").reshape(-1)
    random = np.random.default_rng(zlib.crc32(name.encode()))
    signs = random.normal(size=(FEW, values.size))
    return signs @ values / np.sqrt(values.size)


def real(values, settings):
    """Of `[batch, length, ...]`, what is at real tokens."""
    mask = imports.batch(settings)["attention_mask"] > 0
    return np.asarray(values)[mask]


def tensors_of(settings, shapes, dtype):
    """The tensors of a folder, in a NumPy dtype."""
    made = {name: imports.values(name, shape) for name, shape in shapes.items()}
    if settings["model_type"] == "mobilebert":
        # There, the last word's neighbour is the padding: here it is nothing.
        (table,) = (name for name in made if "word_embeddings" in name)
        made[table][settings["pad_token_id"]] = 0
    return {name: x.astype(dtype) for name, x in made.items()}


def save(cls, config, folder):
    """Save a model whole and in parts; return what is kept of its layout."""
    import safetensors

    model = cls(config)
    model.save_pretrained(folder)
    settings = json.loads((folder / "config.json").read_text())
    with safetensors.safe_open(folder / "model.safetensors", "np") as file:
        names = file.keys()
        shapes = {name: file.get_slice(name).get_shape() for name in names}
    parts = folder / "parts"
    model.save_pretrained(parts, max_shard_size="4KB")
    index = parts / "model.safetensors.index.json"
    where = json.loads(index.read_text())["weight_map"]
    return settings, shapes, where


def measure(family, head):
    """What is stored of a case: its layout, and a row of each dtype."""
    import safetensors.torch
    import torch
    import transformers

    (start, sizes), (end, more) = FAMILIES[family], HEADS[head]
    cls, rows = getattr(transformers, start + end), []
    with tempfile.TemporaryDirectory() as beside:
        folder = pathlib.Path(beside)
        config = cls.config_class(**sizes, **more)
        settings, shapes, where = save(cls, config, folder)
        for dtype in DTYPES:
            made = tensors_of(settings, shapes, "float32")
            kind = getattr(torch, dtype)
            safetensors.torch.save_file(
                {key: torch.tensor(x).to(kind) for key, x in made.items()},
                folder / "model.safetensors",
                {"format": "pt"},
            )
            model = cls.from_pretrained(
                folder, torch_dtype=torch.float32, attn_implementation="eager"
            )
            values = outputs(model.eval(), settings)
            few = sums(family + head, values)
            rows.append(np.append(few, np.max(np.abs(values))))
    print(family, head, len(shapes), "tensors", len({*where.values()}), "parts")
    return {"settings": settings, "shapes": shapes, "parts": where}, rows


def outputs(model, settings):
    import torch

    inputs = {k: torch.tensor(x) for k, x in imports.batch(settings).items()}
    if settings["model_type"] in ("distilbert", "mpnet", "modernbert"):
        del inputs["token_type_ids"]
    with torch.no_grad():
        found = model(**inputs)
    if "start_logits" in found:
        both = found["start_logits"], found["end_logits"]
        return np.stack([real(x, settings) for x in both])
    if "last_hidden_state" in found:
        return real(found["last_hidden_state"], settings)
    logits = found["logits"].numpy()
    return real(logits, settings) if logits.ndim == 3 else logits


def main():
    import transformers

    version = transformers.__version__.partition(".")[0]
    found = dict(np.load(GOLDEN)) if GOLDEN.exists() else {}
    layouts, rows = zip(*(measure(*case) for case in CASES), strict=True)
    found[f"{version}/layouts"] = np.array(json.dumps(layouts))
    found[f"{version}/sums"] = np.array(rows, "float32")
    np.savez_compressed(GOLDEN, **found)


if __name__ == "__main__":
    sys.exit(main())

"""Cuts this folder's files out of reference outputs of `transformers`.

    python tests/golden/make.py REFERENCES

REFERENCES holds a folder for each architecture: small models with random
weights, saved by Hugging Face `transformers` on PyTorch in its own layout
(`config.json`, `model.safetensors`), and beside them `golden.npz`: a ragged
batch of three and what the model computes from it in float32 without dropout:
`queries_I`, `keys_I`, `values_I` (what the I-th layer's three projections
return, `[batch, length, width]`), `attentions_I` (after softmax), and
`hidden_states_I` (0 = embedding output). `all_minilm_l6_v2` holds the outputs
of the real checkpoint for three sentences, and no weights.

What is kept is enough for the tests and under 200 KB a file: the lower two of
three layers (ALBERT shares one, and keeps all three calls), all hidden states,
and the inside of the highest kept layer; of the real teacher, the last layer's
first heads and states. Padded positions, which mean nothing, become zero.
"""

import json
import pathlib
import sys

import numpy as np
import safetensors.numpy

HERE = pathlib.Path(__file__).parent
# RoBERTa's reference is XLM-R's under another name: the same numbers.
MODELS = (
    "albert",
    "bert",
    "distil_bert",
    "mobilebert",
    "mobilebert_tiny",
    "mobilebert_without_opt",
    "xlm_roberta",
)
PARTS = ("queries", "keys", "values", "attentions")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
DEPTH_KEYS = ("num_hidden_layers", "n_layers")


def cut_model(source, target):
    """Writes the lower layers of the model in `source`, and its outputs."""
    config = json.loads((source / "config.json").read_text())
    (depth_key,) = [key for key in DEPTH_KEYS if key in config]
    if config["model_type"] != "albert":
        config[depth_key] = 2
    depth = config[depth_key]
    weights = safetensors.numpy.load_file(source / "model.safetensors")
    kept = {k: value for k, value in weights.items() if "layer.2." not in k}
    outputs = np.load(source / "golden.npz")
    names = [f"{part}_{depth - 1}" for part in PARTS]
    names += [f"hidden_states_{i}" for i in range(depth + 1)]

    target.mkdir(exist_ok=True)
    text = json.dumps(config, indent=2, sort_keys=True)
    (target / "config.json").write_text(text + "\n")
    safetensors.numpy.save_file(
        kept, target / "model.safetensors", metadata={"format": "pt"}
    )
    write_outputs(target, outputs, {name: outputs[name] for name in names})


def cut_teacher(source, target, heads=4, head_dim=32):
    """Writes a part of the real teacher's last layer."""
    outputs = np.load(source / "golden.npz")
    kept = {
        f"{part}_5": outputs[f"{part}_5"][..., : heads * head_dim]
        for part in ("queries", "keys", "values")
    }
    kept["attentions_5"] = outputs["attentions_5"][:, :heads]
    kept["hidden_states_6"] = outputs["hidden_states_6"]
    target.mkdir(exist_ok=True)
    write_outputs(target, outputs, kept)


def write_outputs(target, source, tensors):
    real = source["attention_mask"]
    for name, value in tensors.items():
        # Rows are [batch, length, width], or [batch, heads, length, length].
        rows = real[:, None, :] if value.ndim == 4 else real
        tensors[name] = np.where(rows[..., None], value, 0).astype("float32")
    inputs = {name: source[name] for name in INPUTS if name in source}
    np.savez_compressed(target / "golden.npz", **inputs, **tensors)


def main(references):
    references = pathlib.Path(references)
    for name in MODELS:
        cut_model(references / name, HERE / name)
    name = "all_minilm_l6_v2"
    cut_teacher(references / name, HERE / name)


if __name__ == "__main__":
    main(sys.argv[1])

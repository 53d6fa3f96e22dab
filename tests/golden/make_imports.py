"""Writes `imports.npz`: small models of `transformers`, and their outputs.

    python tests/golden/make_imports.py

It needs `transformers` 5.24 on PyTorch 2.15, and not this package. For each of
`CASES` it saves a model, gives every tensor of the file the numbers that
`values` makes of its name, loads the model again, and stores the settings, the
names and shapes of the tensors, and what the model computes from `batch` in
float32 without dropout. The tests make the same folders with `write`.
"""

import json
import pathlib
import sys
import tempfile
import zlib

import numpy as np

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE / "imports.npz"
SIZES = {
    "vocab_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 12,
    "intermediate_size": 20,
    "max_position_embeddings": 16,
}
DISTIL = {
    "vocab_size": 40,
    "n_layers": 2,
    "n_heads": 2,
    "dim": 12,
    "hidden_dim": 20,
    "max_position_embeddings": 16,
}
ALBERT = SIZES | {"embedding_size": 8}
ELECTRA = ALBERT
GROUPS = {"num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2}
MOBILE = SIZES | {
    "embedding_size": 8,
    "intra_bottleneck_size": 8,
    "true_hidden_size": 8,
    "num_feedforward_networks": 2,
}
# The class, its settings, and what else the class is given.
CASES = {
    "bert": ("BertModel", SIZES, {}),
    "bert_as_keras_hub": ("BertModel", SIZES | {"hidden_act": "gelu_new"}, {}),
    "bert_relu": (
        "BertModel",
        SIZES
        | {"hidden_act": "relu", "layer_norm_eps": 0.1, "type_vocab_size": 1},
        {},
    ),
    "bert_without_pooler": (
        "BertModel",
        SIZES | {"hidden_act": "silu"},
        {"add_pooling_layer": False},
    ),
    "bert_classifier": ("BertForSequenceClassification", SIZES, {}),
    "bert_masked_lm": (
        "BertForMaskedLM",
        SIZES | {"hidden_act": "relu", "layer_norm_eps": 0.1},
        {},
    ),
    "bert_pretraining": ("BertForPreTraining", SIZES, {}),
    "roberta": (
        "RobertaModel",
        SIZES | {"layer_norm_eps": 1e-5, "type_vocab_size": 1},
        {},
    ),
    "roberta_tanh": (
        "RobertaModel",
        SIZES
        | {"hidden_act": "tanh", "layer_norm_eps": 0.1}
        | {"type_vocab_size": 3, "pad_token_id": 3},
        {},
    ),
    "roberta_masked_lm": (
        "RobertaForMaskedLM",
        SIZES | {"hidden_act": "relu"},
        {},
    ),
    "xlm_roberta": ("XLMRobertaModel", SIZES | {"layer_norm_eps": 1e-5}, {}),
    "xlm_roberta_masked_lm": (
        "XLMRobertaForMaskedLM",
        SIZES | {"hidden_act": "gelu_new", "layer_norm_eps": 0.1},
        {},
    ),
    "distilbert": (
        "DistilBertModel",
        DISTIL | {"sinusoidal_pos_embds": True},
        {},
    ),
    "distilbert_masked_lm": (
        "DistilBertForMaskedLM",
        DISTIL | {"activation": "relu"},
        {},
    ),
    "distilbert_gelu_masked_lm": ("DistilBertForMaskedLM", DISTIL, {}),
    "distilbert_span": ("DistilBertForQuestionAnswering", DISTIL, {}),
    "albert": ("AlbertModel", ALBERT, {}),
    "albert_groups": (
        "AlbertModel",
        ALBERT | GROUPS | {"hidden_act": "gelu", "layer_norm_eps": 0.1},
        {},
    ),
    "albert_masked_lm": (
        "AlbertForMaskedLM",
        ALBERT | {"hidden_act": "relu", "layer_norm_eps": 0.1},
        {},
    ),
    "electra": ("ElectraModel", ELECTRA, {}),
    "electra_as_keras_hub": (
        "ElectraModel",
        ELECTRA | {"hidden_act": "gelu_new", "embedding_size": 12},
        {},
    ),
    "electra_relu_pretraining": (
        "ElectraForPreTraining",
        ELECTRA | {"hidden_act": "relu", "layer_norm_eps": 0.1},
        {},
    ),
    "electra_generator": ("ElectraForMaskedLM", ELECTRA, {}),
    "camembert": ("CamembertModel", SIZES | {"layer_norm_eps": 1e-5}, {}),
    "camembert_masked_lm": ("CamembertForMaskedLM", SIZES, {}),
    "mobilebert": ("MobileBertModel", MOBILE, {}),
    "mobilebert_layer_norm": (
        "MobileBertModel",
        MOBILE
        | {"normalization_type": "layer_norm", "layer_norm_eps": 0.1}
        | {"hidden_act": "silu", "use_bottleneck_attention": True}
        | {"key_query_shared_bottleneck": False},
        {},
    ),
    "mobilebert_masked_lm": ("MobileBertForMaskedLM", MOBILE, {}),
}


def values(name, shape):
    """The same numbers for a name each time; all of them count."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    is_scale = "norm" in name.lower() and name.endswith("weight")
    return (is_scale + 0.4 * random.normal(size=shape)).astype("float32")


def batch(settings):
    """Three sequences of 9, 5 and 1 tokens; positions follow the padding."""
    random = np.random.default_rng(0)
    real = np.arange(9) < np.array([[9], [5], [1]])
    kind = settings["model_type"]
    # Of these, the first type alone counts.
    has_one = "roberta" in kind or kind == "camembert"
    types = 1 if has_one else settings.get("type_vocab_size", 1) or 1
    ids = random.integers(5, 40, real.shape)
    return {
        "input_ids": np.where(real, ids, settings["pad_token_id"]),
        "token_type_ids": random.integers(0, types, real.shape) * real,
        "attention_mask": real.astype("int64"),
    }


def write(golden, name, folder):
    """The Hugging Face folder of a case; returns its settings and tensors."""
    import safetensors.numpy

    settings, shapes = (
        json.loads(str(golden[f"{name}/{part}"]))
        for part in ("settings", "shapes")
    )
    tensors = {key: values(key, shape) for key, shape in shapes.items()}
    if settings["model_type"] == "mobilebert":
        # There, the last word's neighbour is the padding: here it is nothing.
        (table,) = (key for key in tensors if "word_embeddings" in key)
        tensors[table][settings["pad_token_id"]] = 0
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(settings))
    path = folder / "model.safetensors"
    safetensors.numpy.save_file(tensors, path, {"format": "pt"})
    return settings, tensors


def measure(name, folder):
    """What is stored of a case."""
    import safetensors
    import torch
    import transformers

    class_name, settings, options = CASES[name]
    cls = getattr(transformers, class_name)
    model = cls(cls.config_class(**settings), **options)
    model.save_pretrained(folder)
    saved = json.loads((folder / "config.json").read_text())
    with safetensors.safe_open(folder / "model.safetensors", "np") as file:
        keys = file.keys()
        shapes = {key: file.get_slice(key).get_shape() for key in keys}
    found = {
        f"{name}/settings": np.array(json.dumps(saved)),
        f"{name}/shapes": np.array(json.dumps(shapes)),
    }
    write(found, name, folder)
    model, info = cls.from_pretrained(
        folder, output_loading_info=True, **options
    )
    print(name, {key: value for key, value in info.items() if value})
    inputs = {key: torch.tensor(x) for key, x in batch(saved).items()}
    if saved["model_type"] == "distilbert":
        del inputs["token_type_ids"]
    with torch.no_grad():
        outputs = model.eval()(**inputs, output_hidden_states=True)
    found[f"{name}/states"] = outputs.hidden_states[-1].numpy()
    for ours, theirs in {
        "pooled": "pooler_output",
        "logits": "logits",
        "prediction_logits": "prediction_logits",
    }.items():
        is_other = "Sequence" in class_name or class_name.startswith("Electra")
        if outputs.get(theirs) is not None and not is_other:
            key = "logits" if "logits" in ours else ours
            found[f"{name}/{key}"] = outputs[theirs].numpy()
    return found


def main():
    found = {}
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            found |= measure(name, pathlib.Path(folder))
    np.savez_compressed(GOLDEN, **found)


if __name__ == "__main__":
    sys.exit(main())

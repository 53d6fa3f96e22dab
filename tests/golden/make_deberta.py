"""Writes `deberta.npz`: small DeBERTa-v3s of `transformers`, and their outputs.

    python tests/golden/make_deberta.py

It needs `transformers` 5.24 on PyTorch 2.15, and not this package. Folders and
numbers come about as in `make_imports.py`; stored are the settings, the names
and shapes of the tensors, and in float32 the last states, the attention
probabilities of each layer, and the logits.
"""

import json
import pathlib
import sys
import tempfile

import make_imports as imports
import numpy as np

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE / "deberta.npz"

# As of the published ones, but for the sizes.
V3 = imports.SIZES | {
    "position_buckets": 4,
    "relative_attention": True,
    "share_att_key": True,
    "position_biased_input": False,
    "norm_rel_ebd": "layer_norm",
    "pos_att_type": "p2c|c2p",
    "max_relative_positions": -1,
}
OTHER = V3 | {"hidden_act": "relu", "layer_norm_eps": 0.1}
# Texts so long, and buckets so many, that KerasHub rounds the last ones wrong.
FAR = V3 | {
    "num_hidden_layers": 1,
    "hidden_size": 4,
    "intermediate_size": 4,
    "position_buckets": 128,
    "max_position_embeddings": 256,
}
THREE = {"id2label": {0: "yes", 1: "maybe", 2: "no"}}
SCORE = {"id2label": {0: "LABEL_0"}, "problem_type": "regression"}
# The class, and its settings.
CASES = {
    "bare": ("DebertaV2Model", V3),
    "relu": ("DebertaV2Model", OTHER | {"pos_att_type": ["c2p", "p2c"]}),
    "far": ("DebertaV2Model", FAR),
    "masked_lm": ("DebertaV2ForMaskedLM", V3),
    "new_masked_lm": ("DebertaV2ForMaskedLM", OTHER | {"legacy": False}),
    "classes": ("DebertaV2ForSequenceClassification", V3 | THREE),
    "score": ("DebertaV2ForSequenceClassification", OTHER | SCORE),
    "span": ("DebertaV2ForQuestionAnswering", V3),
    "tokens": ("DebertaV2ForTokenClassification", V3 | THREE),
}


def batch(name, settings):
    """What a case reads: the common batch, or one long text."""
    if name != "far":
        return imports.batch(settings)
    ids = np.random.default_rng(0).integers(5, 40, (1, 259))
    return {
        "input_ids": ids,
        "token_type_ids": np.zeros_like(ids),
        "attention_mask": np.ones_like(ids),
    }


def measure(name, folder):
    """What is stored of a case."""
    import safetensors
    import torch
    import transformers

    class_name, settings = CASES[name]
    cls = getattr(transformers, class_name)
    cls(cls.config_class(**settings)).save_pretrained(folder)
    saved = json.loads((folder / "config.json").read_text())
    with safetensors.safe_open(folder / "model.safetensors", "np") as file:
        keys = file.keys()
        shapes = {key: file.get_slice(key).get_shape() for key in keys}
    found = {
        f"{name}/settings": np.array(json.dumps(saved)),
        f"{name}/shapes": np.array(json.dumps(shapes)),
    }
    imports.write(found, name, folder)
    model, info = cls.from_pretrained(folder, output_loading_info=True)
    print(name, {key: value for key, value in info.items() if value})
    inputs = {key: torch.tensor(x) for key, x in batch(name, saved).items()}
    with torch.no_grad():
        outputs = model.eval()(
            **inputs, output_hidden_states=True, output_attentions=True
        )
    found[f"{name}/states"] = outputs.hidden_states[-1].numpy()
    if name == "bare":
        attentions = [x.numpy() for x in outputs.attentions]
        found[f"{name}/attention_probs"] = np.stack(attentions)
    for key in ("logits", "start_logits", "end_logits"):
        if outputs.get(key) is not None:
            found[f"{name}/{key}"] = outputs[key].numpy()
    return found


def main():
    found = {}
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            found |= measure(name, pathlib.Path(folder))
    np.savez_compressed(GOLDEN, **found)


if __name__ == "__main__":
    sys.exit(main())

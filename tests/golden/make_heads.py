"""Writes `heads.npz`: small models of `transformers` with heads, and logits.

    python tests/golden/make_heads.py

It needs `transformers` 5.24 on PyTorch 2.15, and not this package. Folders and
numbers come about as in `make_imports.py`; stored are the settings, the names
and shapes of the tensors, and the logits of its batch in float32.
"""

import json
import pathlib
import sys
import tempfile

import make_imports as imports
import numpy as np

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE / "heads.npz"

THREE = {"id2label": {0: "yes", 1: "maybe", 2: "no"}}
SCORE = {"id2label": {0: "LABEL_0"}, "problem_type": "regression"}
ROBERTA = imports.SIZES | {"layer_norm_eps": 1e-5, "type_vocab_size": 1}
# The class, and its settings.
CASES = {
    "bert_classes": ("BertForSequenceClassification", imports.SIZES | THREE),
    "bert_score": ("BertForSequenceClassification", imports.SIZES | SCORE),
    "bert_span": ("BertForQuestionAnswering", imports.SIZES),
    "roberta_classes": ("RobertaForSequenceClassification", ROBERTA | THREE),
    "roberta_span": ("RobertaForQuestionAnswering", ROBERTA),
    "xlm_roberta_score": (
        "XLMRobertaForSequenceClassification",
        ROBERTA | {"num_labels": 1},
    ),
    "xlm_roberta_span": ("XLMRobertaForQuestionAnswering", ROBERTA),
    "distilbert_classes": (
        "DistilBertForSequenceClassification",
        imports.DISTIL | {"seq_classif_dropout": 0.3},
    ),
    "distilbert_score": (
        "DistilBertForSequenceClassification",
        imports.DISTIL | SCORE,
    ),
    "distilbert_span": (
        "DistilBertForQuestionAnswering",
        imports.DISTIL | {"activation": "relu"},
    ),
    "albert_classes": ("AlbertForSequenceClassification", imports.ALBERT),
    "albert_span": ("AlbertForQuestionAnswering", imports.ALBERT),
    "electra_classes": (
        "ElectraForSequenceClassification",
        imports.ELECTRA | THREE,
    ),
    "electra_span": ("ElectraForQuestionAnswering", imports.ELECTRA),
    "camembert_classes": (
        "CamembertForSequenceClassification",
        ROBERTA | THREE,
    ),
    "camembert_span": ("CamembertForQuestionAnswering", ROBERTA),
    "mobilebert_classes": (
        "MobileBertForSequenceClassification",
        imports.MOBILE | THREE,
    ),
    "mobilebert_score": (
        "MobileBertForSequenceClassification",
        imports.MOBILE | SCORE,
    ),
    "mobilebert_span": ("MobileBertForQuestionAnswering", imports.MOBILE),
    # In `make_token_heads.py` there are more.
    "bert_tokens": ("BertForTokenClassification", imports.SIZES),
    # These are not read.
    "bert_choices": ("BertForMultipleChoice", imports.SIZES),
    "bert_several": (
        "BertForSequenceClassification",
        imports.SIZES | {"problem_type": "multi_label_classification"},
    ),
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
    inputs = {
        key: torch.tensor(value) for key, value in imports.batch(saved).items()
    }
    if saved["model_type"] in ("distilbert", "mpnet"):
        del inputs["token_type_ids"]
    if name == "bert_choices":
        return found
    with torch.no_grad():
        outputs = model.eval()(**inputs)
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

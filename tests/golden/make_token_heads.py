"""Writes `token_heads.npz`: small models that classify tokens, and logits.

    python tests/golden/make_token_heads.py

It needs `transformers` 5.24 on PyTorch 2.15, and not this package. All is as
in `make_heads.py`.
"""

import importlib.util
import pathlib
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE / "token_heads.npz"
_PATH = HERE / "make_heads.py"
# A copy of its own, which is changed below.
_spec = importlib.util.spec_from_file_location(_PATH.stem, _PATH)
heads = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(heads)
imports = heads.imports

TAGS = {"id2label": {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}}
CASES = {
    "bert": ("BertForTokenClassification", imports.SIZES | TAGS),
    "roberta": ("RobertaForTokenClassification", heads.ROBERTA | TAGS),
    "xlm_roberta": ("XLMRobertaForTokenClassification", heads.ROBERTA | TAGS),
    "camembert": ("CamembertForTokenClassification", heads.ROBERTA | TAGS),
    "distilbert": ("DistilBertForTokenClassification", imports.DISTIL | TAGS),
    "albert": ("AlbertForTokenClassification", imports.ALBERT | TAGS),
    "electra": ("ElectraForTokenClassification", imports.ELECTRA | TAGS),
    "mpnet": ("MPNetForTokenClassification", imports.SIZES | TAGS),
    "mobilebert": ("MobileBertForTokenClassification", imports.MOBILE | TAGS),
}


def main():
    heads.CASES = CASES
    found = {}
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            found |= heads.measure(name, pathlib.Path(folder))
    np.savez_compressed(GOLDEN, **found)


if __name__ == "__main__":
    sys.exit(main())

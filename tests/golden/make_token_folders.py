"""Writes `token_folders.npz`: what `transformers` computes from our folders.

    python tests/golden/make_token_folders.py write FOLDER
    python tests/golden/make_token_folders.py read FOLDER

All is as in `make_hugging_face.py`; the students classify tokens.
"""

import importlib.util
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
_PATH = HERE / "make_hugging_face.py"
# A copy of its own, which is changed below.
_spec = importlib.util.spec_from_file_location(_PATH.stem, _PATH)
made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made)
encoder = made.student
LABELS = ("O", "B-X", "I-X")
CLASSES = {
    f"{family}_token_classifier": "AutoModelForTokenClassification"
    for family in ("bert", "distilbert", "roberta", "xlm-roberta", "mobilebert")
}


def student(name):
    """The model called so in `CLASSES`: every weight of it counts."""
    from tfminilm.tasks.head_models import TokenClassifier

    family, _, _ = name.partition("_")
    model = TokenClassifier(encoder(family), len(LABELS))
    random = np.random.default_rng(2)
    for variable in model.get_layer("token_classifier").weights:
        variable.assign(random.normal(size=variable.shape))
    return model


made.GOLDEN = HERE / "token_folders.npz"
made.CLASSES, made.LABELS, made.student = CLASSES, LABELS, student

if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    {"write": made.write, "read": made.read}[sys.argv[1]](
        pathlib.Path(sys.argv[2])
    )

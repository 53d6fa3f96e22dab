"""Writes `masked_words.npz`: what `transformers` computes from our folders.

    python tests/golden/make_masked_words.py write FOLDER
    python tests/golden/make_masked_words.py read FOLDER

The first writes small masked language models with random weights, always the
same, as Hugging Face folders; it needs this package. The second loads them with
`AutoModelForMaskedLM` of `transformers` 5.24 on PyTorch 2.15, with warnings as
errors and no tensor missing or left over, and stores the logits of the tokens
of a ragged batch and the digest of each folder.
"""

import pathlib
import shutil
import sys
import tempfile

import make_deberta_folders
import make_hugging_face as made
import numpy as np

HERE = pathlib.Path(__file__).parent
FAMILIES = (
    "bert",
    "distilbert",
    "roberta",
    "xlm-roberta",
    "camembert",
    "albert",
    "mpnet",
    "deberta_v3",
    "modernbert",
    "mobilebert",
    "mobilebert_padding",
    "bert_approximated",
    "electra",
    "electra_plain",
)
# What begins the names of these classes in `transformers`.
OWN_CLASSES = {"mpnet", "modernbert", "mobilebert"}
# More of some: whose padding makes a logit, with the approximated GELU as both
# the encoder's and the head's, and KerasHub's own encoder.
VARIANTS = {
    "mobilebert_padding": "mobilebert",
    "bert_approximated": "bert",
    "electra_plain": "electra",
}
SIZE = {
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 12,
    "intermediate_dim": 20,
    "max_sequence_length": 16,
}


def batch():
    """Three sequences of 11, 7 and 1 tokens, all in the first segment."""
    given = made.batch()
    return given["token_ids"], given["padding_mask"]


def tokenizer(name):
    from tfminilm import teachers

    if name == "mpnet":
        return teachers.load_tokenizer(HERE / "mpnet" / "sentences")
    if name == "camembert":
        with tempfile.TemporaryDirectory() as folder:
            source = HERE / "token_ids" / "camembert"
            shutil.copytree(source, folder, dirs_exist_ok=True)
            pathlib.Path(folder, "model.safetensors").touch()
            return teachers.load_tokenizer(folder)
    if name == "deberta_v3":
        return make_deberta_folders.build("span")[1]
    return made.tokenizer(VARIANTS.get(name, name))


def model(name):
    """The masked language model called so: every weight of it counts."""
    from tfminilm import families, students, teachers
    from tfminilm.families.backbones import variants

    variant, name = name, VARIANTS.get(name, name)
    size = SIZE | {"vocabulary_size": tokenizer(name).vocabulary_size()}
    if name == "mobilebert":
        size |= {"bottleneck_dim": 8, "embedding_dim": 8}
    if name == "electra":
        size["embedding_dim"] = 8
    if name in OWN_CLASSES or variant == "electra_plain":
        backbone = getattr(students, name)(**size)
    else:
        kinds = {"camembert": "xlm-roberta", "deberta_v3": "deberta-v2"}
        record = families.of_model_type(kinds.get(name, name))
        if name == "albert":
            size |= {"embedding_dim": 8, "num_groups": 1}
            size |= {"num_inner_repetitions": 1}
        if name == "deberta_v3":
            size |= {"bucket_size": 4}
        if name == "electra":
            size["vocab_size"] = size.pop("vocabulary_size")
        activation = "relu" if name == "bert" else "gelu"
        if variant == "bert_approximated":
            activation = "gelu_approximate"
        # The heads of KerasHub's own have another epsilon.
        backbone = variants(record).backbone(
            **size,
            activation=activation,
            layer_norm_epsilon=1e-12 if name == "distilbert" else 1e-3,
        )
    built = teachers.build_masked_lm(backbone)
    random = np.random.default_rng(0)
    for variable in built.weights:
        if variable.dtype == "float32":
            value = 0.25 * random.normal(size=variable.shape)
            variable.assign(value + (variable.name == "gamma"))
    if variant == "mobilebert":
        # The padding's row is zero, as there.
        layer = backbone.token_embedding
        (table,) = layer.get_weights()
        table[0] = 0
        layer.set_weights([table])
    return built


def write(root):
    from tfminilm.export.server import hugging_face

    for name in FAMILIES:
        (root / name).mkdir(parents=True)
        hugging_face.write(model(name), tokenizer(name), root / name)


def read(root):
    from make_sentence_transformers import refuse_warnings

    refuse_warnings()
    import torch
    import transformers

    found = {}
    ids, mask = (torch.tensor(part).long() for part in batch())
    for name in FAMILIES:
        loaded, info = transformers.AutoModelForMaskedLM.from_pretrained(
            root / name, output_loading_info=True
        )
        print(name, type(loaded).__name__, info)
        assert not any(info.values())
        with torch.no_grad():
            logits = loaded.eval()(ids, attention_mask=mask).logits
        found[f"{name}/logits"] = logits[mask > 0].numpy()
        found[f"{name}/digest"] = np.array(made.digest(root / name))
        found[f"{name}/class"] = np.array(type(loaded).__name__)
    np.savez_compressed(HERE / "masked_words.npz", **found)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    {"write": write, "read": read}[sys.argv[1]](pathlib.Path(sys.argv[2]))

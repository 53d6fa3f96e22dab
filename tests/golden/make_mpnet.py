"""Writes `mpnet/`: small MPNets of `transformers`, and their numbers.

    python tests/golden/make_mpnet.py save
    python tests/golden/make_mpnet.py write FOLDER
    python tests/golden/make_mpnet.py read FOLDER

The first and the last need `sentence-transformers` 6.2, `transformers` 5.24
and PyTorch 2.15, and not this package; the second needs this package alone.
`save` makes `sentences`, a folder in all-mpnet-base-v2's layout, and in
`golden.npz` its embeddings and token ids, and for each of `CASES` what
`make_imports.py` stores, with the inside of a model on `batch`, and the states
on a text that fills every bucket of distances. `write` writes students as
Hugging Face folders, and `sentences` again. `read` loads these with warnings
as errors, and stores what `transformers` makes of them in `written.npz`.
"""

import hashlib
import json
import pathlib
import sys
import tempfile

import make_imports as imports
import make_sentence_transformers as sentences
import make_token_ids as token_ids
import numpy as np

HERE = pathlib.Path(__file__).parent / "mpnet"
SIZES = imports.SIZES | {"max_position_embeddings": 162}
THREE = {"id2label": {0: "yes", 1: "maybe", 2: "no"}}
SCORE = {"id2label": {0: "LABEL_0"}, "problem_type": "regression"}
# The class, its settings, and what else the class is given.
CASES = {
    "mpnet": ("MPNetModel", SIZES | {"layer_norm_eps": 1e-5}, {}),
    "mpnet_without_pooler": (
        "MPNetModel",
        SIZES | {"hidden_act": "silu"},
        {"add_pooling_layer": False},
    ),
    "mpnet_masked_lm": (
        "MPNetForMaskedLM",
        SIZES | {"hidden_act": "relu", "layer_norm_eps": 0.1},
        {},
    ),
    "mpnet_classes": ("MPNetForSequenceClassification", SIZES | THREE, {}),
    "mpnet_score": ("MPNetForSequenceClassification", SIZES | SCORE, {}),
    "mpnet_span": ("MPNetForQuestionAnswering", SIZES, {}),
}
FIRST = ("<s>", "<pad>", "</s>", "<unk>")
BERTS = ("[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAIR = ("The cats sat", "naïve café!")
TEXTS = sentences.TEXTS
# The last one is cut.
LENGTH = 24
HEADS = {
    "mpnet": "AutoModel",
    "mpnet_classifier": "AutoModelForSequenceClassification",
    "mpnet_score": "AutoModelForSequenceClassification",
    "mpnet_span": "AutoModelForQuestionAnswering",
}
LABELS = ("bad", "good")


def long_batch():
    """Two sequences of 150 and 100 tokens."""
    random = np.random.default_rng(1)
    real = np.arange(150) < np.array([[150], [100]])
    ids = np.where(real, random.integers(5, 40, real.shape), 1)
    return {"input_ids": ids, "attention_mask": real.astype("int64")}


def vocabulary():
    """Every letter of the lines, laid out as the published vocabulary."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "bert")
        path.mkdir()
        token_ids._write_words(path)
        words = (path / "vocab.txt").read_text("utf-8").split("\n")
    known = {*words, *token_ids.SPECIAL}
    more = [word for word in sentences.WORDS if word not in known]
    letters = [w for w in words if w and w not in token_ids.SPECIAL]
    return [*FIRST, *BERTS, *letters, *more, "<mask>"]


def save():
    HERE.mkdir(exist_ok=True)
    found = save_sentences(HERE / "sentences")
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            found |= measure(name, pathlib.Path(folder))
    np.savez_compressed(HERE / "golden.npz", **found)


def save_sentences(folder):
    """Saves the embedding model; returns what it computes."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    words = vocabulary()
    torch.manual_seed(0)
    config = transformers.MPNetConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=34,
        initializer_range=0.3,
        layer_norm_eps=1e-5,
    )
    tokenizer = transformers.MPNetTokenizer(
        {word: index for index, word in enumerate(words)}
    )
    with tempfile.TemporaryDirectory() as plain:
        transformers.MPNetModel(config).save_pretrained(plain)
        tokenizer.save_pretrained(plain)
        modules = [Transformer(plain, max_seq_length=LENGTH)]
        modules += [Pooling(8, pooling_mode="mean"), Normalize()]
        model = SentenceTransformer(modules=modules, device="cpu")
        model.save(str(folder), create_model_card=False)
    model = SentenceTransformer(str(folder), device="cpu")
    other = transformers.AutoTokenizer.from_pretrained(
        str(folder), split_special_tokens=True
    )
    lines = list(token_ids.LINES)
    rows = other(lines, add_special_tokens=False)["input_ids"]
    return {
        "embeddings": model.encode(list(TEXTS)),
        "ids": np.array(json.dumps(rows)),
        "pair": np.array(other(*PAIR)["input_ids"]),
    }


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
    imports.write(found, name, folder)
    model, info = cls.from_pretrained(
        folder, output_loading_info=True, **options
    )
    print(name, {key: value for key, value in info.items() if value})
    inside = {}
    for index, layer in enumerate(model.base_model.encoder.layer):
        for part in ("q", "k", "v"):
            getattr(layer.attention.attn, part).register_forward_hook(
                lambda _, __, x, key=f"{part}_{index}": inside.update({key: x})
            )
    batch = {key: torch.tensor(x) for key, x in imports.batch(saved).items()}
    batch.pop("token_type_ids")
    with torch.no_grad():
        outputs = model.eval()(
            **batch, output_hidden_states=True, output_attentions=True
        )
        parts = {key: x.numpy() for key, x in inside.items()}
        for key in ("logits", "start_logits", "end_logits", "pooler_output"):
            if outputs.get(key) is not None:
                found[f"{name}/{key}"] = outputs[key].numpy()
        for index, states in enumerate(outputs.hidden_states):
            parts[f"hidden_states_{index}"] = states.numpy()
        for index, probs in enumerate(outputs.attentions):
            parts[f"attentions_{index}"] = probs.numpy()
        if name == "mpnet":
            batch = {k: torch.tensor(x) for k, x in long_batch().items()}
            states = model(**batch).last_hidden_state
            found[f"{name}/long"] = states.numpy()
            found |= {f"{name}/{key}": x for key, x in parts.items()}
    found[f"{name}/states"] = parts["hidden_states_2"]
    return found


def tokenizer():
    from tfminilm import teachers

    return teachers.load_tokenizer(HERE / "sentences")


def student(name):
    """The model called so in `HEADS`: every weight of it counts."""
    from tfminilm import students
    from tfminilm.tasks import heads
    from tfminilm.tasks.task import get_task

    model = students.mpnet(
        2,
        8,
        num_heads=2,
        intermediate_dim=12,
        vocabulary_size=len(vocabulary()),
        max_sequence_length=40,
        pooler=name == "mpnet",
    )
    head = name.partition("_")[2]
    task = {"classifier": "sst2", "score": "stsb", "span": "squad"}.get(head)
    if task:
        model = heads.build_head(get_task(task), model)
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.dtype == "float32":
            value = 0.25 * random.normal(size=variable.shape)
            variable.assign(value + (variable.name == "gamma"))
    return model


def write(folder):
    from tfminilm import teachers
    from tfminilm.export.server import hugging_face

    words = tokenizer()
    for name in HEADS:
        (folder / name).mkdir(parents=True)
        labels = LABELS if name.endswith("classifier") else ()
        hugging_face.write(student(name), words, folder / name, labels)
    (folder / "sentences").mkdir()
    backbone = teachers.load_backbone(HERE / "sentences")
    hugging_face.write(backbone, words, folder / "sentences")


def digest(folder):
    """Of the weights and the settings: what the outputs follow from."""
    found = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        found.update((folder / name).read_bytes())
    return found.hexdigest()


def read(folder):
    sentences.refuse_warnings()
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer

    found = {}
    for name, class_name in HEADS.items():
        model, info = getattr(transformers, class_name).from_pretrained(
            folder / name, output_loading_info=True
        )
        print(name, type(model).__name__, info)
        batch = imports.batch({"model_type": "mpnet", "pad_token_id": 1})
        del batch["token_type_ids"]
        with torch.no_grad():
            outputs = model.eval()(
                **{key: torch.tensor(x) for key, x in batch.items()}
            )
        for key, value in outputs.items():
            found[f"{name}/{key}"] = value.numpy()
        found[f"{name}/digest"] = np.array(digest(folder / name))
        if name.endswith("classifier"):
            assert tuple(model.config.id2label.values()) == LABELS
    words = transformers.AutoTokenizer.from_pretrained(folder / "sentences")
    words.model_max_length = 999  # Letters are pieces: no warning.
    rows = words(list(token_ids.LINES), add_special_tokens=False)["input_ids"]
    found["ids"] = np.array(json.dumps(rows))
    found["pair"] = np.array(words(*PAIR)["input_ids"])
    model = SentenceTransformer(str(folder / "sentences"), device="cpu")
    print(type(words).__name__, model, model.max_seq_length)
    found["embeddings"] = model.encode(list(TEXTS))
    np.savez_compressed(HERE / "written.npz", **found)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"save": save, "write": write, "read": read}[command](
        *map(pathlib.Path, arguments)
    )

"""Writes `hugging_face.npz`: what `transformers` computes from our folders.

    python tests/golden/make_hugging_face.py write FOLDER
    python tests/golden/make_hugging_face.py read FOLDER

The first writes small students with random weights, always the same, as
Hugging Face folders; it needs this package. The second loads them with
`transformers` 5.24 on PyTorch 2.15, which need not be installed beside it, with
warnings as errors, and stores what they make of a ragged batch in float32, the
token ids that `AutoTokenizer` makes of a text, and the digest of each folder's
weights.
"""

import gzip
import hashlib
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE / "hugging_face.npz"
WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] the cat sat on a mat and ##s ##ing "
    "resume ##t ' . , ! c ##a"
).split()
TEXT = "The cats' résumé: cating, unknown!"
# To be cut into pieces of letters: 日 is unknown, <s> is text.
LETTERS = "  a  CAT\t½ <s> 日本 привет x<mask>"
LABELS = ("bad", "good")
SEGMENTED = ("bert", "mobilebert", "electra", "albert")
WORD_PIECES = ("bert", "mobilebert", "electra", "distilbert")
CLASSES = {
    "bert": "AutoModel",
    "bert_classifier": "AutoModelForSequenceClassification",
    "bert_score": "AutoModelForSequenceClassification",
    "bert_span": "AutoModelForQuestionAnswering",
    "bert_1_segment": "AutoModel",
    "bert_3_segments": "AutoModel",
    "distilbert": "AutoModel",
    "distilbert_classifier": "AutoModelForSequenceClassification",
    "distilbert_score": "AutoModelForSequenceClassification",
    "distilbert_span": "AutoModelForQuestionAnswering",
    "roberta": "AutoModel",
    "roberta_classifier": "AutoModelForSequenceClassification",
    "roberta_score": "AutoModelForSequenceClassification",
    "roberta_span": "AutoModelForQuestionAnswering",
    "xlm-roberta": "AutoModel",
    "xlm-roberta_classifier": "AutoModelForSequenceClassification",
    "xlm-roberta_score": "AutoModelForSequenceClassification",
    "xlm-roberta_span": "AutoModelForQuestionAnswering",
    "mobilebert": "AutoModel",
    "mobilebert_classifier": "AutoModelForSequenceClassification",
    "mobilebert_span": "AutoModelForQuestionAnswering",
    "mobilebert_1_segment": "AutoModel",
    "mobilebert_3_segments": "AutoModel",
    "albert": "AutoModel",
    "albert_classifier": "AutoModelForSequenceClassification",
    "albert_score": "AutoModelForSequenceClassification",
    "albert_span": "AutoModelForQuestionAnswering",
    "electra": "AutoModel",
    "electra_classifier": "AutoModelForSequenceClassification",
    "electra_span": "AutoModelForQuestionAnswering",
}


def segments(name):
    """How many the model called so has."""
    if name.partition("_")[0] not in SEGMENTED:
        return 1
    return int(name.split("_")[1]) if "segment" in name else 2


def text(name):
    """What the tokenizer of the model called so has to cut."""
    return TEXT if name.partition("_")[0] in WORD_PIECES else LETTERS


def batch(num_segments=2):
    """Three sequences of 11, 7 and 1 tokens, in all segments."""
    random = np.random.default_rng(1)
    shape, lengths = (3, 11), np.array([11, 7, 1])
    real = np.arange(11) < lengths[:, None]
    token_ids = np.where(real, random.integers(5, len(WORDS), shape), 0)
    return {
        "token_ids": token_ids.astype("int32"),
        "segment_ids": random.integers(0, num_segments, shape).astype("int32"),
        "padding_mask": real.astype("int32"),
    }


def tokenizer(name="bert"):
    import keras_hub

    from tfminilm import teachers
    from tfminilm.tokenizer.hugging_face import of_family, with_bert_rules

    if name.startswith("xlm-roberta"):
        return teachers.load_tokenizer("tiny:xlm_roberta")
    if name.startswith("roberta"):
        folder = HERE / "token_ids/roberta"
        parts = (str(folder / part) for part in ("vocab.json", "merges.txt"))
        return of_family(keras_hub.models.RobertaTokenizer(*parts), {})
    if name.startswith("albert"):
        packed = (HERE / "token_ids/albert/spiece.model.gz").read_bytes()
        proto = gzip.decompress(packed)
        return of_family(keras_hub.models.AlbertTokenizer(proto), {})
    return with_bert_rules(
        keras_hub.models.BertTokenizer(
            WORDS, lowercase=True, strip_accents=True
        )
    )


def student(name):
    """The model called so in `CLASSES`: every weight of it counts."""
    import keras_hub

    from tfminilm import students
    from tfminilm.tasks import heads
    from tfminilm.tasks.task import get_task

    family, _, head = name.partition("_")
    size = {
        "vocabulary_size": tokenizer(name).vocabulary_size(),
        "num_layers": 2,
        "num_heads": 4,
        "hidden_dim": 16,
        "intermediate_dim": 24,
        "max_sequence_length": 16,
    }
    if family in SEGMENTED:
        size |= {"num_segments": segments(name)}
    if family == "mobilebert":
        size |= {"bottleneck_dim": 8, "embedding_dim": 8}
    if family in ("albert", "electra"):
        size |= {"embedding_dim": 8}
    if family == "albert":
        size |= {"num_layers": 4, "num_groups": 2, "num_inner_repetitions": 2}
        model = keras_hub.models.AlbertBackbone(**size)
    else:
        if family == "electra":
            del size["num_segments"]
        model = getattr(students, family.replace("-", "_"))(**size)
    task = {"classifier": "sst2", "score": "stsb", "span": "squad"}.get(head)
    if name == "electra_classifier":  # The activation that theirs has.
        model = heads.FirstTokenClassifier(model, 2, activation="gelu")
    elif task:
        model = heads.build_head(get_task(task), model)
    random = np.random.default_rng(0)
    for variable in model.weights:
        value = 0.25 * random.normal(size=variable.shape)
        variable.assign(value + (variable.name == "gamma"))
    if family == "electra":  # Its folders have no pooler.
        pooler = getattr(model, "backbone", model).pooled_dense
        pooler.set_weights([np.eye(16), np.zeros(16)])
    return model


def write(folder):
    from tfminilm.export.server import hugging_face

    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        labels = LABELS if name.endswith("classifier") else ()
        arguments = student(name), tokenizer(name), folder / name, labels
        hugging_face.write(*arguments)


def digest(folder):
    """Of the weights and the settings: what the outputs follow from."""
    found = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        found.update((folder / name).read_bytes())
    return found.hexdigest()


def read(folder):
    from make_sentence_transformers import refuse_warnings

    refuse_warnings()
    import torch
    import transformers

    found = {}
    names = ("input_ids", "token_type_ids", "attention_mask")
    for name, class_name in CLASSES.items():
        model, info = getattr(transformers, class_name).from_pretrained(
            folder / name, output_loading_info=True
        )
        print(name, type(model).__name__, info)
        given = batch(segments(name)).values()
        inputs = {
            theirs: torch.tensor(ours).long()
            for theirs, ours in zip(names, given, strict=True)
        }
        words = transformers.AutoTokenizer.from_pretrained(folder / name)
        words.model_max_length = 99  # Letters are pieces: no warning.
        if "token_type_ids" not in words.model_input_names:
            del inputs["token_type_ids"]
        with torch.no_grad():
            outputs = model.eval()(**inputs)
        for key, value in outputs.items():
            found[f"{name}/{key}"] = value.numpy()
        found[f"{name}/ids"] = np.array(words(text(name))["input_ids"])
        pair = words("a cat", "a mat")
        # Models take zeros where there are none.
        types = pair.get("token_type_ids", [0] * len(pair["input_ids"]))
        found[f"{name}/pair"] = np.array([pair["input_ids"], types])
        found[f"{name}/digest"] = np.array(digest(folder / name))
        if model.config.id2label and name.endswith("classifier"):
            assert tuple(model.config.id2label.values()) == LABELS
    np.savez_compressed(GOLDEN, **found)


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](pathlib.Path(sys.argv[2]))

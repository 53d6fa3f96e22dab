"""Writes `token_ids/camembert/`: a small vocabulary, and what it cuts.

    python tests/golden/make_camembert.py save
    python tests/golden/make_camembert.py write FOLDER
    python tests/golden/make_camembert.py read FOLDER

The first and the last need `transformers` 5.24 on PyTorch 2.15, and not this
package; the second needs this package alone. `save` makes a SentencePiece model
as CamemBERT's, lets `transformers` write its `tokenizer.json`, and stores the
ids of the lines of `make_token_ids.py`, the same from either file. `write`
writes a student of such tokens as a Hugging Face folder. `read` loads it with
warnings as errors, and stores what `transformers` makes of it.
"""

import hashlib
import io
import json
import pathlib
import sys
import tempfile

import make_sentence_transformers as sentences
import make_token_ids as token_ids
import numpy as np

HERE = pathlib.Path(__file__).parent / "token_ids/camembert"
PIECES = "sentencepiece.bpe.model"
PAIR = ("Le chat", "dort, déjà.")
# What the model's table of characters replaces.
RULES = {
    "\xbd": "1/2",
    "\u2019": "'",
    "\u212b": "\xc5",
    "\xa0": " ",
    "\u2026": "...",
}


def pieces():
    """A SentencePiece model with a small table of characters."""
    import sentencepiece

    lines = [line.replace("\0", "") for line in token_ids.LINES if line.strip()]
    file = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        for old, new in RULES.items():
            codes = (" ".join(f"{ord(c):X}" for c in x) for x in (old, new))
            rules.write("\t".join(codes) + "\n")
        rules.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([*lines, *PAIR] * 5), model_writer=file,
            vocab_size=450, hard_vocab_limit=False, num_threads=1,
            unk_id=0, bos_id=1, eos_id=2, character_coverage=0.98,
            normalization_rule_tsv=rules.name, minloglevel=2,
        )  # fmt: skip
    return file.getvalue()


def save():
    import transformers

    HERE.mkdir(exist_ok=True)
    (HERE / PIECES).write_bytes(pieces())
    token_ids._dump(HERE / "config.json", {"model_type": "camembert"})
    settings = {"tokenizer_class": "CamembertTokenizer"}
    token_ids._dump(HERE / "tokenizer_config.json", settings)
    lines, found = list(token_ids.LINES), []
    with tempfile.TemporaryDirectory() as folder:
        new = pathlib.Path(folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(HERE))
        tokenizer.save_pretrained(new)
        token_ids._dump(new / "config.json", {"model_type": "camembert"})
        for source in (HERE, new):
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                str(source), split_special_tokens=True
            )
            rows = tokenizer(lines, add_special_tokens=False)["input_ids"]
            found.append((rows, tokenizer(*PAIR)["input_ids"]))
        text = (new / "tokenizer.json").read_text("utf-8")
    assert found[0] == found[1]
    (HERE / "tokenizer.json").write_text(text, "utf-8")
    ids, pair = found[0]
    token_ids._dump(HERE / "ids.json", {"ids": ids, "pair": pair})


def copy(folder):
    """Copies the vocabulary's folder, with a file of weights that is empty."""
    names = ("config.json", "tokenizer_config.json", "tokenizer.json", PIECES)
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes((HERE / name).read_bytes())
    (folder / "model.safetensors").touch()
    return folder


def student():
    from tfminilm import students, teachers

    with tempfile.TemporaryDirectory() as folder:
        source = copy(pathlib.Path(folder, "camembert"))
        words = teachers.load_tokenizer(source)
    model = students.xlm_roberta(
        1, 8, 2, vocabulary_size=words.vocabulary_size(), max_sequence_length=40
    )
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.dtype == "float32":
            value = 0.25 * random.normal(size=variable.shape)
            variable.assign(value + (variable.name == "gamma"))
    return model, words


def batch():
    """Two sequences of 9 and 5 tokens."""
    real = np.arange(9) < np.array([[9], [5]])
    ids = np.random.default_rng(0).integers(5, 40, real.shape)
    return np.where(real, ids, 1), real.astype("int64")


def digest(folder):
    """Of the weights and the settings: what the outputs follow from."""
    found = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        found.update((folder / name).read_bytes())
    return found.hexdigest()


def write(folder):
    from tfminilm.export.server import hugging_face

    folder.mkdir(parents=True)
    hugging_face.write(*student(), folder)


def read(folder):
    sentences.refuse_warnings()
    import torch
    import transformers

    model, info = transformers.AutoModel.from_pretrained(
        folder, output_loading_info=True
    )
    print(type(model).__name__, info)
    ids, mask = map(torch.tensor, batch())
    with torch.no_grad():
        states = model.eval()(input_ids=ids, attention_mask=mask)[0]
    words = transformers.AutoTokenizer.from_pretrained(folder)
    words.model_max_length = 999  # Letters are pieces: no warning.
    rows = words(list(token_ids.LINES), add_special_tokens=False)["input_ids"]
    np.savez_compressed(
        HERE / "written.npz",
        states=states.numpy(),
        ids=np.array(json.dumps(rows)),
        pair=np.array(words(*PAIR)["input_ids"]),
        digest=np.array(digest(folder)),
    )


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"save": save, "write": write, "read": read}[command](
        *map(pathlib.Path, arguments)
    )

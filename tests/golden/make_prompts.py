"""Writes `prompts.npz`: embeddings of texts behind prompts.

    python tests/golden/make_prompts.py save
    python tests/golden/make_prompts.py write FOLDER
    python tests/golden/make_prompts.py read FOLDER

The first and the last need `sentence-transformers` 6.2, `transformers` 5.24
and PyTorch 2.15, and not this package; the second needs this package alone. The
model is `sentence_transformers/mean` with `PROMPTS`. `save` stores embeddings
with the default prompt, with each of the others by its name, and with none.
`write` writes the folder again as this package does, and `read` stores what
the library says of that.
"""

import json
import pathlib
import shutil
import sys
import tempfile

import make_sentence_transformers as library
import numpy as np

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE / "prompts.npz"
TEXTS = [*library.TEXTS, "  a mat"]
# The first one is the default; the last one is no text at all.
PROMPTS = {"query": "the cat: ", "passage": "On a mat", "document": ""}


def make(folder):
    """Copy the folder, with the prompts and room for them."""
    shutil.copytree(HERE / "sentence_transformers/mean", folder)
    for name, changes in (
        (
            "config_sentence_transformers.json",
            {"prompts": PROMPTS, "default_prompt_name": "query"},
        ),
        ("tokenizer_config.json", {"model_max_length": 16}),
        ("tokenizer.json", {"truncation": None}),
    ):
        path = folder / name
        path.chmod(0o644)
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def embed(folder):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    print(model.prompts, model.default_prompt_name, model.max_seq_length)
    found = {"default": model.encode(TEXTS)}
    for name in PROMPTS:
        found[name] = model.encode(TEXTS, prompt_name=name)
    return found | {"none": model.encode(TEXTS, prompt="")}


def store(found):
    kept = dict(np.load(GOLDEN)) if GOLDEN.exists() else {}
    np.savez_compressed(GOLDEN, **kept | found)


def save(_=None):
    with tempfile.TemporaryDirectory() as folder:
        store(embed(make(pathlib.Path(folder) / "model")))


def write(folder):
    from tfminilm import teachers
    from tfminilm.export.server import hugging_face

    (folder / "written").mkdir(parents=True)
    source = make(folder / "model")
    parts = teachers.load_backbone(source), teachers.load_tokenizer(source)
    hugging_face.write(*parts, folder / "written")


def read(folder):
    found = embed(folder / "written")
    found["digest"] = np.array(library.digest(folder / "written"))
    store({f"written/{name}": value for name, value in found.items()})


if __name__ == "__main__":
    step, *folders = sys.argv[1:]
    {"save": save, "write": write, "read": read}[step](
        *map(pathlib.Path, folders)
    )

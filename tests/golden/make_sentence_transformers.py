"""Writes `sentence_transformers/`: folders and what the library makes of them.

    python tests/golden/make_sentence_transformers.py save MINILM
    python tests/golden/make_sentence_transformers.py write FOLDER
    python tests/golden/make_sentence_transformers.py read FOLDER

The first and the last need `sentence-transformers` 6.2, `transformers` 5.24
and PyTorch 2.15, and not this package; the second needs this package alone.
`save` saves two small random BERTs as the library does today, and stores the
embeddings of `TEXTS` by them and by MINILM, the folder of all-MiniLM-L6-v2.
`write` writes the two again as this package does. `read` loads those with
warnings as errors, and stores their embeddings with a digest of each folder.
"""

import hashlib
import logging
import pathlib
import sys
import warnings

import numpy as np

HERE = pathlib.Path(__file__).parent / "sentence_transformers"
WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] the cat sat on a mat and ##s ##ing "
    "resume ##t ' . , ! c ##a"
).split()
# The last one is cut: by `mean` at 8 tokens, by `cls` at 16.
TEXTS = (
    "the cat",
    "The cats' résumé: cating, unknown!",
    "",
    "a mat and a cat and a mat , the cat sat on a mat . the cats sat on mats",
)
FOLDERS = {"mean": (True, 8), "cls": (False, 16)}


def refuse_warnings():
    """Make an error of each warning, and of each logged one."""

    class Refuse(logging.Handler):
        def emit(self, record):
            raise RuntimeError(record.getMessage())

    warnings.simplefilter("error")
    import sentence_transformers
    import transformers

    for name in (sentence_transformers.__name__, transformers.__name__):
        logging.getLogger(name).addHandler(Refuse(logging.WARNING))


def save(minilm):
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    found = {}
    plain = HERE / "plain"
    for seed, (pooling, (normalize, length)) in enumerate(FOLDERS.items()):
        torch.manual_seed(seed)
        config = transformers.BertConfig(
            vocab_size=len(WORDS),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=24,
            max_position_embeddings=16,
            initializer_range=0.3,
        )
        transformers.BertModel(config).save_pretrained(plain)
        (plain / "vocab.txt").write_text("\n".join(WORDS) + "\n")
        transformers.BertTokenizer(str(plain / "vocab.txt")).save_pretrained(
            plain
        )
        modules = [
            Transformer(str(plain), max_seq_length=length),
            Pooling(16, pooling_mode=pooling),
        ]
        modules += [Normalize()] if normalize else []
        model = SentenceTransformer(modules=modules, device="cpu")
        model.save(str(HERE / pooling), create_model_card=False)
        model = SentenceTransformer(str(HERE / pooling), device="cpu")
        found[pooling] = model.encode(list(TEXTS))
    for path in plain.iterdir():
        path.unlink()
    plain.rmdir()
    model = SentenceTransformer(str(minilm), device="cpu")
    found["minilm"] = model.encode(list(TEXTS))
    np.savez_compressed(HERE / "golden.npz", **found)


def write(folder):
    from tfminilm import teachers
    from tfminilm.export.server import hugging_face

    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
        hugging_face.write(
            teachers.load_backbone(HERE / name),
            teachers.load_tokenizer(HERE / name),
            folder / name,
        )


def digest(folder):
    """Of all files but the tokenizer's: what the embeddings follow from."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.*")):
        if path.is_file() and "token" not in path.name:
            found.update(path.relative_to(folder).as_posix().encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def read(folder):
    refuse_warnings()
    from sentence_transformers import SentenceTransformer

    found = {}
    for name in FOLDERS:
        model = SentenceTransformer(str(folder / name), device="cpu")
        print(model, model.max_seq_length, model.similarity_fn_name)
        found[name] = model.encode(list(TEXTS))
        found[f"{name}/digest"] = np.array(digest(folder / name))
    np.savez_compressed(HERE / "written.npz", **found)


if __name__ == "__main__":
    {"save": save, "write": write, "read": read}[sys.argv[1]](
        pathlib.Path(sys.argv[2])
    )

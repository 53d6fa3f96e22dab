"""Writes `multilingual/`: an XLM-R that embeds texts, as multilingual-E5 does.

    python tests/golden/make_multilingual.py save
    python tests/golden/make_multilingual.py write FOLDER
    python tests/golden/make_multilingual.py read FOLDER

The first and the last need `sentence-transformers` 6.2, `transformers` 5.24
and PyTorch 2.15, and not this package; the second needs this package alone.
`save` saves a small random model in multilingual-E5's layout, with its prompts
in front of no text by default, and stores the embeddings and the ids of
`TEXTS`. `write` writes it again as this package does. `read` loads that with
warnings as errors, and stores the same, with a digest of the folder.
"""

import json
import pathlib
import sys
import tempfile

import make_camembert
import make_sentence_transformers as sentences
import numpy as np

HERE = pathlib.Path(__file__).parent / "multilingual"
MODEL = HERE / "model"
LENGTH = 24
PROMPTS = {"query": "query: ", "document": "passage: "}
# `transformers` gives these the ids of SentencePiece. The last one is cut.
TEXTS = (
    "query: cafe naïve",
    "passage: العَرَبِيَّة и हिन्दी",
    "query: 漢字かな交じり文 ガギグ",
    "passage: Σίσυφος, Straße! สวัสดีครับ 한국어",
    "",
    "passage: snake_case a-b and many spaces, 9,000,000.50 leading and new x",
)


def save():
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        plain = pathlib.Path(folder)
        pieces = make_camembert.pieces()
        (plain / "sentencepiece.bpe.model").write_bytes(pieces)
        (plain / "config.json").write_text('{"model_type": "xlm-roberta"}')
        words = transformers.AutoTokenizer.from_pretrained(folder)
        config = transformers.XLMRobertaConfig(
            vocab_size=len(words),
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=34,
            type_vocab_size=1,
            initializer_range=0.3,
            layer_norm_eps=1e-5,
            pad_token_id=1,
            bos_token_id=0,
            eos_token_id=2,
        )
        (plain / "sentencepiece.bpe.model").unlink()
        transformers.XLMRobertaModel(config).save_pretrained(plain)
        words.save_pretrained(plain)
        modules = [Transformer(folder, max_seq_length=LENGTH)]
        modules += [Pooling(8, pooling_mode="mean"), Normalize()]
        model = SentenceTransformer(
            modules=modules, device="cpu", prompts=PROMPTS
        )
        model.save(str(MODEL), create_model_card=False)
    (MODEL / "model.safetensors").chmod(0o644)
    np.savez_compressed(HERE / "golden.npz", **measure(MODEL))


def measure(folder):
    """What the library computes with a folder."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    cut = {"truncation": True, "max_length": LENGTH}
    ids = model.tokenizer(list(TEXTS), **cut)["input_ids"]
    return {
        "embeddings": model.encode(list(TEXTS)),
        "ids": np.array(json.dumps(ids)),
    }


def write(folder):
    from tfminilm import teachers
    from tfminilm.export.server import hugging_face

    folder.mkdir(parents=True)
    model, words = teachers.load_backbone(MODEL), teachers.load_tokenizer(MODEL)
    hugging_face.write(model, words, folder)


def read(folder):
    sentences.refuse_warnings()
    digest = np.array(sentences.digest(folder))
    found = measure(folder) | {"digest": digest}
    np.savez_compressed(HERE / "written.npz", **found)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"save": save, "write": write, "read": read}[command](
        *map(pathlib.Path, arguments)
    )

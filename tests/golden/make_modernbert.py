"""Writes `modernbert.npz` and `modernbert/`: small ModernBERTs.

    python tests/golden/make_modernbert.py

It needs `transformers` 5.24 on PyTorch 2.15, and not this package. For each of
`CASES` it saves a model, gives every tensor of the file the numbers that
`make_imports.values` makes of its name, loads the model again, and stores the
settings, the names and shapes of the tensors, and what the model computes from
`batch` in float32. The tests make the same folders with `write`.

The folder holds a small tokenizer of ModernBERT's kind, and the ids that
`AutoTokenizer` makes of the lines of `make_token_ids.py` and of `LINES`.
"""

import json
import pathlib
import sys
import tempfile

import make_imports
import make_token_ids
import numpy as np

HERE = pathlib.Path(__file__).parent
TOKENIZER = HERE / "modernbert"
# With tokens that were added to the pieces, and letters in parts.
LINES = (
    "a    b        c  [unused0] |||EMAIL_ADDRESS|||x",
    "e\u0301 \u1100\u1161 [MASK] a[MASK] <|endoftext|>",
)
GOLDEN = HERE / "modernbert.npz"
SIZES = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 5,
    "num_attention_heads": 2,
    "local_attention": 6,
    "max_position_embeddings": 64,
    "pad_token_id": 3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "cls_token_id": 1,
    "sep_token_id": 2,
}
ROPE = {
    "full_attention": {"rope_type": "default", "rope_theta": 50.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 7.0},
}
OTHERS = {
    "hidden_activation": "silu",
    "norm_eps": 0.1,
    "rope_parameters": ROPE,
    "layer_types": ["full_attention", "sliding_attention"] * 2
    + ["full_attention"],
}
CASES = {
    "bare": ("ModernBertModel", SIZES),
    "others": ("ModernBertModel", SIZES | OTHERS),
    "masked_lm": ("ModernBertForMaskedLM", SIZES),
    "cls": ("ModernBertForSequenceClassification", SIZES | {"num_labels": 3}),
    "mean": (
        "ModernBertForSequenceClassification",
        SIZES | {"num_labels": 3, "classifier_pooling": "mean"},
    ),
    "span": ("ModernBertForQuestionAnswering", SIZES),
    "tokens": ("ModernBertForTokenClassification", SIZES | {"num_labels": 4}),
}


def batch():
    """Three sequences of 20, 13 and 1 tokens."""
    random = np.random.default_rng(0)
    real = np.arange(20) < np.array([[20], [13], [1]])
    ids = random.integers(5, 40, real.shape)
    return {
        "input_ids": np.where(real, ids, SIZES["pad_token_id"]),
        "attention_mask": real.astype("int64"),
    }


def write(golden, name, folder):
    """The Hugging Face folder of a case; returns its settings and tensors."""
    return make_imports.write(golden, name, folder)


def lines():
    """All lines that are cut."""
    return [*make_token_ids.LINES, *LINES]


def measure(name, folder):
    """What is stored of a case."""
    import safetensors
    import torch
    import transformers

    class_name, settings = CASES[name]
    cls = getattr(transformers, class_name)
    cls(transformers.ModernBertConfig(**settings)).save_pretrained(folder)
    saved = (folder / "config.json").read_text()
    with safetensors.safe_open(folder / "model.safetensors", "np") as file:
        keys = file.keys()
        shapes = {key: file.get_slice(key).get_shape() for key in keys}
    found = {
        f"{name}/settings": np.array(json.dumps(json.loads(saved))),
        f"{name}/shapes": np.array(json.dumps(shapes)),
    }
    write(found, name, folder)
    model, info = cls.from_pretrained(folder, output_loading_info=True)
    print(name, {key: value for key, value in info.items() if value})
    inputs = {key: torch.tensor(x) for key, x in batch().items()}
    with torch.no_grad():
        outputs = model.eval()(**inputs)
    for key, value in outputs.items():
        found[f"{name}/{key}"] = value.numpy()
    return found


def write_tokenizer():
    """Byte-level pieces, and the added tokens that ModernBERT has."""
    import tokenizers
    from tokenizers import AddedToken

    engine = tokenizers.Tokenizer(tokenizers.models.BPE())
    engine.normalizer = tokenizers.normalizers.NFC()
    byte_level = tokenizers.pre_tokenizers.ByteLevel
    engine.pre_tokenizer = byte_level(add_prefix_space=False)
    engine.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=380,
        initial_alphabet=sorted(byte_level.alphabet()),
        special_tokens=["|||IP_ADDRESS|||", "<|padding|>"],
        show_progress=False,
    )
    engine.train_from_iterator(lines(), trainer)
    engine.add_tokens([" " * count for count in range(8, 1, -1)])
    engine.add_tokens(["|||EMAIL_ADDRESS|||"])
    mask = AddedToken("[MASK]", lstrip=True)
    ends = ["<|endoftext|>", "[UNK]", "[CLS]", "[SEP]", "[PAD]", mask]
    engine.add_special_tokens(ends)
    engine.add_tokens(["[unused0]", "[unused1]"])
    TOKENIZER.mkdir(exist_ok=True)
    engine.save(str(TOKENIZER / "tokenizer.json"))
    names = ("cls", "sep", "pad", "mask", "unk")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "attention_mask"],
        **{f"{name}_token": f"[{name.upper()}]" for name in names},
    }
    path = TOKENIZER / "tokenizer_config.json"
    path.write_text(json.dumps(settings) + "\n")


def measure_tokenizer():
    """What `AutoTokenizer` makes of the lines, its special tokens as text."""
    import transformers

    other = transformers.AutoTokenizer.from_pretrained(
        TOKENIZER, split_special_tokens=True
    )
    ids = other(lines(), add_special_tokens=False)["input_ids"]
    text = json.dumps(ids, separators=(",", ":"))
    (TOKENIZER / "ids.json").write_text(text + "\n")


def main():
    found = {}
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            found |= measure(name, pathlib.Path(folder))
    np.savez_compressed(GOLDEN, **found)
    write_tokenizer()
    measure_tokenizer()


if __name__ == "__main__":
    sys.exit(main())

"""Name MPNet's settings, tensors and special words as `transformers` does."""

from tfminilm.families.hugging_face import names

SPECIAL = {"cls": "<s>", "sep": "</s>", "pad": "<pad>", "mask": "<mask>"}
_PAD = 1
NAMES = names.Names(
    prefix="mpnet.",
    sizes=names.SIZES,
    defaults={
        key: value
        for key, value in names.DEFAULTS.items()
        if key != "type_vocab_size"
    }
    | {"pad_token_id": _PAD},
    fixed={"pad_token_id": _PAD, "relative_attention_num_buckets": 32},
    has_pads_position=True,
    position_bias="encoder.relative_attention_bias",
    layer=(
        "attention.attn.q",
        "attention.attn.k",
        "attention.attn.v",
        "attention.attn.o",
        "attention.LayerNorm",
        "intermediate.dense",
        "output.dense",
        "output.LayerNorm",
    ),
    pooler="pooler.dense",
    masked_lm=("lm_head.dense", "lm_head.layer_norm", "lm_head"),
    decoder="lm_head.decoder",
    is_masked_lm=r"lm_head\.",
    is_other=names.OTHER,
)

"""MPNet: BERT's layers and words, and biases for how far tokens are apart."""

from typing import TYPE_CHECKING, Any

from tfminilm.families import post_norm
from tfminilm.families.family import Family, HuggingFace, Tokens
from tfminilm.families.hugging_face import names
from tfminilm.families.mpnet.hugging_face import NAMES, SPECIAL

if TYPE_CHECKING:
    import keras


def mpnet(
    num_layers: int,
    hidden_dim: int,
    num_heads: int = 12,
    intermediate_dim: int | None = None,
    vocabulary_size: int = 30_527,
    max_sequence_length: int = 512,
    dropout: float = 0.1,
    **kwargs: Any,
) -> "keras.Model":
    """Build a randomly initialised MPNet (arXiv 2004.09297).

    It is a RoBERTa whose layers share one table of biases: a number for each
    head and bucket of distances, which is added to the attention scores
    before the softmax. It has no segments, and reads BERT's word pieces
    between `<s>` and `</s>`. `teachers.expose` gives scores with the bias;
    queries, keys and values know nothing of it, so MiniLMv2's relations of
    queries and keys compare what the tokens say, not where they stand.

    Args:
        num_layers: encoder layers.
        hidden_dim: width; a multiple of `num_heads`.
        num_heads: attention heads. MiniLM needs the teacher's number.
        intermediate_dim: width of the feed-forward block; four times
            `hidden_dim` if not given.
        vocabulary_size: the teacher's; 30,527 is MPNet's.
        max_sequence_length: rows of the position table.
        dropout: rate in training.
        **kwargs: what else the backbone takes: `pooler` (`False`: no
            `pooled_output`), `activation` ("gelu"), `layer_norm_epsilon`
            (1e-5), `dtype`, `name`.

    Returns:
        A backbone like KerasHub's. Its inputs are `token_ids` and
        `padding_mask`, both `[batch, length]` integers.
    """
    from tfminilm.families.mpnet.model import MPNetBackbone

    return MPNetBackbone(
        num_layers=num_layers,
        hidden_dim=hidden_dim,
        num_heads=num_heads,
        intermediate_dim=intermediate_dim or 4 * hidden_dim,
        vocabulary_size=vocabulary_size,
        max_sequence_length=max_sequence_length,
        dropout=dropout,
        **kwargs,
    )


def _backbone() -> type:
    from tfminilm.families.mpnet.model import MPNetBackbone

    return MPNetBackbone


def _masked_lm() -> type:
    from tfminilm.families.mpnet.model import MPNetMaskedLM

    return MPNetMaskedLM


def _tokenizer() -> type:
    from tfminilm.families.mpnet.model import MPNetTokenizer

    return MPNetTokenizer


def _contents(
    names: names.Names, backbone: "keras.Model"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a folder's settings and its layers by PyTorch's modules.

    A pooler that the model has not gives the tanh of the first token's state.
    """
    from tfminilm.families.hugging_face import writer

    settings, layers = writer.contents(names, backbone)
    positions = writer.padded_positions(names, backbone, settings)
    layers["embeddings.position_embeddings"] = positions
    if not backbone.pooler:
        layers["pooler.dense"] = writer.identity(backbone.hidden_dim)
    return settings | dict(names.fixed), layers


FAMILY = Family(
    name="mpnet",
    title="MPNet",
    backbone="MPNetBackbone",
    # It was trained with two end tokens between the texts, as RoBERTa.
    tokens=Tokens(
        "MPNetTokenizer",
        30_527,
        separators=2,
        own_class=_tokenizer,
        special=SPECIAL,
    ),
    students={"mpnet": mpnet},
    arguments=post_norm.arguments,
    own_backbone=_backbone,
    masked_lm=_masked_lm,
    masked_lm_activation="gelu",
    hugging_face=HuggingFace(
        "mpnet",
        "MPNet",
        names=NAMES,
        reader=post_norm.reader,
        masked_lm=post_norm.masked_lm,
        contents=_contents,
        classifier=names.CLASSIFIER,
        classifier_dropout=("hidden_dropout_prob",),
    ),
    exposure=post_norm.exposure,
    mobile_graph="post_norm",
)

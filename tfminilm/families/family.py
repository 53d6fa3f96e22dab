"""Describe a family of models by one record: all that differs from others."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tfminilm.families import counts

if TYPE_CHECKING:  # A recipe is checked without Keras, which takes seconds.
    import keras

    from tfminilm.families.hugging_face.checkpoint import Checkpoint
    from tfminilm.families.hugging_face.names import Names
    from tfminilm.typing import Policy, Tokenizer


class StudentShape(Protocol):
    """The sizes of a student, as a recipe's `StudentSpec` has them."""

    @property
    def kind(self) -> str: ...
    @property
    def num_layers(self) -> int: ...
    @property
    def hidden_dim(self) -> int: ...
    @property
    def num_heads(self) -> int: ...
    @property
    def intermediate_dim(self) -> int: ...
    @property
    def embedding_dim(self) -> int: ...
    @property
    def lstm_units(self) -> int: ...
    @property
    def bottleneck_dim(self) -> int: ...
    @property
    def num_feedforwards(self) -> int: ...
    @property
    def attention_input(self) -> str: ...
    @property
    def max_sequence_length(self) -> int: ...
    @property
    def dropout(self) -> float: ...


class Exposure(NamedTuple):
    """The classes by which `teachers.expose` shows an encoder layer's inside.

    Attributes:
        layer: of the encoder's layers.
        whole: takes such a layer and names of tensors; computes its output
            and these, as `layers.attention.ExposedEncoder` does.
        parts: computes these alone, as `layers.attention.AttentionParts`.
    """

    layer: Any
    whole: Callable[..., Any]
    parts: Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The tokens that a family was made for.

    Attributes:
        tokenizer: the name of its class, KerasHub's or this package's.
        vocabulary_size: of the published models.
        separators: end tokens between two texts that are read together.
        tiny: the small random model with such tokens, as in `tiny:bert`;
            empty if there is none.
        tiny_tokenizer: makes its tokenizer.
        own_class: gives this package's class, if KerasHub has none.
        read: makes the tokenizer of a Hugging Face folder, with KerasHub's
            rules, where KerasHub's own code cannot.
        or_words: whether a folder of the family may have word pieces as well:
            its students have the tokens of their teachers.
        special: the special ones among word pieces, by what they are for.
    """

    tokenizer: str
    vocabulary_size: int
    separators: int = 1
    tiny: str = ""
    tiny_tokenizer: Callable[[], Tokenizer] | None = None
    own_class: Callable[[], Any] | None = None
    read: Callable[[pathlib.Path], Tokenizer] | None = None
    or_words: bool = False
    special: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def tokenizer_class(self) -> Any:
        """Return the class called `tokenizer`."""
        import keras_hub

        if self.own_class is not None:
            return self.own_class()
        return getattr(keras_hub.models, self.tokenizer)


class Relative(NamedTuple):
    """A model of `transformers` with a family's layers and tokens of its own.

    Attributes:
        model_type: what `config.json` calls it.
        class_name: what its classes begin with.
        tokens: what it reads.
    """

    model_type: str
    class_name: str
    tokens: Tokens


class Reader(Protocol):
    """A module that reads a family's models from other libraries' folders.

    It is called in `private.deferred.made_with_values`, where no optimizer can
    be made: models of KerasHub's are built with `compile=False`.
    """

    def load_backbone(
        self, checkpoint: Checkpoint, family: Family, dtype: Policy = None
    ) -> keras.Model: ...
    def load_masked_lm(
        self, checkpoint: Checkpoint, family: Family, dtype: Policy = None
    ) -> keras.Model | None: ...
    def load_with_head(
        self,
        checkpoint: Checkpoint,
        family: Family,
        layers: Mapping[str, str],
        build: Callable[[keras.Model], keras.Model],
        dtype: Policy = None,
    ) -> keras.Model: ...


@dataclasses.dataclass(frozen=True)
class HuggingFace:
    """Describe how `transformers` keeps a family's models.

    Attributes:
        model_type: what `config.json` calls the family.
        class_name: what its classes begin with, such as `Bert` in `BertModel`.
        names: of the settings and tensors of KerasHub's post-norm encoders.
        relatives: others with the same layers.
        reader: gives the module that reads its folders; `None` if none does.
        reads_tf1: whether that reads TensorFlow 1's checkpoints as well.
        contents: gives, from `names` and a backbone, what its folder holds:
            what `config.json` says of it, and its layers by the names of
            PyTorch's modules; `None` if such folders are only read.
        has_zero_padding: whether the padding's row of its token table is zero:
            the last word's neighbour is the padding there, and nothing here.
        decoder: where such a folder has the table of the logits for masked
            words if the padding's row makes one.
        classifier: PyTorch's names of a text classifier's own layers, whole,
            by their names in Keras; BERT's pooler is not among them.
        classifier_activation: of the layer in front of its logits.
        classifier_dropout: the settings of its dropout; the first that is
            there counts.
        base: the prefix of tensor names where the model has a head and no
            `names`; that of `model_type` if empty.
        classifier_pooling: the setting that says what a text classifier
            reads; empty if all read the same.
        spans: PyTorch's names of the layers that find answers, as those of
            `classifier`.
        spans_dropout: the setting of their dropout.
        tokens: PyTorch's names of the layers that classify tokens.
        masked_lm: gives, from the family and a masked language model, its
            head's layers by the names of PyTorch's modules; `None` if such
            heads are not written.
    """

    model_type: str
    class_name: str
    names: Names | None = None
    relatives: tuple[Relative, ...] = ()
    reader: Callable[[], Reader] | None = None
    reads_tf1: bool = False
    contents: (
        Callable[[Any, keras.Model], tuple[dict[str, Any], dict[str, Any]]]
        | None
    ) = None
    has_zero_padding: bool = False
    decoder: str = ""
    classifier: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"logits": "classifier"}
    )
    classifier_activation: str = "tanh"
    classifier_dropout: tuple[str, ...] = (
        "classifier_dropout",
        "hidden_dropout_prob",
    )
    base: str = ""
    classifier_pooling: str = ""
    spans: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"span_logits": "qa_outputs"}
    )
    spans_dropout: str = "qa_dropout"
    tokens: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"token_classifier": "classifier"}
    )
    masked_lm: Callable[[Family, keras.Model], dict[str, Any]] | None = None

    @property
    def model_types(self) -> tuple[str, ...]:
        """Everything that `config.json` may call such a model."""
        return (self.model_type, *(one.model_type for one in self.relatives))

    @property
    def prefix(self) -> str:
        """Return the prefix of tensor names where the model has a head."""
        base = self.base or f"{self.model_type}."
        return self.names.prefix if self.names else base


@dataclasses.dataclass(frozen=True, eq=False)
class Family:
    """A family of models: everything that differs from other families.

    Attributes:
        name: what it is called in recipes.
        title: what it is called in texts.
        backbone: the name of its class, KerasHub's or this package's.
        tokens: what it reads.
        students: functions that build one, by their `student.kind`.
        arguments: of these functions, but for `vocabulary_size` and `dtype`,
            from a student's shape and whether it reads pairs of texts.
        split_width: the size that attention splits into heads.
        exposure: gives the classes that show the inside of its layers; `None`
            for a model without attention, which has no states of tokens.
        own_backbone: gives this package's class, where KerasHub has none.
        computes_with: the activation and the epsilon of KerasHub's class, which
            has no settings for them; `None` if no others are known.
        masked_lm_activation: of the head for masked tokens; empty if it is
            the encoder's.
        masked_lm: gives this package's masked language model, where KerasHub
            has none.
        predicts_next_sentence: whether that model has such a head.
        text_classifier: gives this package's classifier, if KerasHub has none.
        head_states: gives, from a backbone, the layers that all heads of the
            family have between states and logits; `None` if there are none.
        classifier_pools: whether KerasHub's classifier reads the backbone's
            pooled output, and not the first token's state.
        hugging_face: how `transformers` keeps its models, if it has any.
        mobile_graph: how a phone computes it: a name in
            `export.graph.mobile_graph`. Empty if it cannot.
        sizes: gives a backbone's layers, heads and widths.
        flops: of one sequence, from a backbone and a length in tokens: two
            for each multiply-add of the encoder's matrix products.
        reading: which of several models of the same name a backbone is.
    """

    name: str
    title: str
    backbone: str
    tokens: Tokens
    students: Mapping[str, Callable[..., keras.Model]] = dataclasses.field(
        default_factory=dict
    )
    arguments: Callable[[StudentShape, bool], dict[str, Any]] | None = None
    split_width: str = "hidden_dim"
    exposure: Callable[[], Exposure] | None = None
    own_backbone: Callable[[], Any] | None = None
    computes_with: tuple[str, float] | None = None
    masked_lm_activation: str = ""
    masked_lm: Callable[[], Any] | None = None
    predicts_next_sentence: bool = False
    text_classifier: Callable[[], Any] | None = None
    head_states: Callable[[Any], Callable[[Any], Any]] | None = None
    classifier_pools: bool = False
    hugging_face: HuggingFace | None = None
    mobile_graph: str = ""
    sizes: Callable[[keras.Model], dict[str, int]] = counts.sizes
    flops: Callable[[keras.Model, int], int] = counts.flops
    reading: Callable[[keras.Model], str] = counts.reading

    @property
    def is_encoder(self) -> bool:
        """Tell whether attention makes a state of each token."""
        return self.exposure is not None

    def build(
        self,
        shape: StudentShape,
        vocabulary_size: int,
        pairs: bool = False,
        **options: object,
    ) -> keras.Model:
        """Build a student with random weights.

        Args:
            shape: its kind, one of `students`, and its sizes.
            vocabulary_size: rows of its token table.
            pairs: whether it reads pairs of texts.
            **options: what else the kind takes, such as `dtype`.
        """
        assert self.arguments is not None
        return self.students[shape.kind](
            vocabulary_size=vocabulary_size,
            **self.arguments(shape, pairs),
            **options,
        )

"""Define the manifest: what a bundle, or a server's folder, says of itself.

`bundle.schema` writes `bundle/manifest.schema.json` from these classes, and
`bundle.rules` reads a `manifest.json` into them.
"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

from tfminilm.export.manifest_parts import (
    MOST_CHARACTERS,
    MOST_REAL,
    Calibration,
    Length,
    MultiLabelClassification,
    QuestionAnswering,
    SentenceEmbedding,
    TokenClassification,
)
from tfminilm.tasks.kinds import KINDS
from tfminilm.tokenizer import BERT, KERAS_HUB
from tfminilm.typed_json import MOST_OF_NAME, Rule

FORMAT = "tfminilm-bundle"
FORMAT_VERSION = 2
MANIFEST = "manifest.json"
MODEL = "model.tflite"

# An app shows what people read, and holds all of a manifest in memory.
MOST_LABELS = 10_000
MOST_SIGNATURES = 64
MOST_KEYS = 100  # Of an object with any others.
MOST_AXES = 8

ENCODER = "encoder"  # The task of a model without a head.

# What a head or an app reads of each task's model.
OUTPUTS = {ENCODER: ("sentence_embedding",)} | {
    kind.manifest_name: kind.outputs for kind in KINDS.values()
}
ALL_OUTPUTS = tuple(
    dict.fromkeys(name for names in OUTPUTS.values() for name in names)
)

_WITH_CLASSES = tuple(
    kind.manifest_name for kind in KINDS.values() if kind.has_classes
)
SCORE_ACTIVATIONS = ("linear", "sigmoid")

Size = Annotated[int, Rule(minimum=1)]
Name = Annotated[str, Rule(max_size=MOST_OF_NAME)]
Real = Annotated[float, Rule(minimum=-MOST_REAL, maximum=MOST_REAL)]
Gap = Annotated[float, Rule(minimum=0)]
TokenIds = Annotated[
    tuple[Annotated[int, Rule(minimum=0)], ...], Rule(min_size=1)
]
# No separator, no drive, no "..": what it names lies in the folder itself.
FileName = Annotated[str, Rule(pattern=r"\w[\w.-]*", expected="name of a file")]
Version = Annotated[
    str | None,
    Rule(
        pattern=r"\d+\.\d+\.\d+",
        expected="a version such as 2.16.1, or null",
    ),
]


@dataclasses.dataclass(frozen=True)
class ModelSizes:
    """The sizes of an encoder."""

    vocabulary_size: Annotated[int, Rule(minimum=1, maximum=2**31 - 1)]
    num_layers: Size
    num_heads: Size
    hidden_dim: Size
    parameters: Annotated[int, Rule(minimum=1, maximum=10**15)]


_OF_WORDS = ("kind", "wordpiece")
_OF_PIECES = ("kind", "sentencepiece")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenizerSettings:
    """Describe how texts become ids: a file of words or pieces, and settings.

    What belongs to the other kind is None.
    """

    kind: Annotated[str, Rule(choices=("wordpiece", "sentencepiece"))]
    rules: Annotated[
        str | None,
        Rule(
            choices=(BERT, KERAS_HUB),
            is_optional=True,
            when=_OF_WORDS,
            description="Whose rules make words of a text: BERT's or "
            "KerasHub's.",
        ),
    ] = None
    vocabulary: Annotated[
        str, Rule(description="The name of a file of the bundle.")
    ]
    lowercase: Annotated[
        bool | None, Rule(is_optional=True, when=_OF_WORDS)
    ] = None
    strip_accents: Annotated[
        bool | None, Rule(is_optional=True, when=_OF_WORDS)
    ] = None
    # Native code cannot be given any other: it ends the process.
    suffix_indicator: Annotated[
        str | None,
        Rule(
            pattern="[!-~]{1,16}",
            expected="1 to 16 of ASCII's signs, such as ##",
            is_optional=True,
            when=_OF_WORDS,
        ),
    ] = None
    id_offset: Annotated[
        int | None,
        Rule(
            minimum=0,
            maximum=1000,
            is_optional=True,
            when=_OF_PIECES,
            description="A piece's id is its number in the file and this; "
            "the first piece, for what is unknown, has special_ids.unk.",
        ),
    ] = None
    separators_between_texts: Annotated[
        int | None,
        Rule(
            minimum=1,
            maximum=2,
            is_optional=True,
            when=_OF_PIECES,
            or_given=True,
            description="End tokens; one where nothing is said.",
        ),
    ] = None
    special_ids: Annotated[
        Mapping[str, Annotated[int, Rule(minimum=0)]],
        Rule(keys=("cls", "sep", "pad", "unk"), max_size=MOST_KEYS),
    ]


@dataclasses.dataclass(frozen=True)
class Tensor:
    """The type and the shape of an input or an output."""

    dtype: Annotated[str, Rule(choices=("int32", "float32"))]
    shape: Annotated[tuple[Size, ...], Rule(max_size=MOST_AXES)]


Tensors = Annotated[Mapping[str, Tensor], Rule(min_size=1, max_size=MOST_KEYS)]


@dataclasses.dataclass(frozen=True)
class Signature:
    """One way to call the model: with texts of up to `length` tokens."""

    length: Length
    inputs: Tensors
    outputs: Tensors


@dataclasses.dataclass(frozen=True)
class OutputParity:
    """Describe how near one output is to Keras', on real texts."""

    max_difference: Gap
    mean_difference: Gap
    min_cosine: Annotated[float, Rule(maximum=1.000001)]
    agreement: Annotated[float | None, Rule(minimum=0, maximum=1)]
    worst_sentence: str


@dataclasses.dataclass(frozen=True)
class Parity:
    """List the differences from Keras that were allowed, and those measured."""

    sentences: Size
    max_difference_allowed: float
    min_cosine_allowed: float
    min_agreement_allowed: float
    outputs: Mapping[str, OutputParity]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProbeRow:
    """The ids of one text, and the outputs that a right runtime gives."""

    token_ids: TokenIds
    segment_ids: Annotated[
        tuple[Annotated[int, Rule(minimum=0, maximum=1)], ...] | None,
        Rule(min_size=1, is_optional=True),
    ] = None
    outputs: Annotated[
        Mapping[
            Annotated[str, Rule(choices=ALL_OUTPUTS)],
            Annotated[tuple[Real, ...], Rule(min_size=1)],
        ],
        Rule(
            min_size=1,
            description="Flat; of outputs with one number a token, those of "
            "the row's tokens.",
        ),
    ]


@dataclasses.dataclass(frozen=True)
class Probe:
    """Known answers, by which a right runtime is told from a wrong one."""

    tolerance: Annotated[float, Rule(above=0, maximum=MOST_REAL)]
    rows: Annotated[
        tuple[ProbeRow, ...],
        Rule(
            min_size=2,
            max_size=64,
            description="Each runs in the shortest signature that it fits, "
            "padded.",
        ),
    ]


@dataclasses.dataclass(frozen=True)
class File:
    """The size and the SHA-256 of a file."""

    bytes: Annotated[int, Rule(minimum=1, maximum=2**40)]
    sha256: Annotated[
        str,
        Rule(pattern="[0-9a-f]{64}", expected="64 hexadecimal digits"),
    ]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Hold what a bundle scored on its task."""

    task: str
    language: str | None
    max_examples: Annotated[
        int,
        Rule(
            minimum=0,
            description="How many of each split were taken; 0 for all.",
        ),
    ]
    metrics: Mapping[str, Mapping[str, float]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity:
    """Hold what a manifest says before its files are written."""

    format: Annotated[str, Rule(choices=(FORMAT,))] = FORMAT
    format_version: Annotated[
        int,
        Rule(
            choices=(FORMAT_VERSION,),
            description="A reader refuses versions above those it knows.",
        ),
    ] = FORMAT_VERSION
    tfminilm: Annotated[
        str,
        Rule(description="The version of the package that wrote the bundle."),
    ]
    description: Annotated[
        str,
        Rule(
            max_size=MOST_CHARACTERS,
            description="What the model is and what it learned from.",
        ),
    ]
    task: Annotated[str, Rule(choices=tuple(OUTPUTS))]
    task_name: Annotated[
        str | None,
        Rule(
            max_size=MOST_OF_NAME,
            unless=("task", ENCODER),
            description="Such as sst2; null for an encoder.",
        ),
    ]
    num_texts: Annotated[
        int,
        Rule(
            choices=(1, 2),
            description="How many texts the model reads together.",
        ),
    ]
    labels: Annotated[
        tuple[Name, ...] | None,
        Rule(
            min_size=1,
            max_size=MOST_LABELS,
            is_unique=True,
            when=("task", *_WITH_CLASSES),
            description="The classes in the order of the logits.",
        ),
    ]
    sentence_embedding: Annotated[
        SentenceEmbedding | None,
        Rule(
            is_optional=True,
            description="How an encoder's output of this name was made of "
            "its last states; nothing is left to do. Older bundles do not "
            "say.",
        ),
    ] = None
    question_answering: Annotated[
        QuestionAnswering | None, Rule(when=("task", "question_answering"))
    ]
    multi_label_classification: Annotated[
        MultiLabelClassification | None,
        Rule(is_optional=True, when=("task", "multi_label_classification")),
    ] = None
    score_activation: Annotated[
        str | None,
        Rule(
            choices=SCORE_ACTIVATIONS,
            is_optional=True,
            description="What a score is of the model's logit: the output "
            "called logits is that already, so that nothing is left to do. "
            "Given where the model says so, as cross-encoders do.",
        ),
    ] = None
    token_classification: Annotated[
        TokenClassification | None,
        Rule(is_optional=True, when=("task", "token_classification")),
    ] = None
    calibration: Annotated[
        Calibration | None,
        Rule(
            is_optional=True,
            description="Left out where nobody fitted it, as in older bundles.",
        ),
    ] = None
    target: str
    precision: Name
    layers: Annotated[
        Mapping[str, str],
        Rule(description="The precisions of single layers, by their names."),
    ]
    model: ModelSizes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest(Identity):
    """The content of a `manifest.json`.

    Folders for servers have no `runtimes` and no `probe`; a bundle of format
    version 1 has no `parity` and no `evaluation` besides.
    """

    tokenizer: TokenizerSettings
    runtimes: Annotated[
        Mapping[str, Version] | None,
        Rule(
            keys=("tensorflow-lite", "ai-edge-litert"),
            max_size=MOST_KEYS,
            is_optional=True,
            since=2,
            description="The oldest version of each library that computes "
            "this precision rightly; null where none does.",
        ),
    ] = None
    signatures: Annotated[
        Mapping[str, Signature],
        Rule(
            min_size=1,
            max_size=MOST_SIGNATURES,
            description="One for each length; a text takes the shortest it "
            "fits.",
        ),
    ]
    parity: Annotated[Parity | None, Rule(is_optional=True, since=2)] = None
    probe: Annotated[
        Probe | None,
        Rule(
            is_optional=True,
            since=2,
            description="Known answers: a runtime is right if no number of "
            "any row is further from them than the tolerance.",
        ),
    ] = None
    files: Annotated[
        Mapping[FileName, File], Rule(keys=(MODEL,), max_size=MOST_KEYS)
    ]
    evaluation: Annotated[Evaluation | None, Rule(since=2)] = None

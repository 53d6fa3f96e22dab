"""Counts against formulas derived by hand and the papers' tables."""

import keras
import keras_hub
import pytest

from tfminilm import students
from tfminilm.errors import UserError
from tfminilm.report import describe

MODELS = keras_hub.models
SMALL = {
    "vocabulary_size": 50,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 20,
    "max_sequence_length": 16,
}


def bert(num_layers, hidden_dim):
    with keras.StatelessScope():  # Shapes are enough.
        return MODELS.BertBackbone(
            vocabulary_size=30522,
            num_layers=num_layers,
            num_heads=12,
            hidden_dim=hidden_dim,
            intermediate_dim=4 * hidden_dim,
        )


def layer_parameters(hidden, inner):
    """Four projections, two dense layers, two norms, all with biases."""
    attention = 4 * (hidden * hidden + hidden)
    feedforward = hidden * inner + inner + inner * hidden + hidden
    return attention + feedforward + 2 * (2 * hidden)


@pytest.mark.parametrize(
    ("num_layers", "hidden_dim", "inner", "millions", "billions"),
    [(4, 312, 1200, "14.35", "1.25"), (6, 768, 3072, "66.96", "11.17")],
)
def test_tinyberts_counts(num_layers, hidden_dim, inner, millions, billions):
    with keras.StatelessScope():
        model = students.bert(num_layers, hidden_dim, intermediate_dim=inner)
    got = describe.describe(model)
    assert f"{got.parameters / 1e6:.2f}" == millions
    assert f"{got.flops[128] / 1e9:.2f}" == billions


@pytest.mark.parametrize(
    ("num_layers", "hidden_dim", "embedding", "transformer", "billions"),
    [
        (12, 768, "23.4M", "85.1M", "22.35"),
        (6, 768, "23.4M", "42.5M", "11.17"),
        (4, 768, "23.4M", "28.4M", "7.45"),
        (3, 768, "23.4M", "21.3M", "5.59"),
        (12, 384, "11.7M", "21.3M", "5.74"),
        (6, 384, "11.7M", "10.6M", "2.87"),
        (4, 384, "11.7M", "7.1M", "1.91"),
        (3, 384, "11.7M", "5.3M", "1.43"),
    ],
)
def test_counts_equal_the_papers_tables(
    num_layers, hidden_dim, embedding, transformer, billions
):
    model = bert(num_layers, hidden_dim)
    got = describe.describe(model)
    assert f"{got.embedding_parameters / 1e6:.1f}M" == embedding
    assert f"{got.transformer_parameters / 1e6:.1f}M" == transformer
    assert f"{got.flops[128] / 1e9:.2f}" == billions
    # Positions, two segments, the embeddings' norm and the pooler.
    other = (512 + 2 + 2) * hidden_dim + hidden_dim * (hidden_dim + 1)
    assert got.other_parameters == other
    assert got.parameters == model.count_params()
    assert got.parameters == sum(
        (
            got.embedding_parameters,
            got.transformer_parameters,
            got.other_parameters,
        )
    )


def encoder_flops(length, layers=2, hidden=8, inner=20):
    products = [
        *[(length, hidden, hidden)] * 4,
        (length, hidden, length),
        (length, length, hidden),
        (length, hidden, inner),
        (length, inner, hidden),
    ]
    return layers * sum(2 * n * k * m for n, k, m in products)


@pytest.mark.parametrize(
    ("model", "other"),
    [
        # Tables of position and segment, norm, pooler.
        (lambda: MODELS.BertBackbone(**SMALL), (16 + 2 + 2) * 8 + 72),
        # No segments, no pooler.
        (lambda: MODELS.RobertaBackbone(**SMALL), (16 + 2) * 8),
        (lambda: MODELS.XLMRobertaBackbone(**SMALL), (16 + 2) * 8),
        (lambda: MODELS.DistilBertBackbone(**SMALL), (16 + 2) * 8),
    ],
)
def test_every_family(model, other):
    model = model()
    got = describe.describe(model, lengths=(5, 16))
    assert got.embedding_parameters == 50 * 8
    assert got.transformer_parameters == 2 * layer_parameters(8, 20)
    assert got.other_parameters == other
    assert got.parameters == model.count_params()
    assert got.flops == {5: encoder_flops(5), 16: encoder_flops(16)}
    vectors = 2 * (4 * 8 + 20 + 8 + 4 * 8) + 2 * 8
    vectors += 8 if isinstance(model, MODELS.BertBackbone) else 0
    total = model.count_params()
    assert got.size_bytes == {
        "float32": 4 * total,
        "float16": 2 * total,
        "int8": total + 3 * vectors,
    }


def test_shared_layers_cost_no_parameters_but_flops():
    got = describe.describe(
        MODELS.AlbertBackbone(
            **{**SMALL, "num_layers": 6},
            embedding_dim=4,
            num_groups=2,
            num_inner_repetitions=2,
        ),
        lengths=(5,),
    )
    assert got.embedding_parameters == 50 * 4
    assert got.transformer_parameters == 4 * layer_parameters(8, 20)
    projection = 4 * 8 + 8
    assert got.other_parameters == (16 + 2 + 2) * 4 + projection + 72
    assert got.flops[5] == encoder_flops(5, layers=12) + 2 * 5 * 4 * 8


def test_factorised_electra():
    small = dict(SMALL, embedding_dim=4)
    small["vocab_size"] = small.pop("vocabulary_size")
    model = MODELS.ElectraBackbone(**small)
    got = describe.describe(model, lengths=(5,))
    assert got.embedding_parameters == 50 * 4
    assert got.vocabulary_size == 50
    assert got.transformer_parameters == 2 * layer_parameters(8, 20)
    assert got.parameters == model.count_params()
    assert got.flops[5] == encoder_flops(5) + 2 * 5 * 4 * 8


@pytest.mark.parametrize(
    ("kind", "attention_input", "millions", "billions", "reading"),
    [
        ("mobilebert", "shared", 24.6, 5.37, "released checkpoint: queries an"),
        ("mobilebert", "block", 25.3, 5.6, "paper's table: queries, keys and"),
        ("mobilebert_tiny", "bottleneck", 15.4, 3.07, "MobileBERT-tiny: quer"),
        ("mobilebert_without_opt", "block", 25.3, 5.6, "paper's table: queri"),
        ("ib_bert", "block", 293, 75.75, "paper's table: queries, keys and va"),
    ],
)
def test_mobileberts_tables(kind, attention_input, millions, billions, reading):
    """Of 24 layers, each of which costs what the second one adds."""
    make = getattr(students, kind)
    with keras.StatelessScope():
        one, two = (
            describe.describe(
                make(num_layers=n, attention_input=attention_input)
            )
            for n in (1, 2)
        )
    parameters = one.parameters + 23 * (two.parameters - one.parameters)
    flops = one.flops[128] + 23 * (two.flops[128] - one.flops[128])
    assert parameters / 1e6 == pytest.approx(millions, rel=0.01)
    assert flops / 1e9 == pytest.approx(billions, rel=0.005)
    assert one.reading.startswith(reading)
    assert one.embedding_parameters == 30522 * 128
    assert one.pooler_parameters == 0
    other = (3 * 128 + 1) * 512 + (512 + 2 + 2) * 512
    assert one.other_parameters == other


@pytest.mark.parametrize(
    ("attention_input", "attention"),
    [
        ("shared", 12 * 8 + 2 * 8 * 8 + 12 * 8),
        ("block", 3 * 12 * 8),
        ("bottleneck", 3 * 8 * 8),
    ],
)
def test_mobileberts_flops(attention_input, attention):
    model = students.mobilebert(
        num_layers=2,
        hidden_dim=12,
        bottleneck_dim=8,
        intermediate_dim=5,
        embedding_dim=4,
        num_feedforwards=3,
        attention_input=attention_input,
        vocabulary_size=50,
    )
    length = 7
    layer = 12 * 8 + attention + 8 * 8 + 3 * 2 * 8 * 5 + 8 * 12
    layer += 2 * length * 8
    got = describe.describe(model, [length])
    assert got.flops[length] == 2 * length * (2 * layer + 3 * 4 * 12)
    assert got.reading.endswith(
        "12 wide" if attention_input != "bottleneck" else "8 wide"
    )


def test_what_is_no_encoder_is_refused():
    with pytest.raises(UserError, match="object cannot be described"):
        describe.describe(object())


@pytest.mark.parametrize("length", [0, -3, 17])
def test_lengths_out_of_range_are_refused(length):
    model = MODELS.BertBackbone(**SMALL)
    with pytest.raises(UserError, match=f"length {length} is out of range"):
        describe.describe(model, lengths=(8, length))


def test_lengths_that_are_no_numbers_are_refused():
    assert describe.parse_lengths(["128", "32"]) == (32, 128)
    with pytest.raises(UserError, match="--lengths=32,128"):
        describe.parse_lengths(["long"])

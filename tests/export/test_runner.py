"""Running a file the way an app does."""

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.export.litert import runner as module
from tfminilm.export.litert.runner import LiteRTEncoder


def test_the_shortest_signature_that_fits(float_file, monkeypatch):
    encoder = LiteRTEncoder(float_file)
    assert encoder.lengths == (8, 32)
    used = []
    for length, runner in list(encoder._runners.items()):
        spy = Spy(runner, length, used)
        monkeypatch.setitem(encoder._runners, length, spy)
    for count in (1, 8, 9, 32):
        encoder(np.ones(count, int))
    assert used == [8, 8, 32, 32]


class Spy:
    def __init__(self, runner, length, used):
        self.runner, self.length, self.used = runner, length, used
        self.get_input_details = runner.get_input_details

    def __call__(self, **inputs):
        self.used.append(self.length)
        return self.runner(**inputs)


def test_lengths_agree_with_each_other_and_with_keras(
    backbone, float_file, make_batch, run
):
    batch = make_batch([6], 6)
    row = {name: value[0] for name, value in batch.items()}
    encoder = LiteRTEncoder(float_file)
    wanted = run(backbone, batch)
    for outputs in (encoder(**row), encoder(**row, length=32)):
        assert outputs["sequence_output"].shape == (1, 6, 32)
        for name, value in wanted.items():
            np.testing.assert_allclose(outputs[name], value, atol=1e-4)


def test_segments_and_mask_have_defaults(float_file):
    encoder = LiteRTEncoder(float_file)
    ids = [5, 6, 7]
    given = encoder(ids, segment_ids=[0, 0, 0], padding_mask=[1, 1, 1])
    for name, value in encoder(ids).items():
        np.testing.assert_array_equal(value, given[name])


def test_too_long(float_file):
    encoder = LiteRTEncoder(float_file)
    with pytest.raises(UserError, match=r"33 tokens do not fit .* 8, 32"):
        encoder(np.ones(33, int))
    with pytest.raises(UserError, match="9 tokens do not fit length 8"):
        encoder(np.ones(9, int), length=8)


def test_what_is_no_encoder(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        LiteRTEncoder(tmp_path / "nowhere.tflite")
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"not a flatbuffer at all")
    with pytest.raises(UserError, match="no LiteRT file"):
        LiteRTEncoder(broken)


def test_a_file_of_something_else(tmp_path):
    import tensorflow as tf

    function = tf.function(
        lambda x: x + 1.0, input_signature=[tf.TensorSpec([3], tf.float32)]
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()]
    )
    path = tmp_path / "other.tflite"
    path.write_bytes(converter.convert())
    with pytest.raises(UserError, match="no encoder"):
        LiteRTEncoder(path)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"token_ids": [5, 100]},
            "LiteRT cannot run .* ids up to 100: .*bound",
        ),
        ({"token_ids": [5, 2**31 - 1]}, "LiteRT cannot run .*own tokenizer"),
        ({"token_ids": [5, 2**31]}, "from 5 to 2.*expected whole ones from 0"),
        ({"token_ids": [-1, 5]}, "token_ids has numbers from -1 to 5"),
        ({"token_ids": [1.5, 5]}, "token_ids has numbers from 1.5 to 5"),
        ({"token_ids": [np.nan, 5]}, "token_ids has numbers from nan"),
        ({"token_ids": [5, 6], "segment_ids": [0, 2]}, "segment_ids .*0 to 1"),
        (
            {"token_ids": [5, 6], "padding_mask": [2, 1]},
            "padding_mask .*0 to 1",
        ),
    ],
)
def test_ids_without_a_row(float_file, given, words):
    with pytest.raises(UserError, match=words):
        LiteRTEncoder(float_file)(**given)


def test_an_input_that_no_encoder_has():
    shapes = {"token_ids": ((1, 4), np.int32), "position_ids": ((1, 4), "i4")}
    with pytest.raises(UserError, match="reads 'position_ids', expected tok"):
        module._padded({"token_ids": np.array([5, 6])}, 2, shapes)
    del shapes["position_ids"]
    shapes |= {"padding_mask": ((1, 4), "i4"), "segment_ids": ((1, 4), "i4")}
    found = module._padded({"token_ids": np.array([5, 6])}, 2, shapes)
    assert {name: x[0].tolist() for name, x in found.items()} == {
        "token_ids": [5, 6, 0, 0],
        "padding_mask": [1, 1, 0, 0],
        "segment_ids": [0, 0, 0, 0],
    }

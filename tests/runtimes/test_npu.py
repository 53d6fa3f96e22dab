"""Students compiled for a neural processor, by its maker's own compiler."""

import pytest

from tfminilm import commands
from tfminilm.errors import UserError
from tfminilm.export.litert import flatbuffer, npu

pytestmark = pytest.mark.slow


@pytest.fixture
def with_libraries(neural_libraries, monkeypatch):
    monkeypatch.syspath_prepend(neural_libraries)


@pytest.mark.parametrize(
    ("precision", "left"),
    [
        ("float32", {}),
        # The table of tokens, which holds integers.
        ("dynamic_wi8_afp32", {"GATHER": 1, "CAST": 1}),
        ("static_wi8_ai8", {"GATHER": 1, "CAST": 1}),
    ],
)
def test_all_but_the_table_of_tokens_goes_to_the_neural_processor(
    precision, left, exported, with_libraries, tmp_path
):
    model = exported("classification", precision).folder / "model.tflite"
    written = tmp_path / "compiled.tflite"
    shares = npu.compile_file(model, "SM8750", written)
    graphs = flatbuffer.read(model).subgraphs
    assert [share.operators for share in shares] == [
        len(graph.operators) for graph in graphs
    ]
    compiled = flatbuffer.read(written)
    for share, graph in zip(shares, compiled.subgraphs, strict=True):
        assert share.left == left
        assert share.taken == share.operators - sum(left.values())
        # One operator stands for each piece that was taken.
        assert len(graph.operators) == share.partitions + sum(left.values())


def test_the_command_says_what_the_processor_takes(
    exported, with_libraries, tmp_path, capsys
):
    bundle = exported("encoder", "float32").folder
    output = tmp_path / "npu"
    arguments = [f"--model={bundle}", "--chip=SM8750", f"--output={output}"]
    assert commands.main(["npu", *arguments]) == 0
    assert "of" in capsys.readouterr().out
    assert [path.name for path in output.iterdir()] == ["model_SM8750.tflite"]


def test_what_cannot_be_compiled_is_refused(
    exported, with_libraries, tmp_path, monkeypatch
):
    model = exported("encoder", "float32").folder / "model.tflite"
    written = tmp_path / "compiled.tflite"
    with pytest.raises(UserError, match="unknown chip 'A19', expected one of"):
        npu.compile_file(model, "A19", written)
    text = tmp_path / "text.tflite"
    text.write_text("no model")
    with pytest.raises(UserError, match=r"refuses .*text\.tflite"):
        npu.compile_file(text, "SM8750", written)
    monkeypatch.undo()
    with pytest.raises(UserError, match=r'pip install "tfminilm\[npu\]"'):
        npu.compile_file(model, "SM8750", written)
    assert not written.exists()


def test_an_unknown_chip_is_refused_before_anything_is_written(
    tmp_path, capsys
):
    model = tmp_path / "model.tflite"
    model.touch()
    output = tmp_path / "npu"
    arguments = [f"--model={model}", "--chip=SM8750,A19", f"--output={output}"]
    assert commands.main(["npu", *arguments]) == 1
    assert "unknown chip 'A19'" in capsys.readouterr().err
    assert not output.exists()

"""The export command, end to end."""

import json
import re
import shutil
import types

import keras_hub
import pytest

from tfminilm import commands
from tfminilm.commands import export, formats
from tfminilm.errors import UsageError, UserError
from tfminilm.export import source
from tfminilm.export.litert import flatbuffer
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.manifest import File, OutputParity, Parity
from tfminilm.export.target import Target
from tfminilm.tasks.settings import Settings
from tfminilm.tokenizer.hugging_face import with_bert_rules

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "sat"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A preset folder: backbone and tokenizer."""
    folder = tmp_path_factory.mktemp("model")
    keras_hub.models.BertBackbone(
        vocabulary_size=len(WORDS),
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=16,
    ).save_to_preset(str(folder))
    tokenizer = keras_hub.models.BertTokenizer(WORDS, lowercase=True)
    with_bert_rules(tokenizer).save_to_preset(str(folder))
    return folder


def flags(**given):
    names = ("model", "config", "output", "description", "task")
    names += ("texts", "budget_mb", "max_drop", "as", "labels", "calibrate")
    return types.SimpleNamespace(**(dict.fromkeys(names) | given))


def test_writes_a_bundle(model, tmp_path, capsys):
    output = tmp_path / "bundle"
    target = Target(
        name="phone", precision="dynamic_wi8_afp32", lengths=(8, 16),
        max_difference=0.5, min_cosine=0.9,
    )  # fmt: skip
    given = {"model": str(model), "config": target.config()}
    export.run(flags(**given, output=str(output), description="A student."))
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["target"] == "phone"
    assert manifest["description"] == "A student."
    assert LiteRTEncoder(output / "model.tflite").lengths == (8, 16)
    printed = capsys.readouterr().out
    assert "sentence_embedding" in printed
    assert "dynamic_wi8_afp32" in printed
    assert "lengths 8, 16" in printed
    assert "same answers" not in printed


def test_a_table_of_answers_that_differ(capsys):
    outputs = {"logits": OutputParity(1.0, 1.0, -1.0, 0.0, "a text")}
    manifest = types.SimpleNamespace(
        parity=Parity(2, 1.0, -1.0, 0.0, outputs),
        signatures={},
        files={"model.onnx": File(5_000_000, "0" * 64)},
        evaluation=None,
        precision="float32",
    )
    print(export._print(manifest, "out"))
    printed = capsys.readouterr().out
    assert "same answers" in printed
    assert "0.0%" in printed
    assert printed.endswith("out: float32, 5.0 MB, any length\n")


def test_several_targets_of_one_load(model, tmp_path, capsys, monkeypatch):
    """One that fails takes no other with it, and the last lines say so."""
    loads, load = [], source.load_exportable

    def counted(*arguments, **options):
        loads.append(arguments)
        return load(*arguments, **options)

    monkeypatch.setattr(source, "load_exportable", counted)
    command = [
        "export",
        f"--model={model}",
        f"--output={tmp_path}",
        "--config=onnx_int8:smoke,mediapipe_classifier,transformers_js:smoke",
    ]
    assert commands.main(command) == 1
    printed = capsys.readouterr()
    assert len(loads) == 1
    names = {"onnx_int8", "transformers_js"}
    assert {path.name for path in tmp_path.iterdir()} == names
    for name in names:
        assert (tmp_path / name / "onnx/model_quantized.onnx").is_file()
    *_, first, second, third = printed.out.splitlines()
    assert first.startswith("mediapipe_classifier failed: ")
    assert second.startswith(f"{tmp_path}/onnx_int8: dynamic_wi8_afp32, 0.0 MB")
    assert third.startswith(f"{tmp_path}/transformers_js: float32, onnx/model")
    assert "1 of 3 targets failed, mediapipe_classifier" in printed.err


def test_a_key_of_one_of_several_targets(model, tmp_path, capsys):
    command = ["export", f"--model={model}", f"--output={tmp_path}"]
    configs = "--config=onnx_int8:smoke,android_fp32:smoke"
    key = "--config.onnx_int8.max_difference=1e-12"
    assert commands.main([*command, configs, key]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["android_fp32"]
    assert "onnx_int8 allows 1e-12" in capsys.readouterr().out
    assert commands.main([*command, "--config=onnx_int8,onnx_int8"]) == 2
    assert "two recipes called onnx_int8" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
def test_from_the_command_line(model, tmp_path, capsys):
    output = tmp_path / "bundle"
    command = ["export", f"--model={model}", "--config=android_fp32"]
    options = ["--config.lengths=4,16", f"--output={output}"]
    assert commands.main([*command, *options]) == 0
    assert LiteRTEncoder(output / "model.tflite").lengths == (4, 16)
    impossible = ["--config.max_difference=1e-12", f"--output={output}2"]
    assert commands.main([*command, "--config.lengths=4", *impossible]) == 1
    message = capsys.readouterr().err.strip()
    assert message.startswith("tfminilm: LiteRT and Keras disagree: ")
    assert "\n" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        pytest.param("server_onnx", "model.onnx", marks=pytest.mark.slow),
        pytest.param(
            "server_saved_model",
            "saved_model/1/saved_model.pb",
            marks=pytest.mark.slow,
        ),
        ("hugging_face", "model.safetensors"),
    ],
)
def test_recipes_of_other_formats(name, file, model, tmp_path, capsys):
    output = tmp_path / "out"
    command = ["export", f"--model={model}", f"--config={name}:smoke"]
    assert commands.main([*command, f"--output={output}"]) == 0
    assert (output / file).is_file()
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["target"] == name
    assert "sequence_output" in manifest["parity"]["outputs"]
    assert capsys.readouterr().out.endswith("any length\n")


@pytest.mark.slow  # tests/export shows what is in the files.
@pytest.mark.parametrize("name", ["mediapipe_embedder", "task_library"])
def test_recipes_of_text_tasks(name, model, tmp_path, capsys):
    output = tmp_path / "out"
    command = ["export", f"--model={model}", f"--config={name}:smoke"]
    assert commands.main([*command, f"--output={output}"]) == 0
    assert LiteRTEncoder(output / "model.tflite").lengths == (8,)
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["target"] == name
    assert manifest["parity"]["outputs"].keys() == {"sentence_embedding"}
    assert capsys.readouterr().out.endswith("lengths 8\n")


def test_a_run_is_checked_on_its_own_held_out_sentences(model, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(model, run)
    sentences = [f"a cat sat {number} times" for number in range(50)]
    (run / "held_out.json").write_text(json.dumps({"sentences": sentences}))
    output = tmp_path / "bundle"
    target = Target(lengths=(16,)).config()
    export.run(flags(model=str(run), config=target, output=str(output)))
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["parity"]["sentences"] == 32 + 1  # And a pair.
    worst = manifest["parity"]["outputs"]["pooled_output"]["worst_sentence"]
    assert worst.split(" [SEP] ")[0] in sentences


def test_a_folder_of_others_is_refused_before_any_work(tmp_path):
    (tmp_path / "thesis.txt").touch()
    given = flags(
        model="nowhere", config=Target().config(), output=str(tmp_path)
    )
    with pytest.raises(UserError, match=r"holds thesis\.txt"):
        export.run(given)


def test_too_strict_a_target_leaves_nothing(model, tmp_path):
    target = Target(name="strict", precision="dynamic_wi8_afp32", lengths=(8,))
    with pytest.raises(UserError, match="target strict allows"):
        export.run(
            flags(
                model=str(model),
                config=target.config(),
                output=str(tmp_path / "bundle"),
            )
        )
    assert list(tmp_path.iterdir()) == []


def test_too_long_for_the_model(model, tmp_path):
    target = Target(lengths=(8, 17))
    with pytest.raises(UserError, match=r"length 17 .* 1 to 16"):
        export.run(
            flags(
                model=str(model),
                config=target.config(),
                output=str(tmp_path / "bundle"),
            )
        )


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("a cat sat\n\ncat a cat\n  sat sat\n")
    return str(path)


def test_a_precision_is_searched_for_each_layer(model, lines, tmp_path, capsys):
    target = Target(lengths=(16,), max_difference=9, min_cosine=-0.5)
    output = tmp_path / "bundle"
    given = {"model": str(model), "config": target.config(), "texts": lines}
    export.run(flags(**given, output=str(output), max_drop=60.0))
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["precision"] == "dynamic_wi8_afp32"
    assert set(manifest["layers"].values()) == {"dynamic_wi4_afp32"}
    assert {"tokens", "layer_0/query"} < set(manifest["layers"])
    assert manifest["parity"]["sentences"] == 3 + 1  # And a pair.
    printed = capsys.readouterr().out
    assert "layer_0/feedforward" in printed
    assert "points from float32" in printed


def test_static_int8_needs_texts(model, lines, tmp_path):
    target = Target(
        name="still", precision="static_wi8_ai8", lengths=(8,),
        max_difference=9, min_cosine=-0.5,
    )  # fmt: skip
    output = tmp_path / "bundle"
    given = {"model": str(model), "config": target.config()}
    given["output"] = str(output)
    with pytest.raises(UsageError, match="target still is calibrated on texts"):
        export.run(flags(**given))
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(UserError, match=r"empty.txt is empty"):
        export.run(flags(**given, texts=str(tmp_path / "empty.txt")))
    with pytest.raises(UserError, match=r"cannot read .*none.txt: .*expected"):
        export.run(flags(**given, texts=str(tmp_path / "none.txt")))
    assert not output.exists()
    export.run(flags(**given, texts=lines))
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["precision"] == "static_wi8_ai8"


def test_ranges_beside_the_weights_go_into_the_file(model, lines, tmp_path):
    source, output = tmp_path / "model", tmp_path / "bundle"
    shutil.copytree(model, source)
    ranges = {"layer_0/key": {"outputs": [-8.0, 9.0]}}
    (source / "ranges.json").write_text(json.dumps(ranges))
    target = Target(
        precision="static_wi8_ai8", lengths=(8,), max_difference=9,
        min_cosine=-0.5,
    )  # fmt: skip
    given = {"model": str(source), "config": target.config(), "texts": lines}
    export.run(flags(**given, output=str(output)))
    (graph,) = flatbuffer.read(output / "model.tflite").subgraphs
    (scale,) = (
        graph.tensors[operator.outputs[0]].quantization.scale[0]
        for operator in graph.operators
        if len(operator.inputs) > 1
        and b"layer_0/key/" in graph.tensors[operator.inputs[1]].name
    )
    assert scale == pytest.approx(17 / 255)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"budget_mb": 1.0, "max_drop": 1.0}, "not both"),
        ({"budget_mb": 1.0}, "for format litert, target - has onnx"),
    ],
)
def test_searches_that_cannot_be(given, message):
    form = "litert" if len(given) > 1 else "onnx"
    config = Target(format=form).config()
    with pytest.raises(UsageError, match=message):
        export.run(flags(model="m", config=config, output="o", **given))


@pytest.mark.parametrize(
    ("config", "flag", "message"),
    [
        ("android_int4", "layers=x", "no single value: expected it in the fi"),
        ("android_int4", "layers.*/value=x", "layers.*/value can be no flag: "),
        ("android_int8", "layers=x", "no single value: expected it in the fi"),
    ],
)
def test_layers_are_no_flag(config, flag, message, error, capsys):
    command = ["export", f"--config={config}"]
    assert commands.main([*command, f"--config.{flag}"]) == 2
    assert message in error()
    assert commands.main([*command, "--help"]) == 0
    assert "--config.layers" not in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["model", "config", "output"])
def test_every_flag_is_needed(missing):
    given = {"model": "m", "config": Target().config(), "output": "o"}
    with pytest.raises(UsageError, match=f"export: expected --{missing}="):
        export.run(flags(**{**given, missing: None}))


def test_an_unknown_key_comes_before_the_model():
    with pytest.raises(UsageError, match="did you mean precision"):
        export.run(flags(model="nowhere", config={"precison": ""}, output="o"))


def test_formats(model, capsys):
    command = ["formats", f"--model={model}"]
    names = "onnx_int8,mediapipe_classifier"
    assert commands.main([*command, f"--targets={names}"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "onnxruntime, int8" in printed
    assert re.search(r"cosine (1\.0|0\.9)", printed)
    assert "no: " in printed
    assert commands.main([*command, "--targets=x"]) == 2
    assert commands.main([*command, "--targets="]) == 2


@pytest.mark.parametrize(
    ("kind", "needs"), [("qa", True), ("classification", False)]
)
def test_formats_tries_a_client_at_the_length_that_it_takes(
    kind, needs, monkeypatch
):
    """The Task Library answers questions at 384 tokens alone."""
    lengths = []

    def refuse(model, target, *others):
        lengths.append(target.lengths)
        raise UserError("no")

    def write(model, target, *others):
        lengths.append(target.lengths)
        return types.SimpleNamespace(
            files={"a": File(10**6, "")}, parity=None, parities={}
        )

    backbone = types.SimpleNamespace(max_sequence_length=512)
    settings = Settings("x", kind, ("a", "b") if not needs else (), 64)
    model = source.Exportable(backbone, None, settings, {})
    monkeypatch.setattr("tfminilm.export.write.write", write)
    ((_, size, check),) = formats._tried(model, "task_library")
    assert size == 1.0
    assert check == "--config.lengths=384: " * needs
    monkeypatch.setattr("tfminilm.export.write.write", refuse)
    assert formats._tried(model, "task_library") == "no"
    assert lengths == [(384,) if needs else (128,)] * 2


def test_formats_goes_on_where_a_target_breaks(model, capsys, monkeypatch):
    def broken(*arguments):
        raise ValueError("of another\nlibrary")

    monkeypatch.setattr("tfminilm.export.write.write", broken)
    command = ["formats", f"--model={model}", "--targets=onnx_int8"]
    assert commands.main(command) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "ValueError: of another library" in printed

"""`RUN@STEP`: the model that a run of distillation had after a step."""

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy

import tfminilm
from tfminilm import teachers
from tfminilm.train import at_step


def saved_tensors(run, step):
    path = run / "checkpoints" / f"step-{step:09d}" / "state.safetensors"
    tensors = safetensors.numpy.load_file(path)
    return [tensors[key] for key in sorted(tensors)]


def require_same(model, tensors):
    assert model.variables
    for variable, tensor in zip(model.variables, tensors, strict=False):
        if tensor.dtype == np.float32:  # Dropout's random state is not.
            np.testing.assert_array_equal(np.asarray(variable), tensor)


def opened(name):
    folder = at_step.folder_of(name)
    assert teachers.load_tokenizer(folder).vocabulary_size()
    return teachers.load_backbone(folder)


@pytest.fixture(scope="module")
def steps(finished):
    names = sorted((finished / "checkpoints").glob("step-*"))
    return [int(path.name.removeprefix("step-")) for path in names]


def test_each_checkpoint_is_a_model(finished, steps):
    assert len(steps) >= 2
    for step in steps:
        require_same(
            opened(f"{finished}@{step}"), saved_tensors(finished, step)
        )
    last = teachers.load_backbone(finished)
    require_same(last, saved_tensors(finished, steps[-1]))
    first = saved_tensors(finished, steps[0])
    kernels = [np.asarray(x) for x in last.variables if x.name == "kernel"]
    assert not any(np.array_equal(kernels[0], x) for x in first)


def test_an_unfinished_run_has_its_student_built_again(
    finished, steps, tmp_path
):
    run = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(run / "student")
    for step in steps:
        require_same(opened(f"{run}@{step}"), saved_tensors(run, step))


def test_a_student_that_became_smaller_is_built_again(
    finished, steps, tmp_path, tiny, save_bert
):
    run = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(run / "student")
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 16}
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    save_bert(run / "student", words, {}, intermediate_dim=32, **sizes)
    require_same(opened(f"{run}@{steps[0]}"), saved_tensors(run, steps[0]))


def test_it_is_loaded_by_that_name(finished, steps):
    model = tfminilm.load(f"{finished}@{steps[0]}")
    assert repr(model).startswith(f"TextModel('{finished}@{steps[0]}'")
    assert model.embed(["one city", "two"]).shape == (2, 16)
    last = tfminilm.load(finished).embed("one city")
    assert np.abs(model.embed("one city") - last).max() > 1e-6


def test_a_step_that_is_not_there_is_refused(finished, steps, tmp_path):
    shown = ", ".join(map(str, steps))
    with pytest.raises(tfminilm.UserError, match=f"of the steps {shown} "):
        tfminilm.load(f"{finished}@7777")
    with pytest.raises(tfminilm.UserError, match="none holds no run"):
        tfminilm.load(f"{tmp_path}/none@7")
    run = shutil.copytree(finished, tmp_path / "run")
    path = run / "checkpoints" / f"step-{steps[0]:09d}" / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(tfminilm.UserError, match=r"is damaged: .*another step"):
        tfminilm.load(f"{run}@{steps[0]}")
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(tfminilm.UserError, match="has no checkpoints"):
        tfminilm.load(f"{run}@{steps[0]}")


def test_a_folder_with_such_a_name_is_itself(finished, tmp_path):
    folder = shutil.copytree(finished / "student", tmp_path / "mine@3")
    assert at_step.folder_of(folder) == str(folder)
    assert at_step.run_of(folder) == str(folder)
    assert at_step.run_of("runs/a@3") == "runs/a"
    assert at_step.folder_of("hf://owner/name@3") == "hf://owner/name@3"


def test_the_step_of_a_stage(finished, steps, tmp_path):
    """The last stage's, or that of the stage that is named."""
    run = tmp_path / "run"
    shutil.copytree(finished, run / "only")
    recipe = json.loads((finished / "recipe.json").read_text())
    whole = {"name": "tiny", "seed": 0, "stages": {"only": recipe}}
    (run / "recipe.json").write_text(json.dumps(whole))
    shutil.move(run / "only" / "decisions.json", run / "decisions.json")
    shutil.rmtree(run / "only" / "student")
    for name in (run, run / "only"):
        require_same(
            opened(f"{name}@{steps[0]}"), saved_tensors(finished, steps[0])
        )

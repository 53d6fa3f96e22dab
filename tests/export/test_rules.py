"""What a manifest has to say: the cases that the app's tests read as well."""

import copy
import json
import pathlib

import pytest

from tfminilm.errors import UserError
from tfminilm.export.bundle import reader, rules
from tfminilm.typed_json import to_json

KNOWN = json.loads(
    pathlib.Path(__file__).with_name("manifest_cases.json").read_text("utf-8")
)


def changed(case):
    """A base's copy, in which one place is another value or nothing.

    "long" is a text of so many letters, and "many" a list of so many texts.
    """
    manifest = copy.deepcopy(KNOWN["bases"][case["base"]])
    *path, last = case["at"].split("/")
    place = manifest
    for name in path:
        place = place[int(name) if isinstance(place, list) else name]
    if "set" in case:
        place[last] = case["set"]
    elif "long" in case:
        place[last] = "x" * case["long"]
    elif "many" in case:
        place[last] = [f"{number}" for number in range(case["many"])]
    else:
        del place[last]
    return manifest


def refusal(folder, text):
    (folder / "manifest.json").write_text(text, "utf-8")
    with pytest.raises(UserError) as found:
        reader.open_bundle(folder)
    message = str(found.value)
    assert "export" in message
    assert "\n" not in message
    assert len(message) < 600
    return message


@pytest.mark.parametrize("base", KNOWN["bases"])
def test_a_good_one(base, manifest_faults):
    content = KNOWN["bases"][base]
    assert to_json(rules.read(content)) == content
    assert not manifest_faults(content)


def test_how_an_encoder_embeds():
    content = copy.deepcopy(KNOWN["bases"]["encoder"])
    assert rules.read(content).sentence_embedding.pooling == "cls"
    for name, wrong in (("pooling", "max"), ("normalize", 1)):
        part = content["sentence_embedding"] | {name: wrong}
        with pytest.raises(ValueError, match=f"sentence_embedding.{name}"):
            rules.read(content | {"sentence_embedding": part})
    # Bundles that were written before.
    del content["sentence_embedding"]
    assert rules.read(content).sentence_embedding is None


@pytest.mark.parametrize(
    "case", KNOWN["cases"], ids=lambda case: f"{case['base']}: {case['name']}"
)
def test_refused(case, tmp_path):
    message = refusal(tmp_path, json.dumps(changed(case)))
    assert case["words"] in message
    assert "manifest.json is damaged" in message


@pytest.mark.parametrize(
    "case", KNOWN["no_json"] + KNOWN["replaced"], ids=lambda case: case["name"]
)
def test_no_json(case, tmp_path):
    text = case.get("text")
    if text is None:
        good = json.dumps(KNOWN["bases"]["classification"])
        text = good.replace(case["old"], case["new"])
        assert text != good
    assert "no bundle" in refusal(tmp_path, text)


@pytest.mark.parametrize("depth", [65, 100_000])
def test_nested_deep(tmp_path, depth):
    for text in (
        "[" * depth + "]" * depth,
        '{"a":' * depth + "1" + "}" * depth,
    ):
        assert "nested deeper than 64" in refusal(tmp_path, text)


def test_too_large(tmp_path):
    text = json.dumps(KNOWN["bases"]["encoder"]) + " " * rules.MOST_BYTES
    assert "too large: expected up to 1.0 MB" in refusal(tmp_path, text)

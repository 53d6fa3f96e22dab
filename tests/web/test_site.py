"""The folder of the page, and how its runtime gets there."""

import base64
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

import pytest

from tfminilm import commands
from tfminilm.errors import UserError
from tfminilm.export.manifest import OUTPUTS
from tfminilm.web import packages, site

ROOT = pathlib.Path(__file__).parents[2]
BUNDLE = ROOT / "apps/android/verify/per_row_scales/bundle"
PAGE = ROOT / "tfminilm/web/page"


def archive(package):
    """A small archive with the names that the page needs."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as file:
        for member in package.members.values():
            text = b'import { x } from "@litertjs/wasm-utils";'
            info = tarfile.TarInfo(f"package/{member}")
            info.size = len(text)
            file.addfile(info, io.BytesIO(text))
    return content.getvalue()


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Stand-ins for both packages lie in a cache; npm is not there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    packages.cache_folder().mkdir(parents=True)
    for name in ("LITERT", "WASM_UTILS"):
        package = getattr(packages, name)
        content = archive(package)
        digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
        small = dataclasses.replace(package, integrity=digest)
        monkeypatch.setattr(packages, name, small)
        (packages.cache_folder() / package.archive).write_bytes(content)
    return packages.cache_folder()


def npm(folder, script):
    """A command npm that runs a shell script."""
    path = folder / "bin" / "npm"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def refusal(*arguments, **options):
    with pytest.raises(UserError) as found:
        site.write_site(*arguments, **options)
    message = str(found.value)
    assert "\n" not in message
    return message


def test_holds_all_that_the_page_loads(cached, tmp_path):
    output = tmp_path / "site"
    site.write_site(str(BUNDLE), output, "A <b>title</b>", [("cat",), ("dog",)])
    assert json.loads((output / "page.json").read_text()) == {
        "format": "tfminilm-site",
        "title": "A <b>title</b>",
        "examples": [["cat"], ["dog"]],
        "query": "put items in order",
    }
    for path in BUNDLE.iterdir():
        copy = output / "bundle" / path.name
        assert copy.read_bytes() == path.read_bytes()
    manifest = json.loads((BUNDLE / "manifest.json").read_text())
    rules = manifest["tokenizer"]["rules"]
    tables = [path.name for path in output.glob("*.bin")]
    assert tables == [f"characters_{rules}.bin"]
    assert './wasm-utils.js"' in (output / "litert" / "core.js").read_text()
    # Every file that another one names is there.
    for path in output.rglob("*.js"):
        if path.parent.name != "litert":
            for name in re.findall(r'from "(\..*?)"', path.read_text()):
                assert (path.parent / name).resolve().is_file(), (path, name)
    page = (output / "index.html").read_text()
    for name in re.findall(r'(?:src|href)="(.*?)"', page):
        assert (output / name).is_file()
    # No other host, and no code in the page itself, which its policy forbids.
    code = [*PAGE.rglob("*.js"), PAGE / "index.html", PAGE / "style.css"]
    for path in code:
        text = path.read_text("utf-8")
        assert "innerHTML" not in text
        assert re.findall(r"https?://(?!localhost)", text) == []
    assert "<script>" not in page
    assert " style=" not in page


@pytest.mark.slow
def test_the_tables_are_what_their_script_writes(tmp_path):
    for name in ("android", "web"):
        (tmp_path / name).mkdir()
    command = (
        "import pathlib, sys; import characters; "
        "characters.write(*map(pathlib.Path, sys.argv[1:]))"
    )
    subprocess.run(
        [sys.executable, "-c", command, "android", "web"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "apps/android/verify")},
        check=True,
    )
    tables = ROOT / "apps/android/tokenizers/src/main/resources/org/tfminilm"
    for name, folder, count in (("android", tables, 8), ("web", PAGE, 2)):
        paths = sorted((tmp_path / name).iterdir())
        assert len(paths) == count
        assert [p.name for p in paths] == sorted(
            p.name for p in folder.glob("*.bin")
        )
        for path in paths:
            assert path.read_bytes() == (folder / path.name).read_bytes()


def test_the_licence_is_the_projects_own():
    licence = (PAGE / "litert" / "LICENSE.txt").read_bytes()
    assert licence == (ROOT / "LICENSE").read_bytes()


def test_knows_every_kind_of_task():
    code = (PAGE / "main.js").read_text("utf-8")
    (views,) = re.findall(r"const VIEWS = {(.*?)};", code, re.DOTALL)
    assert {*re.findall(r"(\w+):", views)} == {*OUTPUTS}
    assert {*site._TITLES} == {*OUTPUTS}


def test_takes_a_zip_file(cached, tmp_path):
    path = shutil.make_archive(str(tmp_path / "bundle"), "zip", BUNDLE)
    manifest = site.write_site(path, tmp_path / "site")
    assert manifest.task == "classification"
    copy = tmp_path / "site" / "bundle" / "model.tflite"
    assert copy.read_bytes() == (BUNDLE / "model.tflite").read_bytes()


def test_the_command(cached, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(BUNDLE, run / "bundle")
    assert commands.main(["web", f"--model={run}", "--text=a cat"]) == 0
    assert f"{run}/site: " in capsys.readouterr().out
    page = json.loads((run / "site" / "page.json").read_text())
    assert page["examples"] == [["a cat"]]
    # An older page is replaced.
    assert commands.main(["web", f"--model={run}", "--title=New"]) == 0
    page = json.loads((run / "site" / "page.json").read_text())
    assert (page["title"], page["examples"]) == ("New", [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected --model="),
        ([f"--model={BUNDLE}"], "expected --output="),
        ([f"--model={BUNDLE}", "--context=a"], "0 --text= and 1 --context="),
    ],
)
def test_flags_that_do_not_go_together(arguments, said, capsys):
    assert commands.main(["web", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_refuses_what_is_no_bundle(cached, tmp_path):
    assert "is no folder" in refusal(str(tmp_path / "x"), tmp_path / "site")
    empty = tmp_path / "empty"
    empty.mkdir()
    said = refusal(str(empty), tmp_path / "site")
    assert f"tfminilm export --config=android_int8 --model={empty}" in said
    assert not (tmp_path / "site").exists()


def test_refuses_examples_of_another_shape(cached, tmp_path):
    texts = [("one", "two")]
    said = refusal(str(BUNDLE), tmp_path / "site", examples=texts)
    assert said.endswith("give each --text without --context")
    assert "--query=cats" in refusal(str(BUNDLE), tmp_path, query="cats")


@pytest.mark.parametrize("name", ["notes.txt", "views/mine.js"])
def test_replaces_nothing_but_a_page(name, cached, tmp_path):
    output = tmp_path / "site"
    site.write_site(str(BUNDLE), output)
    (output / name).write_text("mine")
    said = refusal(str(BUNDLE), output)
    assert f"holds {name}, so it is not replaced" in said
    assert (output / name).read_text() == "mine"


def test_replaces_no_folder_of_another_kind(cached, tmp_path):
    output = tmp_path / "other"
    output.mkdir()
    (output / "index.html").write_text("mine")
    assert "is no page of tfminilm web" in refusal(str(BUNDLE), output)


def test_without_npm_it_says_what_to_do(cached, tmp_path):
    archive = cached / packages.LITERT.archive
    archive.unlink()
    said = refusal(str(BUNDLE), tmp_path / "site")
    assert "npm is not installed" in said
    assert archive.name in said
    assert str(cached) in said


def test_a_damaged_archive_is_fetched_again(cached, tmp_path):
    archive = cached / packages.LITERT.archive
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-1])
    (tmp_path / "whole").write_bytes(whole)
    # The last argument is the folder.
    copy = f'/bin/cp {tmp_path}/whole "$6/{archive.name}"'
    npm(tmp_path, f'[ "$4" = "@litertjs/core@2.5.3" ] && {copy}')
    site.write_site(str(BUNDLE), tmp_path / "site")
    assert archive.read_bytes() == whole


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 1", "npm cannot fetch @litertjs/core@2.5.3 (exit code 1"),
        ('echo bad > "$6/litertjs-core-2.5.3.tgz"', "nothing is kept"),
    ],
)
def test_what_npm_brings_is_checked(script, said, cached, tmp_path):
    archive = cached / packages.LITERT.archive
    archive.unlink()
    npm(tmp_path, script)
    assert said in refusal(str(BUNDLE), tmp_path / "site")
    assert not archive.exists()
    assert not (tmp_path / "site").exists()

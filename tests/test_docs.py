"""Every code block in README.md and docs/ runs, and the notebook."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(*kinds):
    chosen = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        found = BLOCK.findall(page.read_text(encoding="utf-8"))
        for number, (kind, code) in enumerate(found):
            if kind in kinds:
                name = f"{page.relative_to(ROOT)}:{number}"
                chosen.append(pytest.param(code, id=name))
    return chosen


def run(command, folder, code):
    # The environment's commands come first, as after activating it.
    path = os.pathsep.join(
        [os.path.dirname(sys.executable), os.environ["PATH"]]
    )
    return subprocess.run(
        command,
        input=code,
        text=True,
        capture_output=True,
        cwd=folder,
        env=os.environ | {"PATH": path},
    )


def test_every_block_says_its_language():
    assert not blocks("")


# Keras says that of every dataset.
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
@pytest.mark.parametrize("code", blocks("python")[1:])
def test_python_block(code, tmp_path, monkeypatch):
    # In this process: importing Keras anew would take most of the time.
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "<block>", "exec"), {"__name__": "__main__"})


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
def test_the_first_block_ends_in_the_result_that_it_promises(
    tmp_path, monkeypatch, capsys
):
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    kinds = [kind for kind, _ in BLOCK.findall(page)]
    assert kinds[:3] == ["console", "python", "text"]
    (_, code), (_, promised) = BLOCK.findall(page)[1:3]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out.splitlines()[-1]
    number = re.compile(r"\d\.\d\d")
    assert number.sub("N", printed) == number.sub("N", promised.strip())
    expected = [float(match) for match in number.findall(promised)]
    found = [float(match) for match in number.findall(printed)]
    # The text is this machine's documentation.
    assert found == pytest.approx(expected, abs=0.1)


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    page = json.loads((ROOT / "docs/quickstart.ipynb").read_text("utf-8"))
    cells = [cell for cell in page["cells"] if cell["cell_type"] == "code"]
    code = "\n\n".join("".join(cell["source"]) for cell in cells)
    done = run([sys.executable, "-"], tmp_path, code)
    assert done.returncode == 0, done.stderr
    # What it prints last are the notes, by how near they are.
    assert "Sort a list" in done.stdout.splitlines()[-3]
    assert "Sort a list" in cells[-1]["outputs"][0]["text"][0]


@pytest.mark.slow  # Distils, exports, times and reports, as a reader would.
@pytest.mark.parametrize("code", blocks("sh"))
def test_shell_block(code, tmp_path):
    if "make " in code:
        # What these do is what this very run and the demo do.
        done = run(["bash", "-e"], ROOT, code.replace("make ", "make -n "))
        assert "tfminilm distill" in done.stdout
    else:
        done = run(["bash", "-e"], tmp_path, code)
    assert done.returncode == 0, done.stderr

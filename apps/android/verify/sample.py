"""A project that depends on the library as others would: from a repository.

Its POM has one dependency. Maven resolves it and all that it needs out of a
local repository; Kotlin's and Java's compilers see what an app would see.
"""

import pathlib
import re
import zipfile
from collections.abc import Sequence

import apk
import tools

_FOLDER = apk.PROJECT / "sample"
_GROUP = pathlib.PurePath("org", "tfminilm")


def resolve(kit: tools.Tools, repository: pathlib.Path) -> list[pathlib.Path]:
    """Return the class path that the sample's one dependency leads to.

    Args:
        repository: the folder of `publish.repository`.
    """
    pom = _FOLDER / "pom.xml"

    def build(folder: pathlib.Path) -> None:
        local = folder / "local"
        _beside(local, repository)
        tools.run(
            *("mvn", "--batch-mode", "--quiet", "--file", pom),
            f"-Dmaven.repo.local={local}",
            f"-Dtfminilm.version={tools.VERSION}",
            "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:"
            "copy-dependencies",
            f"-DoutputDirectory={folder / 'files'}",
        )
        (folder / "classes").mkdir()
        for path in sorted((folder / "files").iterdir()):
            target = folder / "classes" / f"{path.stem}.jar"
            if path.suffix == ".aar":
                with zipfile.ZipFile(path) as archive:
                    target.write_bytes(archive.read("classes.jar"))
            else:
                target.write_bytes(path.read_bytes())

    inputs = [pom, repository, pathlib.Path(__file__)]
    folder = apk.step("resolved", inputs, build)
    return sorted((folder / "classes").iterdir())


def compiled(
    kit: tools.Tools, resolved: Sequence[pathlib.Path]
) -> pathlib.Path:
    """Return the folder of the sample's classes, and of its test in Java."""
    kotlin = _FOLDER / "src" / "main" / "kotlin"
    java = _FOLDER / "src" / "test" / "java"
    # The framework's classes are there in every app.
    known = [*resolved, kit.jar("android-all")]
    tests = [*known, *_junit(kit)]

    def build(folder: pathlib.Path) -> None:
        apk.kotlinc(kit, [kotlin], known, folder)
        tools.run(
            *(
                "javac",
                "-Xlint:all,-options,-classfile",
                "-Werror",
                "--release",
            ),
            *("8", "-cp", apk.path_list(tests), "-d", folder),
            *sorted(java.rglob("*.java")),
        )

    return apk.step("sample", [kotlin, java, *known, *apk.KOTLIN], build)


def run(
    kit: tools.Tools,
    resolved: Sequence[pathlib.Path],
    native: pathlib.Path,
    bundle: pathlib.Path,
) -> None:
    """Run the sample and its test on the library that a phone loads.

    Args:
        native: the folder of a library that this machine can load.
        bundle: of a classifier.

    Raises:
        SystemExit: it prints no label, or a test fails.
    """
    own = compiled(kit, resolved)
    class_path = [own, *resolved, *_junit(kit), kit.jar("android-all")]
    options = (f"-Djava.library.path={native}", f"-Dtfminilm.bundle={bundle}")
    java = ("env", f"LD_LIBRARY_PATH={native}", "java")
    log = apk.BUILD / "sample.log"

    def printed(*words: object) -> str:
        paths = ("-cp", apk.path_list(class_path))
        return apk.java(*options, *paths, *words, launcher=java, log=log)

    label = printed("LabelKt", bundle, "A warm and funny film.").strip()
    if not re.fullmatch(r".+ \d+ %", label):
        raise SystemExit(f"the sample printed no label but {label!r}")
    print(f"  the sample says: {label}")
    print(printed("org.junit.runner.JUnitCore", "JavaTest"))


def _junit(kit: tools.Tools) -> list[pathlib.Path]:
    # Robolectric has a jar of the same name.
    own = kit.jars / f"junit-{apk.VERSIONS['junit']}.jar"
    return [own, kit.jar("hamcrest-core")]


def _beside(local: pathlib.Path, repository: pathlib.Path) -> None:
    """Make a local repository of the user's own, and this library."""
    own = pathlib.Path("~/.m2/repository").expanduser()
    own.joinpath("org").mkdir(parents=True, exist_ok=True)
    for source, target in ((own, local), (own / "org", local / "org")):
        target.mkdir(parents=True, exist_ok=True)
        for path in source.iterdir():
            if path.name not in ("org", _GROUP.name):
                target.joinpath(path.name).symlink_to(path)
    (local / _GROUP).symlink_to((repository / _GROUP).resolve())

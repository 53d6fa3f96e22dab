"""The app as R8 makes it smaller: classes are renamed, and what is unused goes.

Only what the manifest, the layouts and the tests name keeps its name. The rules
for the tests are traced from their classes: an app that is shipped has none of
them. `_INTERNALS` shows that the rest is really renamed.
"""

import pathlib
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence

import apk
import modules
import references
import tools

_R8 = "com.android.tools.r8.R8"
# What Android's own plugin tells R8 of every app.
_RULES = """
-keepclassmembers enum * {
    public static **[] values();
    public static ** valueOf(java.lang.String);
}
-keepattributes SourceFile,LineNumberTable
-dontwarn org.jetbrains.annotations.**
"""
# Tests that look into the library call these by their names: they are not run.
TESTS_OF_INTERNALS = (
    *("BenchmarkTest", "LabelsTest", "ManifestRulesTest", "ProofTest"),
    *("QuestionAnswererTest", "SentencePieceTokenizerTest", "SetUpTest"),
    *("WordPieceTokenizerTest", "coroutines.TextModelTest"),
)
_INTERNALS = ("CharacterTable", "PrefixTree", "Protobuf", "ManifestRules")


def classes(
    kit: tools.Tools,
    jars: Sequence[pathlib.Path],
    known: Sequence[pathlib.Path],
    linked: pathlib.Path,
    tests: pathlib.Path,
) -> pathlib.Path:
    """Return the folder of `classes.dex` and `mapping.txt`.

    Args:
        jars: the app's own.
        known: the libraries that it stays apart from.
        linked: the folder of `apk.resources`, with the rules for the manifest.
        tests: a folder of compiled tests.

    Raises:
        SystemExit: a class that nobody names has kept its name.
    """
    tool = kit.jar("bundletool-all")
    # The framework's jar is without Java's own classes.
    framework = kit.jar("android-all")
    java = _java_8()
    rules = [module.rules for module in modules.LIBRARY]

    def build(folder: pathlib.Path) -> None:
        text = "\n".join([_RULES, *_traced(jars, tests)])
        (folder / "rules.pro").write_text(text, "utf-8")
        own = [folder / "rules.pro", linked / "rules.pro", *rules]
        apk.java(
            *("-cp", tool, _R8, "--release", "--output", folder),
            *("--min-api", apk.MIN_SDK, "--lib", framework, "--lib", java),
            *(word for path in known for word in ("--classpath", path)),
            *(word for path in own for word in ("--pg-conf", path)),
            *("--pg-map-output", folder / "mapping.txt", *jars),
        )

    code = [tools.HERE / f"{name}.py" for name in ("shrink", "references")]
    inputs = [*jars, *known, *rules, linked / "rules.pro", tests, *code]
    folder = apk.step("shrunk", inputs, build)
    _check(folder / "mapping.txt")
    return folder


def runs(tests: Sequence[str]) -> list[str]:
    """Return those of the tests that name nothing internal."""
    internal = {f"org.tfminilm.{name}" for name in TESTS_OF_INTERNALS}
    return [name for name in tests if name not in internal]


def _java_8() -> pathlib.Path:
    """Return a jar with the signatures of Java 8, out of the JDK's own file.

    R8 of this version does not read the classes of JDK 17.
    """
    javac = pathlib.Path(shutil.which("javac") or "").resolve()
    signatures = javac.parents[1] / "lib" / "ct.sym"

    def build(folder: pathlib.Path) -> None:
        with (
            zipfile.ZipFile(signatures) as source,
            zipfile.ZipFile(folder / "java8.jar", "w") as target,
        ):
            for name in source.namelist():
                # Releases, a letter each; a module; the class.
                releases, *path = name.split("/", 2)
                if "8" in releases and name.endswith(".sig"):
                    place = path[1].replace(".sig", ".class")
                    modules.add(target, place, source.read(name))

    return apk.step("java8", [signatures], build) / "java8.jar"


def _traced(jars: Sequence[pathlib.Path], tests: pathlib.Path) -> Iterator[str]:
    """Yield the rules that keep what the tests call."""
    left = tuple(
        f"org/tfminilm/{name.replace('.', '/')}" for name in TESTS_OF_INTERNALS
    )
    users = [
        path.read_bytes()
        for path in sorted(tests.rglob("*.class"))
        if not path.relative_to(tests).as_posix().startswith(left)
    ]
    return references.rules(users, jars)


def _check(mapping: pathlib.Path) -> None:
    """Refuse a mapping in which internal classes have kept their names."""
    names = dict(
        re.findall(r"^(\S+) -> (\S+):$", mapping.read_text("utf-8"), re.M)
    )
    for name in (f"org.tfminilm.{each}" for each in _INTERNALS):
        if names.get(name, name) == name:
            raise SystemExit(
                f"R8 has not renamed {name}: the test that names it belongs "
                f"to TESTS_OF_INTERNALS in {pathlib.Path(__file__).name}"
            )

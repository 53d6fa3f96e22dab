"""The app as R8 makes it smaller: classes are renamed, and what is unused goes.

Only what the manifest, the layouts and the tests name keeps its name. The rules
for the tests are traced from their classes: an app that is shipped has none of
them. `_INTERNALS` shows that the rest is really renamed.
"""

import pathlib
import re
from collections.abc import Sequence

import apk
import modules
import tools

_R8 = "com.android.tools.r8."
# What Android's own plugin tells R8 of every app.
_RULES = """
-keepclassmembers enum * {
    public static **[] values();
    public static ** valueOf(java.lang.String);
}
-keepattributes SourceFile,LineNumberTable
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
    framework = kit.jar("android-all")
    rules = [module.rules for module in modules.LIBRARY]

    def build(folder: pathlib.Path) -> None:
        traced = _trace(kit, jars, known, tests, folder)
        (folder / "rules.pro").write_text(_RULES, "utf-8")
        own = [folder / "rules.pro", traced, linked / "rules.pro", *rules]
        apk.java(
            *("-cp", tool, f"{_R8}R8", "--release", "--output", folder),
            *("--min-api", apk.MIN_SDK, "--lib", framework),
            *(word for path in known for word in ("--classpath", path)),
            *(word for path in own for word in ("--pg-conf", path)),
            *("--pg-map-output", folder / "mapping.txt", *jars),
        )

    inputs = [*jars, *known, *rules, linked / "rules.pro", tests]
    folder = apk.step("shrunk", [*inputs, pathlib.Path(__file__)], build)
    _check(folder / "mapping.txt")
    return folder


def runs(tests: Sequence[str]) -> list[str]:
    """Return those of the tests that name nothing internal."""
    internal = {f"org.tfminilm.{name}" for name in TESTS_OF_INTERNALS}
    return [name for name in tests if name not in internal]


def _trace(
    kit: tools.Tools,
    jars: Sequence[pathlib.Path],
    known: Sequence[pathlib.Path],
    tests: pathlib.Path,
    folder: pathlib.Path,
) -> pathlib.Path:
    """Write the rules that keep what the tests call."""
    jar = folder / "tests.jar"
    left = tuple(
        f"org/tfminilm/{name.replace('.', '/')}" for name in TESTS_OF_INTERNALS
    )
    modules.write_zip(jar, tests, lambda name: not name.startswith(left))
    others = [*known, *kit.robolectric(), kit.jar("jna")]
    rules = folder / "traced.pro"
    apk.java(
        *("-cp", kit.jar("bundletool-all")),
        f"{_R8}tracereferences.TraceReferences",
        *("--keep-rules", "--lib", kit.jar("android-all")),
        *(word for path in others for word in ("--lib", path)),
        *(word for path in jars for word in ("--target", path)),
        *("--source", jar, "--output", rules),
        *("--map-diagnostics:MissingDefinitionsDiagnostic", "error", "info"),
    )
    return rules


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

"""Builds, checks and tests the app: `python apps/android/verify`.

With `--bundle=FOLDER` (several times) the tests take real bundles, with
`--data=FOLDER` also many lines of real text in several scripts.
"""

import argparse
import concurrent.futures
import dataclasses
import pathlib

import apk
import bundles
import check
import golden
import gradle
import interface
import jvm
import modules
import publish
import sample
import shrink
import tools


@dataclasses.dataclass(frozen=True)
class App:
    """The app, built and checked.

    Attributes:
        jars: of the library's modules, by their names.
        own: the app's own jar.
        tests: the folder of compiled tests.
        shrunk: the APK that R8 made smaller.
    """

    linked: pathlib.Path
    libraries: pathlib.Path
    jars: dict[str, pathlib.Path]
    own: pathlib.Path
    tests: pathlib.Path
    signed: pathlib.Path
    shrunk: pathlib.Path


def main() -> None:
    """Build the APK, say what is in it, and run the tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--bundle", type=pathlib.Path, action="append", default=[]
    )
    parser.add_argument("--data", type=pathlib.Path)
    given = parser.parse_args()
    gradle.check()
    kit = tools.fetch()
    apk.BUILD.mkdir(exist_ok=True)
    # What is emulated, and what Python writes, take a processor of their own.
    with concurrent.futures.ThreadPoolExecutor() as beside:
        building = beside.submit(build, kit)
        expected = golden.write(given.bundle, given.data)
        app = building.result()
        tests = _tests(kit, app, app.signed, expected)
        emulated = beside.submit(tests.run_on_apk, "arm64-v8a")
        tests.run_on_desktop()
        tests.run_on_apk("x86_64")
        _check_shrunk(kit, app, expected)
        _check_library(kit, app, tests)
        emulated.result()


def build(kit: tools.Tools) -> App:
    """Build the APK, check it, and print the sizes of its parts."""
    linked = apk.resources(kit, bundles.assets())
    libraries = apk.libraries(kit)
    jars = modules.build_library(kit, libraries)
    interface.check(kit, jars)
    own = modules.build_app(kit, jars, libraries, linked)
    # The app does without coroutines.
    all_of_it = [*(jars[name] for name in modules.APP.uses), own]
    others = [kit.jar("kotlin-stdlib"), *sorted(libraries.glob("*.jar"))]
    known = apk.dex(kit, "dex_libraries", others)

    def packed(name: str, code: pathlib.Path) -> pathlib.Path:
        unsigned = apk.BUILD / "unsigned.apk"
        dexes = [code, known]
        apk.package(unsigned, linked, dexes, libraries, all_of_it)
        apk.sign(apk.BUILD / f"{name}.apk", unsigned)
        check.check(apk.BUILD / f"{name}.apk")
        return apk.BUILD / f"{name}.apk"

    signed = packed("tfminilm", apk.dex(kit, "dex", all_of_it, others))
    for kind, size in check.sizes(signed).items():
        print(f"  {kind:24}{size:12,}")
    for name, size in check.page_sizes(signed).items():
        print(f"  {name} is laid out for pages of {size // 1024} KB")
    tests = jvm.test_classes(kit, [*jars.values(), own], libraries)
    shrunk = packed(
        "shrunk", shrink.classes(kit, all_of_it, others, linked, tests)
    )
    return App(linked, libraries, jars, own, tests, signed, shrunk)


def _tests(
    kit: tools.Tools, app: App, signed: pathlib.Path, expected: pathlib.Path
) -> jvm.Tests:
    """Return the tests on the classes of an APK.

    The library's module that is not in it is there as it was compiled.
    """
    name = "shipped" if signed == app.signed else "shipped_shrunk"
    shipped = [jvm.shipped_classes(signed, name)]
    shipped += [
        jar for name, jar in app.jars.items() if name not in modules.APP.uses
    ]
    return jvm.Tests(
        kit, signed, shipped, app.libraries, app.tests, app.linked, expected
    )


def _check_shrunk(kit: tools.Tools, app: App, expected: pathlib.Path) -> None:
    """Run the tests on the classes that R8 made smaller."""
    tests = _tests(kit, app, app.shrunk, expected)
    tests.run_on_desktop("shrunk", shrink.runs(tests.short_names()))


def _check_library(kit: tools.Tools, app: App, tests: jvm.Tests) -> None:
    """Publish the library, use it, and run its tests on what was published."""
    repository = publish.repository(kit, app.jars, app.libraries)
    resolved = sample.resolve(kit, repository)
    native = tests.native("x86_64")
    sample.run(kit, resolved, native, tests.golden / "classification")
    own = [path for path in resolved if path.stem.startswith("tfminilm-")]
    published = dataclasses.replace(tests, shipped=own)
    names = [name for name in tests.short_names() if ".demo." not in name]
    published.run_on_desktop("published", names)


if __name__ == "__main__":
    main()

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
import jvm
import modules
import tools


@dataclasses.dataclass(frozen=True)
class App:
    """The app, built and checked.

    Attributes:
        jars: of its modules, by their names.
    """

    linked: pathlib.Path
    libraries: pathlib.Path
    jars: dict[str, pathlib.Path]
    signed: pathlib.Path


def main() -> None:
    """Build the APK, say what is in it, and run the tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--bundle", type=pathlib.Path, action="append", default=[]
    )
    parser.add_argument("--data", type=pathlib.Path)
    given = parser.parse_args()
    kit = tools.fetch()
    apk.BUILD.mkdir(exist_ok=True)
    # What is emulated, and what Python writes, take a processor of their own.
    with concurrent.futures.ThreadPoolExecutor() as beside:
        building = beside.submit(build, kit)
        expected = golden.write(given.bundle, given.data)
        app = building.result()
        compiled = jvm.test_classes(kit, list(app.jars.values()), app.libraries)
        shipped = jvm.shipped_classes(app.signed)
        tests = jvm.Tests(
            *(kit, app.signed, shipped, app.libraries),
            *(compiled, app.linked, expected),
        )
        emulated = beside.submit(tests.run_on_apk, "arm64-v8a")
        tests.run_on_desktop()
        tests.run_on_apk("x86_64")
        emulated.result()


def build(kit: tools.Tools) -> App:
    """Build the APK, check it, and print the sizes of its parts."""
    linked = apk.resources(kit, bundles.assets())
    libraries = apk.libraries(kit)
    jars = modules.build(kit, linked, libraries)
    own = list(jars.values())
    others = [kit.jar("kotlin-stdlib"), *sorted(libraries.glob("*.jar"))]
    dexes = [
        apk.dex(kit, "dex", own, others),
        apk.dex(kit, "dex_libraries", others),
    ]
    unsigned = apk.BUILD / "unsigned.apk"
    apk.package(unsigned, linked, dexes, libraries, own)
    signed = apk.BUILD / "tfminilm.apk"
    apk.sign(signed, unsigned)
    check.check(signed)
    for kind, size in check.sizes(signed).items():
        print(f"  {kind:24}{size:12,}")
    return App(linked, libraries, jars, signed)


if __name__ == "__main__":
    main()

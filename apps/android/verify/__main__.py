"""Builds, checks and tests the app: `python apps/android/verify`.

With `--bundle=FOLDER` (several times) the tests take real bundles, with
`--data=FOLDER` also many lines of real text in several scripts.
"""

import argparse
import pathlib

import apk
import bundles
import check
import golden
import jvm
import tools


def main() -> None:
    """Builds the APK, says what is in it, and runs the tests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--bundle", type=pathlib.Path, action="append", default=[]
    )
    parser.add_argument("--data", type=pathlib.Path)
    given = parser.parse_args()
    kit = tools.fetch()
    apk.BUILD.mkdir(exist_ok=True)
    linked = apk.resources(kit, bundles.assets())
    libraries = apk.libraries(kit)
    own = apk.classes(kit, linked, libraries)
    signed = build(kit, linked, libraries, own)
    check.check(signed)
    for kind, size in check.sizes(signed).items():
        print(f"  {kind:24}{size:12,}")
    compiled = jvm.test_classes(kit, own, libraries)
    expected = golden.write(given.bundle, given.data)
    shipped = jvm.shipped_classes(signed)
    tests = jvm.Tests(kit, shipped, libraries, compiled, linked, expected)
    tests.run_on_desktop()
    for abi in apk.ABIS:
        tests.run_on_apk(signed, abi)


def build(
    kit: tools.Tools,
    linked: pathlib.Path,
    libraries: pathlib.Path,
    own: pathlib.Path,
) -> pathlib.Path:
    """The signed APK."""
    others = [kit.jar("kotlin-stdlib"), *sorted(libraries.glob("*.jar"))]
    dexes = [
        apk.dex(kit, "dex", [own / "app.jar"], others),
        apk.dex(kit, "dex_libraries", others),
    ]
    unsigned = apk.BUILD / "unsigned.apk"
    apk.package(unsigned, linked, dexes, libraries)
    signed = apk.BUILD / "tfminilm.apk"
    apk.sign(signed, unsigned)
    return signed


if __name__ == "__main__":
    main()

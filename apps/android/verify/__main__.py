"""Builds, checks and tests the app: `python apps/android/verify`."""

import pathlib

import apk
import check
import tools


def main() -> None:
    """Builds the APK and prints what is in it."""
    kit = tools.fetch()
    apk.BUILD.mkdir(exist_ok=True)
    signed = build(kit, apk.MAIN / "assets")
    check.check(signed)
    for kind, size in check.sizes(signed).items():
        print(f"  {kind:24}{size:12,}")


def build(kit: tools.Tools, assets: pathlib.Path) -> pathlib.Path:
    """The signed, verified APK."""
    linked = apk.resources(kit, assets)
    libraries = apk.libraries(kit)
    own = apk.classes(kit, linked, libraries)
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

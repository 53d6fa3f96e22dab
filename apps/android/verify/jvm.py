"""Runs the tests on the classes out of the signed APK."""

import hashlib
import importlib.util
import pathlib
import zipfile
from collections.abc import Sequence

import apk
import tools
from tools import Tools

TESTS = apk.PROJECT / "app" / "src" / "test" / "kotlin"
# Stand-ins for Robolectric's dependencies that Maven Central does not have.
_STAND_INS = tools.HERE / "androidx"
# enjarify is a Python program of Debian's.
_PYTHON = "/usr/bin/python3"


def shipped_classes(signed: pathlib.Path) -> pathlib.Path:
    """`app.jar`: the app's classes and resources, out of the APK.

    The second DEX file, the libraries', is left out: the tests have the
    libraries as they are.
    """
    with zipfile.ZipFile(signed) as archive:
        code = archive.read("classes.dex")
        others = {
            name: archive.read(name)
            for name in archive.namelist()
            if name.startswith("org/")
        }

    def build(folder: pathlib.Path) -> None:
        (folder / "classes.dex").write_bytes(code)
        jar = folder / "app.jar"
        path = f"{pathlib.Path(_PYTHON).parent}:/usr/bin:/bin"
        tools.run(
            *("enjarify", "-o", jar, folder / "classes.dex"),
            env={"PATH": path, "LC_ALL": "C.UTF-8"},
        )
        with zipfile.ZipFile(jar, "a") as target:
            for name, content in others.items():
                target.writestr(name, content)

    digest = hashlib.sha256(code + b"".join(others.values())).hexdigest()
    return apk.step("shipped", [digest], build) / "app.jar"


def test_classes(
    kit: Tools, own: pathlib.Path, libraries: pathlib.Path
) -> pathlib.Path:
    """The tests, compiled against the app's classes as Gradle has them."""
    stdlib = kit.jar("kotlin-stdlib")
    api = sorted(libraries.glob("tensorflow-lite-api*.jar"))
    known = [own / "app.jar", stdlib, *api, kit.jar("jna"), *kit.robolectric()]

    def build(folder: pathlib.Path) -> None:
        class_path = [*known, kit.jar("android-all")]
        friend = f"-Xfriend-paths={own / 'app.jar'}"  # Its internal names.
        apk.kotlinc(kit, [TESTS, _STAND_INS], class_path, folder, friend)

    return apk.step("tests", [TESTS, _STAND_INS, own / "app.jar"], build)


def run_tests(
    kit: Tools,
    shipped: pathlib.Path,
    compiled: pathlib.Path,
    libraries: pathlib.Path,
    linked: pathlib.Path,
    golden: pathlib.Path,
) -> None:
    """Runs every class called `*Test`, and leaves screenshots in the build.

    Raises:
        SystemExit: one fails.
    """
    package = importlib.util.find_spec("ai_edge_litert")
    if package is None or package.origin is None:
        raise SystemExit("ai_edge_litert is not installed: run `make test`")
    litert = pathlib.Path(package.origin).with_name("libLiteRt.so")
    api = sorted(libraries.glob("tensorflow-lite-api*.jar"))
    class_path = [_config(linked), compiled, shipped, *api]
    class_path += [kit.jar(name) for name in ("kotlin-stdlib", "jna")]
    # The framework last: the tests outside Robolectric take its JSON alone.
    class_path += [*kit.robolectric(), kit.jar("android-all")]
    log = apk.BUILD / "tests.log"
    shots = apk.BUILD / "screenshots"
    shots.mkdir(exist_ok=True)
    print(
        apk.java(
            f"-Dtfminilm.litert={litert}",
            f"-Dtfminilm.golden={golden}",
            f"-Dtfminilm.screenshots={shots}",
            "-Drobolectric.offline=true",
            f"-Drobolectric.dependency.dir={kit.jars}",
            *("-cp", apk.path_list(class_path)),
            *("org.junit.runner.JUnitCore", *_names(compiled)),
            log=log,
        )
    )


def _config(linked: pathlib.Path) -> pathlib.Path:
    """A folder with the file by which Robolectric finds the app's parts."""

    def build(folder: pathlib.Path) -> None:
        path = folder / "com" / "android" / "tools" / "test_config.properties"
        path.parent.mkdir(parents=True)
        path.write_text(
            f"android_merged_manifest={linked / 'AndroidManifest.xml'}\n"
            f"android_resource_apk={linked / 'base.apk'}\n"
            "android_custom_package=org.tfminilm.demo\n"
        )

    return apk.step("config", [str(linked)], build)


def _names(compiled: pathlib.Path) -> Sequence[str]:
    found = sorted(compiled.rglob("*Test.class"))
    return [
        ".".join(path.relative_to(compiled).with_suffix("").parts)
        for path in found
    ]

"""Runs the tests on the classes out of the signed APK.

On two kinds of runtime: the desktop's LiteRT behind a stand-in for Android's
interpreter, and the native libraries out of the APK behind the interpreter
that they belong to.
"""

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import pathlib
import zipfile
from collections.abc import Iterable, Sequence

import apk
import modules
import tools
from native import loadable
from tools import Tools

TESTS = [module.tests for module in modules.ALL]
# Stand-ins for Robolectric's dependencies that Maven Central does not have.
_STAND_INS = tools.HERE / "androidx"
# enjarify is a Python program of Debian's.
_PYTHON = "/usr/bin/python3"
_NATIVE = "libtensorflowlite_jni.so"
# The tests that run on the APK's libraries too; the others look into the
# stand-in, or have nothing to do with a runtime. Those of the second line are
# too much for a processor that is emulated.
_ON_APK = ("ModelBundleTest", "ProofTest", "RuntimeTest")
_ON_DESKTOP = (
    *("BenchmarkTest", "GoldenTest", "demo.RefusedModelTest"),
    "coroutines.TextModelTest",
)


# Those that take longest: they run on the APK's classes alone.
_LONG = (
    *("HostileBundleTest", "demo.HostileZipTest", "demo.LayoutTest"),
    *("demo.MainThreadTest", "demo.ScreensTest"),
)


def shipped_classes(
    signed: pathlib.Path, name: str = "shipped"
) -> pathlib.Path:
    """Return `app.jar`: the app's classes and resources, out of the APK.

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
    return apk.step(name, [digest], build) / "app.jar"


def test_classes(
    kit: Tools, own: Sequence[pathlib.Path], libraries: pathlib.Path
) -> pathlib.Path:
    """Compile all tests against the modules' classes, as Gradle does."""
    stdlib = kit.jar("kotlin-stdlib")
    api = sorted(libraries.glob("tensorflow-lite-api*.jar"))
    sources = [*TESTS, _STAND_INS]
    known = [*own, stdlib, *api, kit.jar("jna"), *kit.robolectric()]

    def build(folder: pathlib.Path) -> None:
        class_path = [*known, kit.jar("android-all")]
        # Their internal names.
        friends = f"-Xfriend-paths={','.join(map(str, own))}"
        apk.kotlinc(kit, sources, class_path, folder, friends)

    return apk.step("tests", [*sources, *own], build)


@dataclasses.dataclass(frozen=True)
class Tests:
    """Holds what the tests need, whatever they run on.

    Attributes:
        signed: the APK.
        shipped: the app's classes, or the library's, and what they need.
        libraries: Android's interpreter, the folder of `apk.libraries`.
        compiled: the folder of `test_classes`.
        linked: manifest and resources.
        golden: what Python expects.
    """

    kit: Tools
    signed: pathlib.Path
    shipped: Sequence[pathlib.Path]
    libraries: pathlib.Path
    compiled: pathlib.Path
    linked: pathlib.Path
    golden: pathlib.Path

    def run_on_desktop(
        self,
        name: str = "desktop",
        tests: Sequence[str] | None = None,
    ) -> None:
        """Run test classes, and leave screenshots in the build.

        Args:
            tests: every class called `*Test` if None.

        Raises:
            SystemExit: one fails.
        """
        package = importlib.util.find_spec("ai_edge_litert")
        if package is None or package.origin is None:
            raise SystemExit("ai_edge_litert is not installed: run `make test`")
        litert = pathlib.Path(package.origin).with_name("libLiteRt.so")
        version = importlib.metadata.version("ai-edge-litert")
        shots = apk.BUILD / "screenshots"
        shots.mkdir(exist_ok=True)
        # The stand-ins first.
        first = [self.compiled, *self._shipped("tensorflow-lite-api*.jar")]
        options = (
            "-Dtfminilm.library=ai-edge-litert",
            f"-Dtfminilm.litert={litert}",
            f"-Dtfminilm.litert.version={version}",
            f"-Dtfminilm.screenshots={shots}",
        )
        self._run(name, options, first, tests or self.names())

    def short_names(self) -> list[str]:
        """Return the names of the test classes that do not take long."""
        long = {f"org.tfminilm.{name}" for name in _LONG}
        return [name for name in self.names() if name not in long]

    def names(self) -> list[str]:
        """Return the names of all test classes."""
        found = sorted(self.compiled.rglob("*Test.class"))
        return [
            ".".join(path.relative_to(self.compiled).with_suffix("").parts)
            for path in found
        ]

    def run_on_apk(self, abi: str) -> None:
        """Run what concerns a runtime on the APK's library for a processor.

        Raises:
            SystemExit: a test fails.
        """
        folder = self.native(abi)
        options = (
            "-Dtfminilm.library=tensorflow-lite",
            f"-Dtfminilm.packed={_packed(self.signed)}",
            f"-Djava.library.path={folder}",
        )
        names = [f"org.tfminilm.{name}" for name in _ON_APK]
        java = ["env", f"LD_LIBRARY_PATH={folder}", "java"]
        if abi == "arm64-v8a":
            java = _emulated(self.kit.arm64, folder)
        else:
            names += [f"org.tfminilm.{name}" for name in _ON_DESKTOP]
        # Android's interpreter in front of its stand-in.
        first = [*self._shipped("*.jar"), self.compiled]
        self._run(abi, options, first, names, java)

    def _shipped(self, pattern: str) -> list[pathlib.Path]:
        return [*self.shipped, *sorted(self.libraries.glob(pattern))]

    def native(self, abi: str) -> pathlib.Path:
        """Return a folder with a library of the APK that glibc can load."""
        with zipfile.ZipFile(self.signed) as archive:
            content = archive.read(f"lib/{abi}/{_NATIVE}")
        compiler = "aarch64-linux-gnu-gcc" if abi == "arm64-v8a" else "gcc"

        def build(folder: pathlib.Path) -> None:
            library = folder / "apk" / _NATIVE
            library.parent.mkdir()
            library.write_bytes(content)
            loadable.make(library, folder, compiler)

        digest = hashlib.sha256(content).hexdigest()
        code = tools.HERE / "native"
        return apk.step(f"native-{abi}", [digest, code, compiler], build)

    def _run(
        self,
        name: str,
        options: Iterable[str],
        first: Sequence[pathlib.Path],
        tests: Sequence[str],
        java: Sequence[object] = ("java",),
    ) -> None:
        jars = [self.kit.jar(each) for each in ("kotlin-stdlib", "jna")]
        # The framework last: the tests outside Robolectric take its JSON alone.
        last = [*self.kit.robolectric(), self.kit.jar("android-all")]
        class_path = [_config(self.linked), *first, *jars, *last]
        print(
            f"  tests on {name}\n",
            apk.java(
                *options,
                f"-Dtfminilm.golden={self.golden}",
                "-Drobolectric.offline=true",
                f"-Drobolectric.dependency.dir={self.kit.jars}",
                *("-cp", apk.path_list(class_path)),
                *("org.junit.runner.JUnitCore", *tests),
                launcher=java,
                log=apk.BUILD / f"{name}.log",
            ),
        )


def _emulated(root: pathlib.Path, folder: pathlib.Path) -> list[object]:
    """Return java on an emulated arm64."""
    (java,) = root.glob("usr/lib/jvm/java-17-*/bin/java")
    library_path = f"LD_LIBRARY_PATH={folder}"
    return ["qemu-aarch64", "-E", library_path, "-L", root, java]


def _packed(signed: pathlib.Path) -> pathlib.Path:
    """Return a folder with the bundles of the APK."""
    with zipfile.ZipFile(signed) as archive:
        files = [
            info
            for info in archive.infolist()
            if info.filename.startswith("assets/bundles/")
        ]

        def build(folder: pathlib.Path) -> None:
            archive.extractall(folder, files)

        sums = [f"{info.filename} {info.CRC}" for info in files]
        return apk.step("packed", sums, build) / "assets" / "bundles"


def _config(linked: pathlib.Path) -> pathlib.Path:
    """Make the folder in which Robolectric finds the app's parts."""

    def build(folder: pathlib.Path) -> None:
        path = folder / "com" / "android" / "tools" / "test_config.properties"
        path.parent.mkdir(parents=True)
        path.write_text(
            f"android_merged_manifest={linked / 'AndroidManifest.xml'}\n"
            f"android_resource_apk={linked / 'base.apk'}\n"
            "android_custom_package=org.tfminilm.demo\n"
        )

    return apk.step("config", [str(linked)], build)

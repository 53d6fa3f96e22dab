"""Builds the APK that Gradle would build, without Gradle's Android plugin.

aapt2 -> javac (R) -> kotlinc, module by module -> D8 -> zip -> apksigner. Every
step's output lies in a folder named after a digest of its inputs, so that an
unchanged step does not run again.
"""

import collections
import hashlib
import pathlib
import re
import shutil
import struct
import threading
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Sequence

import tools
from tools import Tools

PROJECT = tools.HERE.parent
MAIN = PROJECT / "app" / "src" / "main"
BUILD = PROJECT / "build"
# Threads that ask for the same step wait for each other.
_LOCKS: dict[str, threading.Lock] = collections.defaultdict(threading.Lock)
CATALOG = tomllib.loads(
    (PROJECT / "gradle" / "libs.versions.toml").read_text("utf-8")
)
VERSIONS: dict[str, str] = CATALOG["versions"]
MIN_SDK, TARGET_SDK = VERSIONS["minSdk"], VERSIONS["targetSdk"]
ABIS = ("arm64-v8a", "x86_64")
# Kotlin's and javac's way to write lambdas: plain classes, as the runtime of
# old Android versions has no invokedynamic.
KOTLIN = (
    *("-jvm-target", "1.8", "-Xjdk-release=8", "-no-stdlib", "-no-reflect"),
    *("-Xlambdas=class", "-Xsam-conversions=class", "-Werror"),
)
_REMOVED = re.compile(r'\s*<[^<>]*tools:node="remove"[^<>]*/>')
_STORED = (".tflite", ".so", ".arsc", ".png")
_PAGE = 16384
_ALIGNMENT_FIELD = 0xD935


def step(
    name: str, inputs: Iterable[object], build: Callable[[pathlib.Path], None]
) -> pathlib.Path:
    """Return the output folder of a step, built if its inputs are new.

    Args:
        name: of the step; older outputs of the same name are removed.
        inputs: files and folders, whose content counts, and strings; this
            file counts too.
        build: fills the folder.
    """
    digest = hashlib.sha256(pathlib.Path(__file__).read_bytes())
    for each in inputs:
        for path in _files(each) if isinstance(each, pathlib.Path) else ():
            digest.update(f"{path.name}\0".encode())
            digest.update(path.read_bytes())
        digest.update(f"{each}\0".encode())
    folder = BUILD / f"{name}-{digest.hexdigest()[:16]}"
    with _LOCKS[name]:
        if folder.is_dir():
            return folder
        print(f"  {name}")
        for old in BUILD.glob(f"{name}-*"):
            shutil.rmtree(old)
        temporary = BUILD / f".{name}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        build(temporary)
        return temporary.rename(folder)


def _files(path: pathlib.Path) -> list[pathlib.Path]:
    if path.is_dir():
        found = (each for each in path.rglob("*") if each.is_file())
        return sorted(each for each in found if each.suffix != ".pyc")
    return [path]


def java(
    *command: object,
    launcher: Sequence[object] = ("java",),
    log: pathlib.Path | None = None,
) -> str:
    """Run Java with little memory; see `tools.run`."""
    return tools.run(
        *(*launcher, "-Xmx1500m", "-XX:+UseSerialGC", *command), log=log
    )


def path_list(paths: Iterable[pathlib.Path]) -> str:
    """Return a class path."""
    return ":".join(str(path) for path in paths)


def kotlinc(
    kit: Tools,
    sources: Sequence[pathlib.Path],
    class_path: Sequence[pathlib.Path],
    output: pathlib.Path,
    *options: str,
) -> None:
    """Compile Kotlin; a warning is an error.

    Java's quick compiler is enough for a run of seconds.
    """
    java(
        *("-XX:TieredStopAtLevel=1", "-cp", path_list(kit.kotlin())),
        "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
        *(*KOTLIN, *options, "-cp", path_list(class_path), "-d", output),
        *sources,
    )


def resources(kit: Tools, assets: pathlib.Path) -> pathlib.Path:
    """Return `base.apk` with manifest, resources and assets, `gen/**/R.java`,
    and `rules.pro` for R8.
    """
    framework = kit.jar("android-all")
    newer = _newer_attributes()

    def build(folder: pathlib.Path) -> None:
        tools.run(
            "aapt2", "compile", "--dir", MAIN / "res", "-o", folder / "c.zip"
        )
        tools.run(
            *("aapt2", "link", "-I", newer, "-I", framework, "-A", assets),
            *("--manifest", _manifest(folder), "--java", folder / "gen"),
            *("--min-sdk-version", MIN_SDK, "--target-sdk-version", TARGET_SDK),
            *("--version-code", "1", "--version-name", "1.0", "-0", ".tflite"),
            *("--proguard", folder / "rules.pro"),
            *("-o", folder / "base.apk", folder / "c.zip"),
        )

    manifest = MAIN / "AndroidManifest.xml"
    inputs = [MAIN / "res", manifest, assets, newer]
    return step("resources", inputs, build)


def _newer_attributes() -> pathlib.Path:
    """Return a framework of the manifest's attributes that are not in minSdk's.

    Older devices do not look at them.
    """
    source = tools.HERE / "newer"

    def build(folder: pathlib.Path) -> None:
        compiled = folder / "c.zip"
        tools.run("aapt2", "compile", "--dir", source / "res", "-o", compiled)
        tools.run(
            *("aapt2", "link", "-x", "-o", folder / "newer.apk"),
            *("--manifest", source / "AndroidManifest.xml", compiled),
        )

    return step("newer", [source], build) / "newer.apk"


def _manifest(folder: pathlib.Path) -> pathlib.Path:
    """Return the manifest with the package from Gradle's `namespace`.

    What it takes out of other manifests is not in it, as Gradle merges them.
    """
    path = folder / "AndroidManifest.xml"
    text = (MAIN / "AndroidManifest.xml").read_text("utf-8")
    text = _REMOVED.sub("", text)
    path.write_text(
        text.replace("<manifest", '<manifest package="org.tfminilm.demo"', 1),
        "utf-8",
    )
    return path


def libraries(kit: Tools) -> pathlib.Path:
    """Unpack LiteRT: classes as `NAME.jar`, native libraries under `lib/`."""
    archives = [kit.jar("tensorflow-lite"), kit.jar("tensorflow-lite-api")]

    def build(folder: pathlib.Path) -> None:
        for path in archives:
            with zipfile.ZipFile(path) as archive:
                content = archive.read("classes.jar")
                (folder / f"{path.stem}.jar").write_bytes(content)
                for name in archive.namelist():
                    _, *abi, last = name.split("/") if "/" in name else ("", "")
                    if name.startswith("jni/") and abi and abi[0] in ABIS:
                        target = folder / "lib" / abi[0] / last
                        target.parent.mkdir(parents=True, exist_ok=True)
                        target.write_bytes(archive.read(name))

    return step("libraries", archives, build)


def dex(
    kit: Tools,
    name: str,
    jars: Sequence[pathlib.Path],
    class_path: Sequence[pathlib.Path] = (),
) -> pathlib.Path:
    """Return `classes.dex` of jars."""
    tool = kit.jar("bundletool-all")

    def build(folder: pathlib.Path) -> None:
        known = [word for path in class_path for word in ("--classpath", path)]
        java(
            *("-cp", tool, "com.android.tools.r8.D8", "--release"),
            *("--min-api", MIN_SDK, "--lib", kit.jar("android-all"), *known),
            *("--output", folder, *jars),
        )

    return step(name, [*jars, *class_path, tool], build)


def package(
    path: pathlib.Path,
    linked: pathlib.Path,
    dexes: Sequence[pathlib.Path],
    libraries: pathlib.Path,
    jars: Iterable[pathlib.Path],
) -> None:
    """Write the unsigned APK, with the resources that are in the jars.

    What the system maps into memory (model, resource table, native
    libraries) is stored and aligned: libraries to 16 KB, the rest to 4 bytes.
    """
    with zipfile.ZipFile(path, "w") as target:
        with zipfile.ZipFile(linked / "base.apk") as base:
            for name in base.namelist():
                _add(target, name, base.read(name))
        for index, folder in enumerate(dexes):
            name = f"classes{index + 1 if index else ''}.dex"
            _add(target, name, (folder / "classes.dex").read_bytes())
        for file in _files(libraries / "lib"):
            name = file.relative_to(libraries).as_posix()
            _add(target, name, file.read_bytes())
        for jar in jars:
            for name, content in java_resources(jar).items():
                _add(target, name, content)


def java_resources(jar: pathlib.Path) -> dict[str, bytes]:
    """Return the files of a jar that are no classes."""
    with zipfile.ZipFile(jar) as archive:
        return {
            name: archive.read(name)
            for name in archive.namelist()
            if not name.startswith("META-INF/")
            and not name.endswith((".class", "/"))
        }


def _add(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name)
    if not name.endswith(_STORED):
        info.compress_type = zipfile.ZIP_DEFLATED
    else:
        alignment = _PAGE if name.endswith(".so") else 4
        # The extra field: its id, its size, the alignment, and padding.
        assert target.fp is not None
        start = target.fp.tell() + 30 + len(name.encode()) + 6
        padding = -start % alignment
        info.extra = struct.pack(
            f"<HHH{padding}x", _ALIGNMENT_FIELD, 2 + padding, alignment
        )
    target.writestr(info, content)


def sign(path: pathlib.Path, unsigned: pathlib.Path) -> None:
    """Sign with a throw-away key, v2 and v3."""
    store = BUILD / "key.p12"
    password = ("-storepass", "throw-away")
    if not store.exists():
        tools.run(
            *("keytool", "-genkeypair", "-keystore", store, *password),
            *("-storetype", "PKCS12", "-alias", "key", "-keyalg", "EC"),
            *("-groupname", "secp256r1", "-validity", "365"),
            *("-dname", "CN=tfminilm throw-away key"),
        )
    tools.run(
        *("apksigner", "sign", "--ks", store, "--ks-pass", "pass:throw-away"),
        *("--v1-signing-enabled", "false", "--v2-signing-enabled", "true"),
        *("--v3-signing-enabled", "true", "--out", path, unsigned),
    )

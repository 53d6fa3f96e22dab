"""Unpack a bundle that was sent as one .zip file."""

import atexit
import pathlib
import shutil
import tempfile
import zipfile
import zlib

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.export.manifest import MANIFEST

# As many as the app takes.
_MOST_BYTES = 500_000_000
_BLOCK = 2**20


def unpack(path: pathlib.Path) -> pathlib.Path:
    """Unpack a bundle into a temporary folder, which goes with the process.

    As in the app, files are taken by their last name, so that none leaves the
    folder.

    Raises:
        UserError: it is no .zip file, is damaged, holds no bundle or several,
            or is larger than 500 MB.
    """
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tfminilm-bundle-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        with (
            open(files.open_regular(path), "rb") as file,
            zipfile.ZipFile(file) as archive,
        ):
            _unpack(archive, folder, path)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as e:
        raise UserError(
            f"{path} is no whole .zip file: {e}; expected a bundle's folder as "
            "a .zip, or the folder itself"
        ) from e
    if not (folder / MANIFEST).is_file():
        raise UserError(
            f"{path} holds no {MANIFEST}: expected a bundle, as `tfminilm "
            "export` writes it"
        )
    return folder


def _unpack(
    archive: zipfile.ZipFile, folder: pathlib.Path, path: pathlib.Path
) -> None:
    room = _MOST_BYTES
    for entry in archive.infolist():
        name = entry.filename.replace("\\", "/").rpartition("/")[2]
        if entry.is_dir() or name in ("", ".", ".."):
            continue
        if (folder / name).exists():
            raise UserError(
                f"{path} has two files {name}: expected one bundle alone"
            )
        with archive.open(entry) as source, open(folder / name, "xb") as file:
            while block := source.read(_BLOCK):
                room -= len(block)
                if room < 0:
                    raise UserError(
                        f"{path} holds more than {files.megabytes(_MOST_BYTES)}"
                        ": expected a bundle"
                    )
                file.write(block)

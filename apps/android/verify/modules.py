"""The modules of the project: the library's, and the app.

Each is compiled alone, against what it may use and no more: no Android class
and no `org.json` can get into `tokenizers`.
"""

import dataclasses
import pathlib
import shutil
import zipfile
from collections.abc import Sequence

import apk
import tools
from tools import Tools

RESOURCES = apk.PROJECT / "tokenizers" / "src" / "main" / "resources"


@dataclasses.dataclass(frozen=True)
class Module:
    """A folder of `apps/android`.

    Attributes:
        uses: the modules that it is compiled against.
        is_android: whether Android's and LiteRT's classes are there too.
    """

    name: str
    uses: tuple[str, ...] = ()
    is_android: bool = True

    @property
    def main(self) -> pathlib.Path:
        """What the module ships."""
        return apk.PROJECT / self.name / "src" / "main"

    @property
    def tests(self) -> pathlib.Path:
        """Its tests in Kotlin."""
        return apk.PROJECT / self.name / "src" / "test" / "kotlin"


LIBRARY = (
    Module("tokenizers", is_android=False),
    Module("litert", ("tokenizers",)),
)
APP = Module("app", ("tokenizers", "litert"))
ALL = (*LIBRARY, APP)


def build(
    kit: Tools, linked: pathlib.Path, libraries: pathlib.Path
) -> dict[str, pathlib.Path]:
    """Return a jar for each module: its classes and resources, and the app's R.

    Args:
        linked: the folder of `apk.resources`, with `gen/**/R.java`.
        libraries: the folder of `apk.libraries`.
    """
    jars: dict[str, pathlib.Path] = {}
    android = [kit.jar("android-all"), *sorted(libraries.glob("*.jar"))]
    for module in ALL:
        used = [jars[name] for name in module.uses]
        known = [*used, kit.jar("kotlin-stdlib")]
        known += android if module.is_android else []
        generated = linked / "gen" if module is APP else None
        jars[module.name] = _jar(kit, module, known, generated)
    return jars


def _jar(
    kit: Tools,
    module: Module,
    known: Sequence[pathlib.Path],
    generated: pathlib.Path | None,
) -> pathlib.Path:
    """Compile a module; `generated` has Java of its own."""
    sources = module.main / "kotlin"
    resources = [module.main / "resources"]
    resources = [folder for folder in resources if folder.is_dir()]
    java = sorted(generated.rglob("*.java")) if generated else []

    def compile_into(folder: pathlib.Path) -> None:
        compiled = folder / "classes"
        compiled.mkdir()
        if java:
            javac = ("javac", "-nowarn", "-source", "8", "-target", "8")
            tools.run(*javac, "-Xlint:-options", "-d", compiled, *java)
        named = ("-module-name", f"tfminilm-{module.name}")
        apk.kotlinc(kit, [sources], [compiled, *known], compiled, *named)
        for each in resources:
            shutil.copytree(each, compiled, dirs_exist_ok=True)
        write_zip(folder / f"{module.name}.jar", compiled)

    inputs = [sources, *resources, *java, *known, *apk.KOTLIN]
    folder = apk.step(f"module_{module.name}", inputs, compile_into)
    return folder / f"{module.name}.jar"


def write_zip(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Pack a folder; the same files always give the same bytes."""
    with zipfile.ZipFile(path, "w") as target:
        for file in sorted(
            each for each in folder.rglob("*") if each.is_file()
        ):
            info = zipfile.ZipInfo(file.relative_to(folder).as_posix())
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, file.read_bytes())

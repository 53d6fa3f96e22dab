"""The modules of the project: the library's, and the app.

Each is compiled alone, against what it may use and no more: no Android class
and no `org.json` can get into `tokenizers`.
"""

import dataclasses
import pathlib
import shutil
import zipfile
from collections.abc import Mapping

import apk
import tools
from tools import Tools

RESOURCES = apk.PROJECT / "tokenizers" / "src" / "main" / "resources"
# The version of Kotlin that the library is written in: compilers of this one
# and of the one before can read its classes.
LANGUAGE = "2.2"
# What a POM says of other artifacts: group, name, version, type.
_STDLIB = ("org.jetbrains.kotlin", "kotlin-stdlib", "2.2.20", "jar")
# Its own POM asks for the second as a jar, which is not there for Maven.
_LITE = ("org.tensorflow", "tensorflow-lite", "2.16.1", "aar")
_LITE_API = ("org.tensorflow", "tensorflow-lite-api", "2.16.1", "aar")
# Those that are taken without what they ask for themselves.
ALONE = (_LITE,)
_COROUTINES = (
    *("org.jetbrains.kotlinx", "kotlinx-coroutines-core-jvm"),
    *("1.11.0", "jar"),
)


@dataclasses.dataclass(frozen=True)
class Module:
    """A folder of `apps/android`.

    Attributes:
        uses: the modules that it is compiled against.
        needs: what else it is compiled against, as its POM says it.
        is_android: whether Android's and LiteRT's classes are there too.
    """

    name: str
    description: str
    uses: tuple[str, ...] = ()
    needs: tuple[tuple[str, str, str, str], ...] = ()
    is_android: bool = True

    @property
    def artifact(self) -> str:
        """Its name in a Maven repository."""
        return f"tfminilm-{self.name}"

    @property
    def namespace(self) -> str:
        """The package of its manifest, of which an app can have one alone."""
        return f"org.tfminilm.{self.name}"

    @property
    def root(self) -> pathlib.Path:
        """Its folder."""
        return apk.PROJECT / self.name

    @property
    def main(self) -> pathlib.Path:
        """What the module ships."""
        return self.root / "src" / "main"

    @property
    def tests(self) -> pathlib.Path:
        """Its tests in Kotlin."""
        return self.root / "src" / "test" / "kotlin"

    @property
    def interface(self) -> pathlib.Path:
        """Its public interface, as it was agreed on."""
        return self.root / "api" / f"{self.name}.api"

    @property
    def rules(self) -> pathlib.Path:
        """What R8 has to know of it."""
        return self.root / "consumer-rules.pro"


LIBRARY = (
    Module(
        "tokenizers",
        "WordPiece and SentencePiece as BERT's and XLM-R's training runs them",
        needs=(_STDLIB,),
        is_android=False,
    ),
    Module(
        "litert",
        "tfminilm's bundles on LiteRT: labels, answers and embeddings",
        uses=("tokenizers",),
        needs=(_LITE, _LITE_API, _STDLIB),
    ),
    Module(
        "coroutines",
        "Bundles of tfminilm in suspend functions and flows",
        uses=("tokenizers", "litert"),
        needs=(_COROUTINES, _STDLIB),
    ),
)
APP = Module("app", "The demo", uses=("tokenizers", "litert"))
ALL = (*LIBRARY, APP)


def build_library(
    kit: Tools, libraries: pathlib.Path
) -> dict[str, pathlib.Path]:
    """Return a jar for each module of the library: its classes and resources.

    Args:
        libraries: the folder of `apk.libraries`.
    """
    jars: dict[str, pathlib.Path] = {}
    for module in LIBRARY:
        jars[module.name] = _jar(kit, module, jars, libraries)
    return jars


def build_app(
    kit: Tools,
    jars: Mapping[str, pathlib.Path],
    libraries: pathlib.Path,
    linked: pathlib.Path,
) -> pathlib.Path:
    """Return the app's own jar.

    Args:
        jars: those of the library.
        libraries: the folder of `apk.libraries`.
        linked: the folder of `apk.resources`, with `gen/**/R.java`.
    """
    return _jar(kit, APP, jars, libraries, linked / "gen")


def _jar(
    kit: Tools,
    module: Module,
    jars: Mapping[str, pathlib.Path],
    libraries: pathlib.Path,
    generated: pathlib.Path | None = None,
) -> pathlib.Path:
    """Compile a module; `generated` has Java of its own."""
    known = [*(jars[name] for name in module.uses), kit.jar("kotlin-stdlib")]
    if module.is_android:
        known += [kit.jar("android-all"), *sorted(libraries.glob("*.jar"))]
        known.append(_litert2(kit))
    if _COROUTINES in module.needs:
        known.append(kit.jar("kotlinx-coroutines-core-jvm"))
    options = ["-module-name", module.artifact]
    if module in LIBRARY:
        options += ["-language-version", LANGUAGE, "-api-version", LANGUAGE]
        # As old class files have it, which the tests read out of the APK.
        options.append("-jvm-default=disable")
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
        apk.kotlinc(kit, [sources], [compiled, *known], compiled, *options)
        for each in resources:
            shutil.copytree(each, compiled, dirs_exist_ok=True)
        write_zip(folder / f"{module.name}.jar", compiled)

    inputs = [sources, *resources, *java, *known, *apk.KOTLIN, *options]
    folder = apk.step(f"module_{module.name}", inputs, compile_into)
    return folder / f"{module.name}.jar"


def _litert2(kit: Tools) -> pathlib.Path:
    """Return a jar with the signatures of LiteRT 2, which nobody ships."""
    sources = tools.HERE / "litert2"

    def build(folder: pathlib.Path) -> None:
        tools.run(
            *("javac", "-nowarn", "-Xlint:-options", "--release", "8"),
            *("-cp", kit.jar("android-all"), "-d", folder / "classes"),
            *sorted(sources.rglob("*.java")),
        )
        write_zip(folder / "litert2.jar", folder / "classes")

    return apk.step("litert2", [sources], build) / "litert2.jar"


def write_zip(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Pack a folder; the same files always give the same bytes."""
    with zipfile.ZipFile(path, "w") as target:
        for file in sorted(
            each for each in folder.rglob("*") if each.is_file()
        ):
            add(target, file.relative_to(folder).as_posix(), file.read_bytes())


def add(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file to a zip, without a time of its own."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    target.writestr(info, content)

"""The library's reference, written by Dokka from the comments in its code."""

import json
import pathlib
from collections.abc import Mapping

import apk
import modules
import tools

_PLUGINS = (
    *("dokka-base", "analysis-", "kotlinx-html", "freemarker"),
    *("jsoup", "markdown-jvm"),
)


def write(kit: tools.Tools, libraries: pathlib.Path) -> pathlib.Path:
    """Return a folder of HTML, one for all modules.

    Args:
        libraries: the folder of `apk.libraries`.

    Raises:
        SystemExit: Dokka warns of something, as of a link that leads nowhere.
    """
    sources = [module.main / "kotlin" for module in modules.LIBRARY]
    program = tools.HERE / "java" / "Document.java"
    jars = sorted(kit.documentation.iterdir())
    known = [
        *(kit.jar("kotlin-stdlib"), kit.jar("android-all")),
        *(kit.jar("kotlinx-coroutines-core-jvm"), *libraries.glob("*.jar")),
    ]

    def build(folder: pathlib.Path) -> None:
        settings = {
            "moduleName": "tfminilm for Android",
            "moduleVersion": tools.VERSION,
            "outputDir": str(folder / "html"),
            "offlineMode": True,
            "failOnWarning": True,
            "pluginsClasspath": [
                str(jar) for jar in jars if jar.name.startswith(_PLUGINS)
            ],
            "sourceSets": [_source_set(sources, known)],
        }
        path = folder / "dokka.json"
        path.write_text(json.dumps(settings), "utf-8")
        apk.java("-cp", apk.path_list(jars), program, path)

    inputs = [*sources, *jars, program, pathlib.Path(__file__)]
    return apk.step("documentation", inputs, build) / "html"


def _source_set(
    sources: list[pathlib.Path], known: list[pathlib.Path]
) -> Mapping[str, object]:
    return {
        "displayName": "android",
        "sourceSetID": {"scopeId": "library", "sourceSetName": "main"},
        "sourceRoots": [str(path) for path in sources],
        "classpath": [str(path) for path in known],
        "analysisPlatform": "jvm",
        "languageVersion": modules.LANGUAGE,
        "noStdlibLink": True,
        "noJdkLink": True,
        "noAndroidSdkLink": True,
    }

"""What can be said of Gradle's files without Gradle.

That they build is not tried here: Gradle and LiteRT are not to be had from the
sources that `tools` knows. Their versions, modules and permissions are those of
what is built and tested instead.
"""

import re
import xml.etree.ElementTree

import apk
import modules
import tools

_ANDROID = "{http://schemas.android.com/apk/res/android}"
_TOOLS = "{http://schemas.android.com/tools}"
# What the manifest of LiteRT 2's AAR asks for, as its source has it.
_LITERT_ASKS_FOR = {
    "android.permission.FOREGROUND_SERVICE",
    "android.permission.FOREGROUND_SERVICE_DATA_SYNC",
}


def check() -> None:
    """Compare Gradle's files with what is built here.

    Raises:
        SystemExit: they say something else.
    """
    root = apk.PROJECT
    settings = (root / "settings.gradle.kts").read_text("utf-8")
    named = re.findall(r'":(\w+)"', settings)
    _require(
        named == [module.name for module in modules.ALL],
        f"settings.gradle.kts has the modules {named}",
    )
    wrapper = root / "gradle" / "wrapper" / "gradle-wrapper.properties"
    version = f"gradle-{apk.VERSIONS['gradle']}-bin.zip"
    _require(version in wrapper.read_text("utf-8"), f"no {version} in wrapper")
    for module in modules.ALL:
        text = (module.root / "build.gradle.kts").read_text("utf-8")
        for used in re.findall(r"libs\.([\w.]+)", text):
            _require(_is_known(used), f"the catalog has no {used}")
    poms = "".join(
        path.read_text("utf-8") for path in (tools.HERE / "poms").iterdir()
    )
    for name in ("coroutines", "junit", "robolectric", "jna"):
        found = f"<version>{apk.VERSIONS[name]}</version>" in poms
        _require(found, f"verify has another version of {name}")
    _require(
        _removed() == _LITERT_ASKS_FOR,
        "the app's manifest takes out other permissions than LiteRT's",
    )


def _is_known(alias: str) -> bool:
    kind, *words = alias.split(".")
    if kind == "versions":
        return words[0] in apk.VERSIONS
    if kind == "plugins":
        return "-".join(words) in apk.CATALOG["plugins"]
    return alias.replace(".", "-") in apk.CATALOG["libraries"]


def _removed() -> set[str | None]:
    """Return the permissions that the app's manifest takes out."""
    manifest = xml.etree.ElementTree.parse(apk.MAIN / "AndroidManifest.xml")
    return {
        each.get(f"{_ANDROID}name")
        for each in manifest.getroot().iter("uses-permission")
        if each.get(f"{_TOOLS}node") == "remove"
    }


def _require(fine: bool, problem: str) -> None:
    if not fine:
        raise SystemExit(f"Gradle's files do not go with verify: {problem}")

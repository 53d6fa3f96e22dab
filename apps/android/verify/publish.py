"""The library as a Maven repository: `python publish.py REPOSITORY`.

An AAR is a zip: the classes, Android's manifest, the rules for R8 and what the
format says of itself. Each artifact comes with its POM, sources and
documentation. Nothing is signed: this is for a folder, not for Maven Central.
"""

import hashlib
import pathlib
import shutil
import sys
import xml.sax.saxutils
import zipfile
from collections.abc import Mapping

import apk
import documentation
import modules
import tools
from modules import Module

GROUP = "org.tfminilm"
_LICENSE = tools.HERE.parents[2] / "LICENSE"
_METADATA = "META-INF/com/android/build/gradle/aar-metadata.properties"
_POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <version>{version}</version>
  <packaging>{packaging}</packaging>
  <name>{artifact}</name>
  <description>{description}</description>
  <licenses>
    <license>
      <name>Apache-2.0</name>
      <url>https://www.apache.org/licenses/LICENSE-2.0.txt</url>
    </license>
  </licenses>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY = """    <dependency>
      <groupId>{}</groupId>
      <artifactId>{}</artifactId>
      <version>{}</version>
      <type>{}</type>
      <scope>compile</scope>{}
    </dependency>"""
_NOTHING_ELSE = """
      <exclusions>
        <exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>
      </exclusions>"""


def main() -> None:
    """Compile the library and copy it into a local Maven repository."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: publish.py REPOSITORY, a folder")
    target = pathlib.Path(sys.argv[1]).expanduser()
    kit = tools.fetch()
    apk.BUILD.mkdir(exist_ok=True)
    libraries = apk.libraries(kit)
    jars = modules.build_library(kit, libraries)
    source = repository(kit, jars, libraries)
    shutil.copytree(source, target, dirs_exist_ok=True)
    for module in modules.LIBRARY:
        print(f"{target}: {GROUP}:{module.artifact}:{tools.VERSION}")


def repository(
    kit: tools.Tools,
    jars: Mapping[str, pathlib.Path],
    libraries: pathlib.Path,
) -> pathlib.Path:
    """Return a Maven repository with the library's artifacts.

    Args:
        jars: of the modules, by their names.
        libraries: the folder of `apk.libraries`.
    """
    pages = documentation.write(kit, libraries)

    def build(folder: pathlib.Path) -> None:
        for module in modules.LIBRARY:
            _write(folder, module, jars[module.name], pages)
        for path in sorted(
            each for each in folder.rglob("*") if each.is_file()
        ):
            digest = hashlib.sha1(path.read_bytes()).hexdigest()
            path.with_name(f"{path.name}.sha1").write_text(digest)

    inputs = [*(module.root for module in modules.LIBRARY), pages]
    here = pathlib.Path(__file__)
    return apk.step("repository", [*jars.values(), *inputs, here], build)


def _write(
    folder: pathlib.Path,
    module: Module,
    jar: pathlib.Path,
    pages: pathlib.Path,
) -> None:
    """Write an artifact, its POM, sources and documentation."""
    place = folder / GROUP.replace(".", "/") / module.artifact / tools.VERSION
    place.mkdir(parents=True)
    stem = place / f"{module.artifact}-{tools.VERSION}"
    extension = "aar" if module.is_android else "jar"
    write = _write_aar if module.is_android else _write_jar
    write(pathlib.Path(f"{stem}.{extension}"), module, jar)
    pathlib.Path(f"{stem}.pom").write_text(_pom(module, extension), "utf-8")
    sources = pathlib.Path(f"{stem}-sources.jar")
    modules.write_zip(sources, module.main / "kotlin")
    modules.write_zip(pathlib.Path(f"{stem}-javadoc.jar"), pages)


def _write_jar(path: pathlib.Path, module: Module, jar: pathlib.Path) -> None:
    shutil.copyfile(jar, path)
    with zipfile.ZipFile(path, "a") as target:
        modules.add(target, "META-INF/LICENSE", _LICENSE.read_bytes())
        rules = f"META-INF/proguard/{module.artifact}.pro"
        modules.add(target, rules, module.rules.read_bytes())


def _write_aar(path: pathlib.Path, module: Module, jar: pathlib.Path) -> None:
    manifest = f"""<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android"
    package="{module.namespace}">

    <uses-sdk android:minSdkVersion="{apk.MIN_SDK}" />
</manifest>
"""
    metadata = "aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk=1\n"
    with zipfile.ZipFile(path, "w") as target:
        modules.add(target, "AndroidManifest.xml", manifest.encode())
        modules.add(target, "classes.jar", jar.read_bytes())
        modules.add(target, "R.txt", b"")
        modules.add(target, "proguard.txt", module.rules.read_bytes())
        modules.add(target, _METADATA, metadata.encode())
        modules.add(target, "LICENSE", _LICENSE.read_bytes())


def _pom(module: Module, packaging: str) -> str:
    own = [
        (
            GROUP,
            used.artifact,
            tools.VERSION,
            "aar" if used.is_android else "jar",
        )
        for used in modules.LIBRARY
        if used.name in module.uses
    ]
    all_of_them = [*own, *module.needs]
    return _POM.format(
        group=GROUP,
        artifact=module.artifact,
        version=tools.VERSION,
        packaging=packaging,
        description=xml.sax.saxutils.escape(module.description),
        dependencies="\n".join(
            _DEPENDENCY.format(
                *each, _NOTHING_ELSE if each in modules.ALONE else ""
            )
            for each in all_of_them
        ),
    )


if __name__ == "__main__":
    main()

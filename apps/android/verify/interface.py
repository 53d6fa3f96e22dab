"""The library's public interface: what is there, and what was agreed on.

`python interface.py` writes `MODULE/api/MODULE.api` anew, after a change that
is meant. It is what Kotlin's own tool prints of the compiled classes.
"""

import difflib
import pathlib
from collections.abc import Mapping

import apk
import modules
import tools


def main() -> None:
    """Write the files of all modules."""
    kit = tools.fetch()
    jars = modules.build_library(kit, apk.libraries(kit))
    for module in modules.LIBRARY:
        module.interface.parent.mkdir(exist_ok=True)
        module.interface.write_text(_dump(kit, jars[module.name]), "utf-8")


def check(kit: tools.Tools, jars: Mapping[str, pathlib.Path]) -> None:
    """Compare the modules' jars with their files.

    Raises:
        SystemExit: something was added, changed or taken away.
    """
    for module in modules.LIBRARY:
        agreed = module.interface.read_text("utf-8").splitlines()
        dump = _dump(kit, jars[module.name]).splitlines()
        changes = "\n".join(difflib.unified_diff(agreed, dump, lineterm=""))
        if changes:
            raise SystemExit(
                f"{changes}\n{module.artifact} has another interface than "
                f"{module.interface.name} says: if that is meant, run "
                f"`python apps/android/verify/interface.py`"
            )


def _dump(kit: tools.Tools, jar: pathlib.Path) -> str:
    program = tools.HERE / "java" / "ApiDump.java"
    jars = sorted(kit.interface.iterdir())

    def build(folder: pathlib.Path) -> None:
        printed = apk.java("-cp", apk.path_list(jars), program, jar)
        (folder / "dump").write_text(printed, "utf-8")

    folder = apk.step(f"interface_{jar.stem}", [jar, *jars, program], build)
    return (folder / "dump").read_text("utf-8")


if __name__ == "__main__":
    main()

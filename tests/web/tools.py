"""Install what the tests of the page need: `python tests/web/tools.py`.

As root on Debian 12; elsewhere it says what has to be on PATH.
"""

import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).parents[2]
PACKAGES = {"node": "nodejs", "npm": "npm", "chromium": "chromium"}


def main() -> None:
    """Install the packages whose commands are missing."""
    path = ROOT / "apps/android/verify/tools.py"
    spec = importlib.util.spec_from_file_location("android_tools", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.install(PACKAGES)


if __name__ == "__main__":
    main()

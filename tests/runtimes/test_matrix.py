"""Every precision of every kind of model, on every runtime since 2023.

A bundle says which runtimes are right for it. Those and all newer ones give
its known answers; older ones refuse the file or give others, which is what
the bundle's readers look for.
"""

import numpy as np
import pytest

from tfminilm.export.target import PRECISIONS

pytestmark = pytest.mark.slow

# Oldest first; "" is the one that is installed, "compiled" its new interface.
VERSIONS = {
    "tensorflow-lite": ("2.14.0", "2.16.1"),
    "ai-edge-litert": (
        *("1.0.1", "1.1.2", "1.2.0", "1.3.0", "1.4.0"),
        *("", "compiled"),
    ),
}
RUNTIMES = [(name, v) for name, known in VERSIONS.items() for v in known]
# Those of the bundles in conftest.py.
KINDS = (
    *("encoder", "classification", "regression"),
    *("question_answering", "mobilebert"),
)
INT4 = "dynamic_wi4_afp32"
# It does not refuse what it computes wrongly.
FAULT = INT4, "1.0.1"


def _number(version):
    if version in ("", "compiled"):
        return (99,)
    return tuple(map(int, version.split(".")))


@pytest.mark.parametrize(("library", "version"), RUNTIMES)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_bundle_knows_its_runtimes(
    kind, precision, library, version, exported, runtime
):
    opened = exported(kind, precision)
    oldest = opened.manifest.runtimes[library]
    probe = opened.manifest.probe
    found = runtime(library, version).answers(opened.folder)
    is_right = found is not None and all(
        np.abs(np.subtract(got[name], values)).max() <= probe.tolerance
        for got, row in zip(found, probe.rows, strict=True)
        for name, values in row.outputs.items()
    )
    stated = oldest is not None and _number(version) >= _number(oldest)
    if (kind, precision) != ("encoder", INT4) and (precision, version) == FAULT:
        # 4 bits leave so little of small random weights that its fault is
        # within what they cost; the real encoder shows it.
        return
    assert is_right == stated

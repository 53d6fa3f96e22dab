"""How soon the page of `tfminilm web` answers, and which runtime is faster.

    python benchmarks/web_page.py --model=runs/demo --onnx=MODEL.onnx,INT8.onnx

The first row is the page itself, opened in headless Chromium from this disk:
seconds from the start of the navigation to the first answer on the screen, in
a browser without a cache, and seconds of the processor that its process used
until then, which others' work on the machine changes less. The others run the
encoder's file by LiteRT.js and the ONNX files by onnxruntime-web, on one
thread, in turns: seconds until a first answer, and medians of 50 runs at each
length of the bundle. The columns of bytes are what the browser loads.
Node.js, npm and Chromium have to be installed, as `make test-web` does.
"""

import json
import pathlib
import shutil
import statistics
import subprocess
import tarfile
import tempfile

import _shared

from tfminilm import quiet
from tfminilm.web import packages

_HERE = pathlib.Path(__file__).parent
_PLAYWRIGHT = packages.Package(
    "playwright-core",
    "1.56.1",
    "hutraynyn31F+Bifme+Ps9Vq59hKuUCz7H1kDOcBs+2oGguKkWTU50bBWrtz34OUWmIwpBTWDx"
    "aRPXrIXkgvmQ==",
    {},
)
_ORT = packages.Package(
    "onnxruntime-web",
    "1.30.0",
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1S"
    "igqR4CXAfKYQ==",
    {
        name: f"dist/{name}"
        for name in (
            "ort.wasm.min.mjs",
            "ort-wasm-simd-threaded.mjs",
            "ort-wasm-simd-threaded.wasm",
        )
    },
)
_RUNS = 50


def main() -> None:
    """Print a row for the page, and one for each file."""
    parser = _shared.Parser(__doc__)
    parser.add_flags(model="runs/demo", onnx="", rounds=5)
    options = parser.parse_args()
    onnx = [pathlib.Path(x) for x in options.onnx.split(",") if x]
    quiet.import_tensorflow()
    from tfminilm.web import site

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        manifest = site.write_site(options.model, folder / "site")
        lengths = sorted(x.length for x in manifest.signatures.values())
        rows = _prepare(folder / "site", onnx, lengths)
        found = _measure(folder, list(rows.values()), options.rounds)
        _print(rows, found, lengths, folder / "site")


def _prepare(
    site: pathlib.Path, onnx: list[pathlib.Path], lengths: list[int]
) -> dict[str, str]:
    """Return the addresses of what is measured, by the rows' names."""
    shutil.copyfile(_HERE / "web_page.js", site / "web_page.js")
    (site / "runtimes.html").write_text(
        '<!doctype html><body><script type="module" src="web_page.js"></script>'
    )
    ask = f"lengths={','.join(map(str, lengths))}&runs={_RUNS}"
    address = f"runtimes.html?{ask}&runtime="
    rows = {
        "the page": "index.html",
        "LiteRT.js": f"{address}litert&file=bundle/model.tflite",
    }
    if onnx:
        (site / "ort").mkdir()
        packages.unpack(_ORT, site / "ort")
    for path in onnx:
        shutil.copyfile(path, site / path.name)
        rows[f"onnxruntime-web {path.name}"] = f"{address}onnx&file={path.name}"
    return rows


def _measure(
    folder: pathlib.Path, paths: list[str], rounds: int
) -> list[list[dict]]:
    """Return what each address said in each round."""
    driver = folder / "playwright"
    with tarfile.open(packages.fetch(_PLAYWRIGHT)) as archive:
        archive.extractall(driver, filter="data")
    command = ["node", _HERE / "web_page.mjs", driver / "package"]
    command += [shutil.which("chromium"), folder / "site", *paths]
    found = []
    for _ in range(rounds):
        done = subprocess.run(command, check=True, capture_output=True)
        found.append(json.loads(done.stdout))
    return found


def _print(
    rows: dict[str, str],
    found: list[list[dict]],
    lengths: list[int],
    site: pathlib.Path,
) -> None:
    titles = ["runtime MB", "model MB", "first answer s", "processor s"]
    titles += [f"{length} tokens ms" for length in lengths]
    table = _shared.table([""], titles)
    for place, (name, path) in enumerate(rows.items()):
        _, _, file = path.rpartition("file=")
        is_onnx = file.endswith(".onnx")
        runtime = site / ("ort" if is_onnx else "litert")
        files = [x for x in runtime.iterdir() if "compat" not in x.name]
        size = (site / (file if is_onnx else "bundle/model.tflite")).stat()
        firsts = [each[place]["first"] / 1000 for each in found]
        is_page = "medians" not in found[0][place]
        used = [each[place]["processor"] for each in found]
        cells = [sum(x.stat().st_size for x in files) / 1e6, size.st_size / 1e6]
        medians = [each[place].get("medians", []) for each in found]
        table.add_row(
            name,
            *(f"{x:.1f}" for x in cells),
            f"{statistics.median(firsts):.2f} ({min(firsts):.2f})",
            f"{statistics.median(used):.2f} ({min(used):.2f})" * is_page,
            *(
                f"{statistics.median(x):.1f} ({min(x):.1f})"
                for x in zip(*medians, strict=True)
            ),
        )
    _shared.show(table, 110)
    print(
        f"{len(found)} rounds in turns, medians (least); {_shared.processor()}"
    )


if __name__ == "__main__":
    main()

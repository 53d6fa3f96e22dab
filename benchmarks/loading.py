"""What time and memory it takes to load a Hugging Face folder.

    python benchmarks/loading.py --rounds=5

A BERT-base of random numbers (with `--size=mini` one of all-MiniLM's 6 layers)
is written in float32, in four parts, and in float16. Each is loaded by
`teachers.load_backbone`, and its tensors are read by safetensors alone into
float32 arrays, each time in a process of its own, in turns. A tiny folder is
loaded first, so that neither imports nor TensorFlow's start count. Printed are
medians, and the most memory beyond what the process had before, in multiples
of the float32 weights. Linux only.

`--clock=processor` counts the seconds of all cores together, which others'
work on the machine changes less.
"""

import json
import pathlib
import statistics
import tempfile

import _shared
import numpy as np

_FORMS = ("float32", "float32 in 4 parts", "float16")
_WAYS = ("read", "load")
_SIZES = {"base": (30_522, 768, 12, 3_072), "mini": (30_522, 384, 6, 1_536)}
_TINY = (64, 16, 1, 16)


def main() -> None:
    """Write the folders, and print a row for each; or measure one."""
    parser = _shared.Parser(__doc__)
    parser.add_flags(rounds=5, size="base", folder="", way="")
    parser.add_clock()
    options = parser.parse_args()
    if options.way:
        print(json.dumps(_measure(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for form in _FORMS:
            _write(pathlib.Path(folder, form), form, _SIZES[options.size])
        _write(pathlib.Path(folder, "tiny"), "float32", _TINY)
        _compare(pathlib.Path(folder), options)


def _compare(folder: pathlib.Path, options) -> None:
    rounds, clock = options.rounds, options.clock
    titles = ["read s", "load s", "load / read", "read peak", "load peak"]
    table = _shared.table(["weights"], titles)
    for form in _FORMS:
        found: dict[str, list] = {way: [] for way in _WAYS}
        for _ in range(rounds):
            for way in _WAYS:
                flags = f"--folder={folder / form}", f"--way={way}"
                found[way].append(_shared.in_a_process(__file__, *flags))
        seconds, peaks = (
            [statistics.median(x[key] for x in found[way]) for way in _WAYS]
            for key in ("seconds", "peak")
        )
        read, load = seconds
        numbers = [f"{x:.2f}" for x in (read, load, load / read, *peaks)]
        table.add_row(form, *numbers)
    _shared.show(table, 90)
    print(
        f"BERT, {options.size}, {rounds} rounds in turns, {clock} clock; "
        f"{_shared.processor()}, {_shared.versions('TensorFlow', 'Keras')}"
    )


def _measure(options) -> dict[str, float]:
    import safetensors

    from tfminilm import teachers

    folder = pathlib.Path(options.folder)
    teachers.load_backbone(folder.with_name("tiny"))
    before, clock = _megabytes("VmRSS"), _shared.CLOCKS[options.clock]
    start = clock()
    if options.way == "load":
        model = teachers.load_backbone(folder)
        size = 4 * model.count_params()
    else:
        arrays = []
        for path in sorted(folder.glob("*.safetensors")):
            with safetensors.safe_open(path, framework="np") as file:
                names = file.keys()
                arrays += [
                    np.asarray(file.get_tensor(name), "float32")
                    for name in names
                ]
        size = sum(array.nbytes for array in arrays)
    seconds = clock() - start
    peak = (_megabytes("VmHWM") - before) * 2**20 / size
    return {"seconds": seconds, "peak": peak}


def _megabytes(name: str) -> float:
    """Return a size of this process in MiB, as Linux tells it."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    (line,) = (x for x in lines if x.startswith(f"{name}:"))
    return int(line.split()[1]) / 2**10


def _write(folder: pathlib.Path, form: str, sizes: tuple) -> None:
    import safetensors.numpy

    from tfminilm import files

    tensors, settings = _bert(*sizes)
    folder.mkdir()
    files.write_json(folder / "config.json", settings)
    dtype, _, parts = form.partition(" in ")
    tensors = {name: x.astype(dtype) for name, x in tensors.items()}
    if not parts:
        path = folder / "model.safetensors"
        safetensors.numpy.save_file(tensors, path)
        return
    where = {}
    for part in range(4):
        name = f"model-{part + 1:05}-of-00004.safetensors"
        own = dict([*tensors.items()][part::4])
        safetensors.numpy.save_file(own, folder / name)
        where |= dict.fromkeys(own, name)
    index = folder / "model.safetensors.index.json"
    files.write_json(index, {"weight_map": where})


def _bert(vocabulary: int, width: int, layers: int, inner: int) -> tuple:
    """Return random tensors of a BERT by their names, and its settings."""
    random = np.random.default_rng(0)
    tensors = {}

    def add(name: str, *shape: int) -> None:
        values = random.standard_normal(shape, "float32")
        tensors[f"{name}.weight"] = 0.02 * values
        if "embeddings." not in name or "Norm" in name:
            tensors[f"{name}.bias"] = np.zeros(shape[0], "float32")

    for name, rows in (("word", vocabulary), ("position", 512)):
        add(f"embeddings.{name}_embeddings", rows, width)
    add("embeddings.token_type_embeddings", 2, width)
    add("embeddings.LayerNorm", width)
    add("pooler.dense", width, width)
    for index in range(layers):
        layer = f"encoder.layer.{index}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            add(f"{layer}.attention.{name}", width, width)
        add(f"{layer}.attention.output.LayerNorm", width)
        add(f"{layer}.intermediate.dense", inner, width)
        add(f"{layer}.output.dense", width, inner)
        add(f"{layer}.output.LayerNorm", width)
    settings = {
        "model_type": "bert",
        "vocab_size": vocabulary,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": inner,
        "max_position_embeddings": 512,
    }
    return tensors, settings


if __name__ == "__main__":
    main()

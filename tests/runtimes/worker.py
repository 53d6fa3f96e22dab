"""Runs a bundle's known answers on one runtime, in a process of its own.

`python worker.py FOLDER [LIBRARIES]` prints, as JSON, each row's outputs by
name. LIBRARIES is what `native/loadable.py` wrote, or "compiled" for LiteRT 2's
`CompiledModel`; without it the runtime is the interpreter of the
`ai_edge_litert` that this Python finds. Fails if the runtime refuses the
file. Needs NumPy alone.
"""

import ctypes
import importlib.util
import json
import pathlib
import sys

import numpy as np

NATIVE = (
    pathlib.Path(__file__).parents[2] / "apps/android/verify/native/loadable.py"
)
POINTER, INT = ctypes.c_void_p, ctypes.c_int32
SIZE, TEXT = ctypes.c_size_t, ctypes.c_char_p
# Of TensorFlow Lite's C API: what a function returns, and what it takes.
FUNCTIONS = {
    "ModelCreateFromFile": (POINTER, TEXT),
    "InterpreterOptionsCreate": (POINTER,),
    "InterpreterOptionsSetNumThreads": (None, POINTER, INT),
    "InterpreterCreate": (POINTER, POINTER, POINTER),
    "InterpreterGetSignatureCount": (INT, POINTER),
    "InterpreterGetSignatureKey": (TEXT, POINTER, INT),
    "InterpreterGetSignatureRunner": (POINTER, POINTER, TEXT),
    "SignatureRunnerAllocateTensors": (INT, POINTER),
    "SignatureRunnerGetInputCount": (SIZE, POINTER),
    "SignatureRunnerGetInputName": (TEXT, POINTER, INT),
    "SignatureRunnerGetInputTensor": (POINTER, POINTER, TEXT),
    "SignatureRunnerInvoke": (INT, POINTER),
    "SignatureRunnerGetOutputCount": (SIZE, POINTER),
    "SignatureRunnerGetOutputName": (TEXT, POINTER, INT),
    "SignatureRunnerGetOutputTensor": (POINTER, POINTER, TEXT),
    "TensorNumDims": (INT, POINTER),
    "TensorDim": (INT, POINTER, INT),
    "TensorByteSize": (SIZE, POINTER),
    "TensorCopyFromBuffer": (INT, POINTER, POINTER, SIZE),
    "TensorCopyToBuffer": (INT, POINTER, POINTER, SIZE),
}


class Wheel:
    """The interpreter of `ai_edge_litert`."""

    def __init__(self, model):
        from ai_edge_litert.interpreter import Interpreter

        # Kept, as its runners do not keep it.
        self._interpreter = Interpreter(str(model), num_threads=1)
        self._runners = {}
        for name in self._interpreter.get_signature_list():
            runner = self._interpreter.get_signature_runner(name)
            details = runner.get_input_details()
            length = int(details["token_ids"]["shape"][1])
            self._runners[length] = runner, tuple(details)

    @property
    def lengths(self):
        return sorted(self._runners)

    def run(self, length, inputs):
        runner, names = self._runners[length]
        return runner(**{name: inputs[name] for name in names})


class Compiled:
    """The `CompiledModel` of `ai_edge_litert`, on the processor."""

    def __init__(self, model):
        from ai_edge_litert.compiled_model import CompiledModel

        self._model = CompiledModel.from_file(str(model))
        self._signatures = {}
        for key, names in self._model.get_signature_list().items():
            details = self._model.get_input_tensor_details(key)
            length = int(details["token_ids"]["shape"][1])
            self._signatures[length] = key, names

    @property
    def lengths(self):
        return sorted(self._signatures)

    def run(self, length, inputs):
        key, names = self._signatures[length]
        model = self._model
        read = {
            name: model.create_input_buffer_by_name(key, name)
            for name in names["inputs"]
        }
        written = {
            name: model.create_output_buffer_by_name(key, name)
            for name in names["outputs"]
        }
        for name, buffer in read.items():
            buffer.write(inputs[name])
        model.run_by_name(key, read, written)
        shapes = {
            name: detail["shape"]
            for name, detail in model.get_output_tensor_details(key).items()
        }
        return {
            name: buffer.read(int(np.prod(shapes[name])), np.float32)
            for name, buffer in written.items()
        }


class Library:
    """TensorFlow Lite's C API, out of an Android library."""

    def __init__(self, model, folder):
        self._load(folder)
        options = self.InterpreterOptionsCreate()
        self.InterpreterOptionsSetNumThreads(options, 1)
        loaded = self.ModelCreateFromFile(str(model).encode())
        interpreter = loaded and self.InterpreterCreate(loaded, options)
        if not interpreter:
            raise SystemExit("refused")
        self._runners = {}
        for index in range(self.InterpreterGetSignatureCount(interpreter)):
            key = self.InterpreterGetSignatureKey(interpreter, index)
            runner = self.InterpreterGetSignatureRunner(interpreter, key)
            if self.SignatureRunnerAllocateTensors(runner):
                raise SystemExit("refused")
            ids = self.SignatureRunnerGetInputTensor(runner, b"token_ids")
            self._runners[self.TensorDim(ids, 1)] = runner

    def _load(self, folder):
        spec = importlib.util.spec_from_file_location("loadable", NATIVE)
        loadable = importlib.util.module_from_spec(spec)
        sys.modules["loadable"] = loadable
        spec.loader.exec_module(loadable)
        (runtime,) = folder.glob("*_jni.so")
        made = loadable.Loadable(folder / "liblog.so", runtime)
        library = loadable.load(made)
        for name, (result, *arguments) in FUNCTIONS.items():
            function = getattr(library, f"TfLite{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    @property
    def lengths(self):
        return sorted(self._runners)

    def run(self, length, inputs):
        runner = self._runners[length]
        for index in range(self.SignatureRunnerGetInputCount(runner)):
            name = self.SignatureRunnerGetInputName(runner, index)
            tensor = self.SignatureRunnerGetInputTensor(runner, name)
            values = inputs[name.decode()]
            data = values.ctypes.data
            self.TensorCopyFromBuffer(tensor, data, values.nbytes)
        if self.SignatureRunnerInvoke(runner):
            raise SystemExit("failed")
        found = {}
        for index in range(self.SignatureRunnerGetOutputCount(runner)):
            name = self.SignatureRunnerGetOutputName(runner, index)
            tensor = self.SignatureRunnerGetOutputTensor(runner, name)
            rank = self.TensorNumDims(tensor)
            shape = [self.TensorDim(tensor, axis) for axis in range(rank)]
            values = np.zeros(shape, np.float32)
            assert self.TensorByteSize(tensor) == values.nbytes
            self.TensorCopyToBuffer(tensor, values.ctypes.data, values.nbytes)
            found[name.decode()] = values
        return found


def answer(runtime, row):
    """The outputs of a known answer's row, flat."""
    count = len(row["token_ids"])
    length = min(known for known in runtime.lengths if known >= count)
    given = {"padding_mask": [1] * count, **row}
    inputs = {}
    for name in ("token_ids", "segment_ids", "padding_mask"):
        inputs[name] = np.zeros((1, length), np.int32)
        inputs[name][0, :count] = given.get(name, 0)
    outputs = runtime.run(length, inputs)
    return {
        name: outputs[name].ravel()[: len(values)].tolist()
        for name, values in row["outputs"].items()
    }


def main(folder, *libraries):
    folder = pathlib.Path(folder)
    rows = json.loads((folder / "manifest.json").read_text())["probe"]["rows"]
    model = folder / "model.tflite"
    if not libraries:
        runtime = Wheel(model)
    elif libraries == ("compiled",):
        runtime = Compiled(model)
    else:
        runtime = Library(model, pathlib.Path(*libraries))
    print(json.dumps([answer(runtime, row) for row in rows]))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Runs folders in Hugging Face's libraries, in the environment that has them.

`python hub_worker.py TEXTS JOBS` reads a JSON list of texts, and one of jobs:
a kind (auto, optimum, sentence or fused), a folder, and the file in it. It
prints, as JSON, for each job the texts' probabilities by label, or vectors;
of "fused" how often onnxruntime's transformer optimizer writes each operator.
"""

import collections
import json
import pathlib
import sys
import warnings

BATCH = 16


def classify(model, folder, texts):
    from transformers import AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(folder)
    run = pipeline("text-classification", model=model, tokenizer=tokenizer)
    answers = run(texts, top_k=None, batch_size=BATCH, truncation=True)
    return [{x["label"]: x["score"] for x in answer} for answer in answers]


def auto(folder, file, texts):
    from transformers import AutoModelForSequenceClassification as Auto

    return classify(Auto.from_pretrained(folder), folder, texts)


def optimum(folder, file, texts):
    from optimum.onnxruntime import ORTModelForSequenceClassification as Ort

    return classify(Ort.from_pretrained(folder, file_name=file), folder, texts)


def sentence(folder, file, texts):
    from sentence_transformers import SentenceTransformer

    options = {}
    if file.endswith(".onnx"):
        options = {"backend": "onnx", "model_kwargs": {"file_name": file}}
    model = SentenceTransformer(folder, device="cpu", **options)
    return model.encode(texts, batch_size=BATCH).tolist()


def fused(folder, file, texts):
    from onnxruntime.transformers import optimizer

    # The heads' number and size are read from the graph.
    path = str(pathlib.Path(folder, "onnx", file))
    model = optimizer.optimize_model(path, "bert", opt_level=0)
    return collections.Counter(node.op_type for node in model.model.graph.node)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    texts, jobs = (
        json.loads(pathlib.Path(x).read_text()) for x in sys.argv[1:]
    )
    kinds = {x.__name__: x for x in (auto, optimum, sentence, fused)}
    print(json.dumps([kinds[kind](*job, texts) for kind, *job in jobs]))

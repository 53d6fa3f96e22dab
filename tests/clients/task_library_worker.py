"""Runs a file in the TFLite Task Library, in the environment that has it.

`python task_library_worker.py classifier|embedder|answerer FILE TEXTS` prints,
as JSON, for each of the texts, a JSON list, its probabilities by label, its
vector, or, for a question and a context, the best answer.
"""

import ctypes
import json
import pathlib
import sys

import libusb_package

# The library links to it for accelerators; a system has it seldom.
ctypes.CDLL(str(libusb_package.get_library_path()), ctypes.RTLD_GLOBAL)
from tflite_support.task import text  # noqa: E402


def classify(path, texts):
    client = text.BertNLClassifier.create_from_file(path)
    answers = [client.classify(x).classifications[0] for x in texts]
    return [
        {x.category_name: x.score for x in answer.categories}
        for answer in answers
    ]


def embed(path, texts):
    client = text.TextEmbedder.create_from_file(path)
    answers = [client.embed(x).embeddings[0] for x in texts]
    return [answer.feature_vector.value.tolist() for answer in answers]


def answer(path, texts):
    client = text.BertQuestionAnswerer.create_from_file(path)
    best = []
    for question, context in texts:
        answers = client.answer(context, question).answers
        best.append(
            {
                "text": answers[0].text,
                "start": answers[0].pos.start,
                "end": answers[0].pos.end,
                "logit": answers[0].pos.logit,
            }
            if answers
            else None
        )
    return best


if __name__ == "__main__":
    kind, path, texts = sys.argv[1:]
    run = {"classifier": classify, "embedder": embed, "answerer": answer}[kind]
    print(json.dumps(run(path, json.loads(pathlib.Path(texts).read_text()))))

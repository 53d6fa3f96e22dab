"""Runs a file in MediaPipe Tasks, in the environment that has it.

`python mediapipe_worker.py classifier|embedder FILE TEXTS` prints, as JSON,
for each of the texts, a JSON list, its probabilities by label, or its vector.
"""

import json
import pathlib
import sys

from mediapipe.tasks.python import BaseOptions, text


def classify(path, texts):
    options = text.TextClassifierOptions(BaseOptions(model_asset_path=path))
    with text.TextClassifier.create_from_options(options) as client:
        answers = [client.classify(x).classifications[0] for x in texts]
    return [
        {x.category_name: x.score for x in answer.categories}
        for answer in answers
    ]


def embed(path, texts):
    options = text.TextEmbedderOptions(BaseOptions(model_asset_path=path))
    with text.TextEmbedder.create_from_options(options) as client:
        answers = [client.embed(x).embeddings[0] for x in texts]
    return [answer.embedding.tolist() for answer in answers]


if __name__ == "__main__":
    kind, path, texts = sys.argv[1:]
    run = {"classifier": classify, "embedder": embed}[kind]
    print(json.dumps(run(path, json.loads(pathlib.Path(texts).read_text()))))

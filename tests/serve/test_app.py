"""What the server answers, without sockets."""

import asyncio
import base64
import concurrent.futures
import dataclasses
import json
import re

import jsonschema
import numpy as np
import pytest
from starlette.testclient import TestClient

import tfminilm
from tfminilm.serve.app import make_app
from tfminilm.serve.settings import Limits
from tfminilm.tasks.predictions import ScorePrediction

TEXTS = ["the cat sat on a mat", "a cat", "The résumé!"]
PAIRS = [["a cat sat", "the cat sat on a mat"], ["a mat", "the cats"]]


@pytest.fixture(scope="module")
def encoder():
    return tfminilm.load("tiny:bert")


@pytest.fixture(scope="module")
def embedder(encoder):
    with TestClient(make_app([encoder], Limits(), "tiny")) as client:
        yield client


@pytest.fixture
def client(steered):
    limits = Limits(
        max_concurrency=2, max_texts=3, max_characters=9, max_body=200
    )
    app = make_app([steered], limits)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def as_json(prediction):
    return json.loads(json.dumps(dataclasses.asdict(prediction)))


def same(found, wanted):
    """JSON alike but for the last digits: batches add in another order."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        return all(same(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, float):
        return found == pytest.approx(wanted, abs=1e-5)
    return found == wanted


@pytest.mark.parametrize("head", ["classifier", "span", "score"])
def test_predictions_are_those_of_the_model(make_model, head):
    model = make_model(head)
    rows = PAIRS if model.reads_pairs else TEXTS
    inputs = [tuple(x) if model.reads_pairs else x for x in rows]
    wanted = [as_json(one) for one in model.predict(inputs)]
    with TestClient(make_app([model], Limits())) as client:
        many = client.post("/predict", json={"texts": rows})
        one = client.post("/predict", json={"text": rows[0]})
        refused = client.post("/embed", json={"text": rows[0]})
        described = client.get("/openapi.json").json()
    assert many.status_code == one.status_code == 200
    assert [*many.json()] == ["predictions"]
    assert all(map(same, many.json()["predictions"], wanted))
    assert same(one.json(), {"prediction": wanted[0]})
    assert refused.status_code == 422
    assert "/embed" not in described["paths"]


def test_embeddings_in_all_forms_are_those_of_the_model(encoder, embedder):
    wanted = encoder.embed(TEXTS)
    said = embedder.post("/embed", json={"texts": TEXTS}).json()
    np.testing.assert_allclose(said["embeddings"], wanted, atol=1e-5)
    said = embedder.post("/embed", json={"text": TEXTS[0]}).json()
    np.testing.assert_allclose(said["embedding"], wanted[0], atol=1e-5)
    said = embedder.post("/predict", json={"text": TEXTS[0]}).json()
    np.testing.assert_allclose(
        said["prediction"]["embedding"], wanted[0], atol=1e-5
    )
    for options in ({}, {"encoding_format": "float", "model": "any"}):
        asked = {"input": TEXTS, **options}
        said = embedder.post("/v1/embeddings", json=asked).json()
        assert said["object"] == "list"
        assert said["model"] == "tiny"
        assert [one["index"] for one in said["data"]] == [0, 1, 2]
        found = [one["embedding"] for one in said["data"]]
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    tokens = sum(len(encoder.tokenizer(text)) + 2 for text in TEXTS)
    assert said["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    asked = {"input": TEXTS[0], "encoding_format": "base64"}
    said = embedder.post("/v1/embeddings", json=asked).json()
    content = base64.b64decode(said["data"][0]["embedding"])
    found = np.frombuffer(content, "<f4")
    np.testing.assert_allclose(found, wanted[0], atol=1e-5)


def test_what_a_client_no_longer_waits_for_is_not_computed(steered):
    """Its connection is closed while its text waits behind another."""
    sent = []

    async def main():
        app = make_app([steered], Limits())
        scope = {
            "type": "http", "method": "POST", "path": "/predict",
            "headers": [], "query_string": b"",
        }  # fmt: skip

        async def ask(text, leaves):
            events = [{"type": "http.request", "body": text.encode()}]

            async def receive():
                if events:
                    return events.pop()
                await leaves.wait()
                return {"type": "http.disconnect"}

            async def send(message):
                sent.append((text, message.get("status")))

            await app(scope, receive, send)

        async with app.router.lifespan_context(app):
            steered.batches.clear()
            steered.has_begun.clear()
            steered.may_run.clear()
            stays, leaves = asyncio.Event(), asyncio.Event()
            first = asyncio.create_task(ask('{"text": "a"}', stays))
            await asyncio.to_thread(steered.has_begun.wait, 10)
            second = asyncio.create_task(ask('{"text": "b"}', leaves))
            await asyncio.sleep(0.01)
            leaves.set()
            await second
            steered.may_run.set()
            await first

    asyncio.run(main())
    assert steered.batches == [["a"]]
    assert ('{"text": "a"}', 200) in sent
    assert ('{"text": "b"}', 499) in sent


BAD = [
    ("/predict", b"{", "no JSON"),
    ("/predict", b"\xff{}", "no JSON|not UTF-8"),
    ("/predict", b"[1]", "expected an object"),
    ("/predict", {}, "0 fields"),
    ("/predict", {"txt": "a"}, "'txt' is not known"),
    ("/predict", {"text": "a", "texts": ["a"]}, "2 fields"),
    ("/predict", b'{"text": "a", "text": "b"}', "the key 'text' 2 times"),
    ("/predict", {"text": ""}, "expected words"),
    ("/predict", {"text": None}, "text is null, expected text"),
    ("/predict", {"text": ["a", "b"]}, "one text"),
    ("/predict", {"text": ["a", 1]}, "expected text"),
    ("/predict", {"texts": "a"}, "expected a list"),
    ("/predict", {"texts": []}, "empty"),
    ("/predict", {"texts": ["a", ""]}, "text 1 is ''"),
    ("/predict", {"texts": ["a"] * 4}, "up to 3"),
    ("/predict", {"text": "a" * 10}, "10 characters: expected up to 9"),
    ("/predict", {"text": "bad"}, "the text is bad"),
    ("/embed", {"text": "a"}, "use /predict"),
    ("/v1/embeddings", {"input": "a"}, "use /predict"),
]


@pytest.mark.parametrize(("path", "body", "fault"), BAD)
def test_bad_input_is_one_sentence(client, path, body, fault):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post(path, content=content)
    assert response.status_code == 422
    message = response.json()["error"]["message"]
    assert re.search(fault, message)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"input": [[1, 2]]}, "input is"),
        ({"input": []}, "empty"),
        ({"input": "a", "dimensions": 3}, "have 48"),
        ({"input": "a", "encoding_format": "int8"}, "float or base64"),
        ({"input": "a", "stream": True}, "'stream' is not known"),
        ({"model": "tiny"}, "input"),
    ],
)
def test_bad_input_of_openai_clients(embedder, body, fault):
    response = embedder.post("/v1/embeddings", json=body)
    assert response.status_code == 422
    assert fault in response.json()["error"]["message"]


def test_a_large_body_is_refused(client):
    for content in (b"a" * 201, iter([b"a" * 150, b"b" * 150])):
        response = client.post("/predict", content=content)
        assert response.status_code == 413
        assert response.json()["error"]["message"].endswith("at once")


def test_what_is_not_there_is_said(client):
    assert client.get("/predict").status_code == 405
    assert client.get("/nothing").status_code == 404
    assert "/docs" in client.get("/nothing").json()["error"]["message"]


def test_more_requests_than_allowed_are_told_to_come_back(client, steered):
    steered.has_begun.clear()
    steered.may_run.clear()
    with concurrent.futures.ThreadPoolExecutor(2) as threads:

        def ask():
            return client.post("/predict", json={"text": "a"}).status_code

        waiting = [threads.submit(ask) for _ in range(2)]
        while "in_flight 2.0" not in client.get("/metrics").text:
            assert not any(one.done() for one in waiting)
        full = client.post("/predict", json={"text": "a"})
        healthy = client.get("/health/ready")
        steered.may_run.set()
        assert [one.result() for one in waiting] == [200, 200]
    assert (full.status_code, full.headers["retry-after"]) == (503, "1")
    assert healthy.status_code == 200
    assert client.post("/predict", json={"text": "a"}).status_code == 200


def test_who_waits_when_a_stop_takes_too_long_is_told(steered):
    sent = []
    events = [{"type": "http.request", "body": b'{"text": "a"}'}]

    async def receive():
        if not events:
            await asyncio.Event().wait()  # The client stays.
        return events.pop()

    async def send(message):
        sent.append(message)

    async def main():
        app = make_app([steered], Limits())
        scope = {"type": "http", "method": "POST", "path": "/predict"}
        scope |= {"headers": [], "query_string": b"", "root_path": ""}
        steered.has_begun.clear()
        steered.may_run.clear()
        async with app.router.lifespan_context(app):
            asked = asyncio.create_task(app(scope, receive, send))
            await asyncio.to_thread(steered.has_begun.wait, 10)
            asked.cancel()  # As uvicorn does.
            await asked
            steered.may_run.set()

    asyncio.run(main())
    start, body = sent
    assert start["status"] == 503
    assert (b"retry-after", b"10") in start["headers"]
    assert "the server stops" in json.loads(body["body"])["error"]["message"]


def test_a_failure_of_ours_is_not_told_to_clients(client, capsys):
    response = client.post("/predict", json={"text": "broken"})
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert "a secret of the server" in capsys.readouterr().err
    assert client.post("/predict", json={"text": "a"}).status_code == 200


def test_what_json_cannot_hold_is_a_failure(client, steered):
    nothing = ScorePrediction(float("nan"))
    steered.predict = lambda texts, progress: [nothing for _ in texts]
    response = client.post("/predict", json={"text": "a"})
    assert response.status_code == 500
    assert "server failed" in response.json()["error"]["message"]


def test_the_folders_of_the_machine_are_not_told(encoder, embedder):
    document = embedder.get("/openapi.json").json()
    wanted = repr(encoder).replace("'tiny:bert'", "'tiny'")
    assert document["info"]["description"] == wanted != repr(encoder)


def test_metrics_count_what_was_done(client):
    for text in ("aaa", "bbbbbb", ""):
        client.post("/predict", json={"text": text})
    lines = client.get("/metrics").text.splitlines()
    for line in (
        'tfminilm_requests_total{path="/predict",status="200"} 2.0',
        'tfminilm_requests_total{path="/predict",status="422"} 1.0',
        "tfminilm_texts_total 2.0",
        "tfminilm_tokens_total 9.0",
        "tfminilm_batch_texts_sum 2.0",
        'tfminilm_request_seconds_count{path="/predict"} 3.0',
        "tfminilm_requests_in_flight 0.0",
    ):
        assert line in lines


def test_the_api_is_described_with_examples_that_work(embedder):
    document = embedder.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            body = about.get("requestBody", {"content": {}})["content"]
            given = body.get("application/json", {})
            if given:
                jsonschema.validate(given["example"], given["schema"])
            options = {"json": given["example"]} if given else {}
            response = embedder.request(method.upper(), path, **options)
            assert response.status_code == 200
            content = about["responses"]["200"].get("content")
            if content:
                example = content["application/json"]["example"]
                assert example.keys() == response.json().keys()


def test_the_page_needs_nothing_from_elsewhere(embedder):
    page = embedder.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"(src|href)=|https?:|@import|url\(", re.sub(
        r'href="openapi.json"', "", page.text))  # fmt: skip
    assert embedder.get("/").text == page.text


def test_health_tells_of_the_model(embedder):
    said = embedder.get("/health/ready").json()
    assert (said["status"], said["task"]) == ("ready", "encoder")
    assert embedder.get("/health/live").status_code == 200
    (model,) = embedder.get("/v1/models").json()["data"]
    assert model["id"] == "tiny"

"""The table that a terminal and the README show."""

from tfminilm.report import describe, measures, run_files, terminal


def test_table_is_plain_text_within_100_columns(capsys, sample):
    terminal.print_table(sample.evaluation())
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in text
    assert "A <fast> CPU, 2 cores, 24 GiB" in text
    rows = {line[:24].strip(): line.split() for line in lines}
    assert rows["Rank correlation"][-3:] == ["1.000", "0.981", "0.974"]
    shown = "91.0 MB 70.5 MB (1.3x smaller) 17.9 MB (5.1x smaller)"
    assert " ".join(rows["File"][1:]) == shown
    assert rows["Attention KL"][2] == "-"
    assert rows["FLOPs, length 128"][3:5] == ["2.87", "B"]


def test_description(capsys):
    description = describe.Description(
        architecture="BertBackbone",
        num_layers=12,
        hidden_dim=768,
        num_heads=12,
        intermediate_dim=3072,
        vocabulary_size=30522,
        parameters=109_482_240,
        embedding_parameters=23_440_896,
        transformer_parameters=85_054_464,
        other_parameters=986_880,
        pooler_parameters=0,
        flops={128: 22_347_251_712},
        size_bytes={"float32": 437_928_960},
        reading="paper's table",
    )
    terminal.print_description("[red]x", description)
    text = capsys.readouterr().out
    assert "[red]x" in text
    for part in ("109.5 M", "23.4 M", "85.1 M", "986,880", "22.35 B"):
        assert part in text
    assert "437.9 MB" in text
    assert "counted as in the paper's table\n" in text


def test_numbers():
    assert measures.count(22_713_216) == "22.7 M"
    assert measures.count(512) == "512"
    assert measures.count(None) == "-"
    assert measures.count(float("nan")) == "-"
    assert measures.milliseconds(2.5) == "2.50 ms"
    assert measures.milliseconds(12.34) == "12.3 ms"
    assert measures.times(10, 4, "smaller") == "2.5x smaller"
    assert measures.times(10, 9.9, "smaller") == ""
    assert measures.times(10, 0, "smaller") == ""
    assert measures.times(4, 10, "smaller") == ""


def test_a_slower_student_is_not_praised(tmp_path, sample):
    result = sample.evaluation()
    result["rows"][2]["latency_ms"]["128"]["median"] = 99.0
    workdir = sample.write_run(tmp_path / "run", [], result)
    said = measures.verdict(run_files.read_run(workdir))
    assert said.endswith("with its teacher and is 5.1x smaller.")

"""What a wrong use and a failure look like: the exit status, and one sentence that names the place."""

from pathlib import Path

from command_line import cman, configuration, empty_folder, predicted, sentence  # noqa: F401

CONFIGURATION = ["--config", "configuration.json"]
CMAN = [*CONFIGURATION, "--corpus", "s", "--experiment", "cman"]


# ---- wrong use: exit status 2


def refusal(changes: dict) -> str:
    """The sentence that refuses a configuration."""
    return sentence(cman("config", "--config", configuration(**changes), "--corpus", "s"), 2)


def test_a_key_or_a_value_that_a_configuration_cannot_have_is_named_with_its_file():
    for changes, named in (
        ({"foo": 1}, "'foo'"),
        ({"settings": {"lstm.hidden": 0}, "experiments": ["cman"]}, "lstm.hidden"),
        ({"experiments": ["camn"]}, "'camn'"),
    ):
        message = refusal(changes)
        assert "configuration.json" in message and named in message


WRONG_USE = [  # what is typed, what the sentence says of it
    *(([verb, *CONFIGURATION, "--corpus", "conll03"], ["'conll03'", "mine, s"])
      for verb in ("config", "fetch", "prepare", "embed")),
    *(([verb, *CONFIGURATION, "--corpus", "s", "--experiment", "camn"], ["'camn'", "the nearest cman"])
      for verb in ("config", "train")),
    (["train", *CMAN, "--device", "tpu"], ["'tpu'", "auto, cpu or cuda"]),
    (["fetch", *CONFIGURATION], ["--corpus, --features: wanted exactly one"]),
    (["fetch", *CONFIGURATION, "--corpus", "s", "--features", "minilm"], ["--corpus, --features: wanted exactly one"]),
    (["fetch", *CONFIGURATION, "--features", "elmo"], ["'elmo'", "minilm"]),
    (["fetch", *CONFIGURATION, "--corpus", "s", "--file", "trian.txt"], ["'trian.txt'", "train.txt"]),
    (["embed", *CONFIGURATION, "--corpus", "s", "--name", "elmo"], ["'elmo'", "minilm"]),
    (["config", *CONFIGURATION, "--corpus", "s", "--settings"], ["--experiment"]),
]  # fmt: skip


def test_what_the_configuration_does_not_have_is_named_with_what_it_has():
    configuration()
    for arguments, named in WRONG_USE:
        message = sentence(cman(*arguments), 2)
        assert [part for part in named if part not in message] == [], message


WRONG_OPTIONS = [
    (["config", "--corpus", "s"], "--config"),
    (["prepare", *CONFIGURATION], "--corpus"),
    (["train", *CONFIGURATION], "--corpus"),
    (["train", *CONFIGURATION, "--corpus", "s"], "--experiment"),
    (["predict", "--model", "m", "--input", "i"], "--output"),
    (["score", "--gold", "g"], "--predictions"),
    (["tables"], "runs"),
    (["score", "--gold", "g", "--predictions", "p", "--frobnicate"], "--frobnicate"),
    (["train", *CMAN, "--seed", "one"], "--seed"),
    (["train", *CMAN, "--seed", "-1"], "--seed"),
    (["train", *CMAN, "--threads", "0"], "--threads"),
    (["trian"], "trian"),
]


def test_options_that_are_missing_unknown_or_out_of_range_are_wrong_use():
    for arguments, named in WRONG_OPTIONS:
        result = cman(*arguments)
        assert result.status == 2 and named in result.error.lower() and "Traceback" not in result.error


# ---- failures: exit status 1


MISSING = [
    (["config", "--config", "nothing.yaml", "--corpus", "s"], "nothing.yaml"),
    (["prepare", *CONFIGURATION, "--corpus", "s"], "results/raw/s/train.txt"),
    (["prepare", *CONFIGURATION, "--corpus", "mine"], "train.jsonl"),
    (["embed", *CONFIGURATION, "--corpus", "s"], "results/corpora/s/main/train.jsonl"),
    (["train", *CMAN[:-1], "cman-static", "--device", "cpu"], "results/corpora/s/main: found no documents of s"),
    (["predict", "--model", "nothing", "--input", "gold.jsonl", "--output", "out.jsonl"], "nothing/config.json"),
    (["score", "--gold", "gold.jsonl", "--predictions", "nothing.jsonl"], "nothing.jsonl"),
    (["score", "--gold", "nothing.jsonl", "--predictions", "predicted.jsonl"], "nothing.jsonl"),
    (["tables", "nothing"], "nothing"),
    (["record", "nothing"], "nothing"),
]


def test_a_missing_file_is_named():
    configuration()
    predicted()
    for arguments, named in MISSING:
        assert named in sentence(cman(*arguments), 1)


LONG = '{"id": "2", "tokens": ["a"], "entities": [{"type": "T", "start": 0, "end": 2}], "relations": []}'
MALFORMED = [
    ("{", ["line 2", "invalid JSON"]),
    ('{"id": "2", "tokens": ["a"], "entities": []}', ["line 2", "relations: is missing"]),
    (LONG, ["line 2", "entities[0].end"]),
    ('{"id": "1", "tokens": ["a"], "entities": [], "relations": []}', ["line 2", "id", "line 1"]),
]


def test_a_malformed_document_is_named_with_file_line_and_field():
    gold, _ = predicted()
    for line, expected in MALFORMED:
        Path("bad.jsonl").write_text(gold.read_text() + line + "\n")
        message = sentence(cman("score", "--gold", gold, "--predictions", "bad.jsonl"), 1)
        assert [part for part in ["bad.jsonl", *expected] if part not in message] == [], message


def test_a_malformed_raw_file_is_named_with_its_line():
    raw = Path("results/raw/s")
    raw.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        (raw / f"{split}.txt").write_text("#doc 1\n0\tAda\tPeop\t['N']\t[0]\n")
    assert "train.txt: line 2: field tag" in sentence(cman("prepare", "--config", configuration(), "--corpus", "s"), 1)


NO_CONFIGURATION = [
    ("seeds: [1\nexperiments: [cman]\n", ["line 2", "invalid YAML"]),
    ("seeds: [2001-13-45]\n", []),  # read as a date, which it is not
    ("", ["no keys"]),
    ("- a\n- b\n", ["no keys"]),
]


def test_a_configuration_that_is_none_is_named():
    for content, expected in NO_CONFIGURATION:
        Path("bad.yaml").write_text(content)
        message = sentence(cman("config", "--config", "bad.yaml", "--corpus", "s"), 2)
        assert [part for part in ["bad.yaml", *expected] if part not in message] == [], message
    for content, expected in ((b"\0", "found a zero byte"), (b"\xff", "found the byte 0xff")):  # as of any file of text
        Path("bad.yaml").write_bytes(b"corpora:\n" + content)
        assert f"bad.yaml: line 2: {expected}" in sentence(cman("config", "--config", "bad.yaml", "--corpus", "s"), 1)
    for given in ("", "{", "[1, 2]", '{"corpora": {}, "foo": 1}', b"\xff{}"):
        assert "standard input" in sentence(cman("config", "--config", "-", "--corpus", "s", given=given), 2)


def test_an_output_or_a_log_that_cannot_be_written_is_named():
    for option in ("--output", "--log"):
        for path in (".", "configuration.json/file"):
            said = sentence(cman("config", "--config", configuration(), "--corpus", "s", option, path), 1)
            assert any(str(name) in said for name in ("configuration.json", path, Path(path).resolve()))


def test_a_precision_that_there_is_not_is_refused_before_anything_is_loaded():
    given = {"extract": (), "serve": ("--port", 0), "predict": ("--model", "m", "--input", "a", "--output", "b")}
    for verb, options in given.items():
        said = sentence(cman(verb, *options, "--precision", "half"), 2)
        assert said == "error: --precision: found 'half', wanted auto, float32, bfloat16 or int8", verb

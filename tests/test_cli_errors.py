"""What a wrong use and a failure look like: the exit status, and one sentence that names the place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cman.cli.app import app
from cman.corpora.document import Document, write_documents

SAMPLE = {"format": "conll04-sample", "sentences": {"train": 12, "dev": 3, "test": 3}}
MINE = {"format": "jsonl", "paths": {"train": "train.jsonl", "dev": "dev.jsonl", "test": "test.jsonl"}}


class Result:
    """What a call printed, and how it ended."""

    def __init__(self, status: int, out: str, error: str) -> None:
        self.status, self.out, self.error = status, out, error


def cman(*arguments: object, given: str | bytes | None = None) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)
    return Result(result.exit_code, plain(result.stdout), plain(result.stderr))


def plain(text: str) -> str:
    """Without colours, which some environments force."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def sentence(result: Result, status: int) -> str:
    """The one line that an error is."""
    assert result.status == status, result.error
    assert result.out == ""
    lines = result.error.splitlines()
    assert len(lines) == 1, result.error
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CMAN_MIRROR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")


def configuration(path: Path = Path("configuration.json"), **changes: Any) -> Path:
    path.write_text(json.dumps({"corpora": {"s": SAMPLE, "mine": MINE}, **changes}))
    return path


def predicted() -> tuple[Path, Path]:
    for name in ("gold.jsonl", "predicted.jsonl"):
        write_documents(Path(name), [Document("1", ("Ada", "sleeps"))])
    return Path("gold.jsonl"), Path("predicted.jsonl")


# ---- wrong use: exit status 2

WRONG_KEYS = {
    "foo": ({"foo": 1}, "'foo'"),
    "corpora": ({"corpora": {"s": {**SAMPLE, "sise": 1}}}, "'corpora.s.sise'"),
    "sentences": ({"corpora": {"s": {**SAMPLE, "sentences": {"trian": 1}}}}, "'corpora.s.sentences.trian'"),
    "paths": ({"corpora": {"s": {**MINE, "paths": {**MINE["paths"], "tset": "x"}}}}, "'corpora.s.paths.tset'"),
    "encoders": ({"encoders": {"m": {"pakage": "x"}}}, "'encoders.m.pakage'"),
    "variants": (
        {"variants": {"v": {"base": "cman", "title": "V", "changes": {}, "chances": {}}}},
        "'variants.v.chances'",
    ),
    "settings": ({"settings": {"crf.boundry": True}, "experiments": ["cman"]}, "'crf.boundry'"),
    "nested": ({"settings": {"crf": {"boundry": True}}, "experiments": ["cman"]}, "'crf.boundry'"),
    "corpus": (
        {"corpora": {"s": {**SAMPLE, "settings": {"lstm.hiden": 1}}}, "experiments": ["cman"]},
        "'lstm.hiden'",
    ),
}


@pytest.mark.parametrize(("changes", "named"), WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_an_unknown_key_is_named_with_its_path(changes, named):
    message = sentence(cman("config", "--config", configuration(**changes), "--corpus", "s"), 2)
    assert "configuration.json" in message
    assert named in message


WRONG_VALUES = {
    "a size": ({"settings": {"lstm.hidden": 0}}, "lstm.hidden"),
    "a word for a number": ({"settings": {"training.lr": "fast"}}, "training.lr"),
    "a choice": ({"settings": {"gate.kind": "matrix"}}, "gate.kind"),
    "heads that do not divide the size": ({"settings": {"attn.heads": 7}}, "attn.heads"),
    "attention to labels without embeddings": ({"settings": {"label.emb": 0}}, "label.emb"),
    "a device": ({"device": "tpu"}, "device"),
    "no threads": ({"threads": 0}, "threads"),
    "no sentences": ({"corpora": {"s": {**SAMPLE, "sentences": {"train": 0}}}}, "corpora.s.sentences.train"),
    "a format": ({"corpora": {"s": {"format": "conll05"}}}, "conll05"),
    "a corpus without a format": ({"corpora": {"s": {}}}, "corpora.s"),
    "a name that is no folder": ({"corpora": {"s": SAMPLE, "a/b": SAMPLE}}, "a/b"),
    "an encoder that is not there": ({"settings": {"contextual.encoder": "elmo"}}, "elmo"),
    "vectors that are not there": ({"settings": {"word.vectors": "glove"}}, "glove"),
    "a base that is no experiment": (
        {"variants": {"v": {"base": "camn", "title": "V", "changes": {}}}, "experiments": ["v"]},
        "camn",
    ),
    # The tables refuse an empty title, hours later.
    "a variant without a title": ({"variants": {"v": {"base": "cman", "title": "", "changes": {}}}}, "title"),
    "an encoder that is nowhere": ({"encoders": {"minilm": {}}}, "encoders.minilm"),
    "an encoder in two places": ({"encoders": {"minilm": {"package": "a", "path": "b"}}}, "encoders.minilm"),
    "a seed below 0": ({"seeds": [-1]}, "seeds"),
    "settings that are a list": ({"settings": ["crf.boundary"]}, "settings"),
}


@pytest.mark.parametrize(("changes", "named"), WRONG_VALUES.values(), ids=WRONG_VALUES)
def test_a_value_that_does_not_fit_is_named_with_its_key(changes, named):
    changes = {"experiments": ["cman"], **changes}
    assert named in sentence(cman("config", "--config", configuration(**changes), "--corpus", "s"), 2)


@pytest.mark.parametrize("verb", ["config", "fetch", "prepare", "embed"])
def test_an_unknown_corpus_is_named_with_those_that_there_are(verb):
    message = sentence(cman(verb, "--config", configuration(), "--corpus", "conll03"), 2)
    assert "'conll03'" in message
    assert "mine, s" in message


def test_an_unknown_experiment_is_named_with_those_that_there_are():
    call = ("--config", configuration(), "--corpus", "s", "--experiment", "camn")
    for verb in ("config", "train"):
        message = sentence(cman(verb, *call), 2)
        assert "'camn'" in message
        assert "the nearest cman" in message


def test_an_unknown_experiment_within_the_configuration_is_named_with_the_file():
    message = sentence(cman("config", "--config", configuration(experiments=["camn"]), "--corpus", "s"), 2)
    assert "configuration.json" in message
    assert "'camn'" in message


def test_a_training_without_any_experiment_is_refused():
    message = sentence(cman("train", "--config", configuration(experiments=[]), "--corpus", "s"), 2)
    assert "--experiment: found none" in message


@pytest.mark.parametrize("choice", [(), ("--corpus", "s", "--features", "minilm")], ids=["neither", "both"])
def test_fetch_wants_either_a_corpus_or_features(choice):
    assert "--corpus, --features: wanted exactly one" in sentence(
        cman("fetch", "--config", configuration(), *choice), 2
    )


def test_features_that_do_not_exist_cannot_be_fetched():
    message = sentence(cman("fetch", "--config", configuration(), "--features", "elmo"), 2)
    assert "'elmo'" in message and "minilm" in message


def test_an_unknown_encoder_is_named_with_those_that_there_are():
    message = sentence(cman("embed", "--config", configuration(), "--corpus", "s", "--name", "elmo"), 2)
    assert "'elmo'" in message
    assert "minilm" in message


def test_a_device_that_does_not_exist_is_refused():
    call = ("--config", configuration(), "--corpus", "s", "--experiment", "cman", "--device", "tpu")
    message = sentence(cman("train", *call), 2)
    assert "'tpu'" in message
    assert "auto, cpu or cuda" in message


def test_a_raw_file_that_the_corpus_does_not_have_is_refused():
    message = sentence(cman("fetch", "--config", configuration(), "--corpus", "s", "--file", "trian.txt"), 2)
    assert "'trian.txt'" in message
    assert "train.txt" in message


def test_settings_without_an_experiment_are_refused():
    assert "--experiment" in sentence(cman("config", "--config", configuration(), "--corpus", "s", "--settings"), 2)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["config", "--corpus", "s"], "--config"),
        (["prepare", "--config", "configuration.json"], "--corpus"),
        (["train", "--config", "configuration.json"], "--corpus"),
        (["predict", "--model", "m", "--input", "i"], "--output"),
        (["score", "--gold", "g"], "--predictions"),
        (["tables"], "runs"),
        (["score", "--gold", "g", "--predictions", "p", "--frobnicate"], "--frobnicate"),
        (["train", "--config", "c", "--corpus", "s", "--experiment", "cman", "--seed", "one"], "--seed"),
        (["train", "--config", "c", "--corpus", "s", "--experiment", "cman", "--seed", "-1"], "--seed"),
        (["train", "--config", "c", "--corpus", "s", "--experiment", "cman", "--threads", "0"], "--threads"),
        (["trian"], "trian"),
    ],
)
def test_options_that_are_missing_unknown_or_out_of_range_are_wrong_use(arguments, named):
    result = cman(*arguments)
    assert result.status == 2
    assert named.lower() in result.error.lower()
    assert "Traceback" not in result.error


# ---- failures: exit status 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["config", "--config", "nothing.yaml", "--corpus", "s"], "nothing.yaml"),
        (["prepare", "--config", "configuration.json", "--corpus", "s"], "results/raw/s/train.txt"),
        (["prepare", "--config", "configuration.json", "--corpus", "mine"], "train.jsonl"),
        (["embed", "--config", "configuration.json", "--corpus", "s"], "results/corpora/s/main/train.jsonl"),
        (["score", "--gold", "gold.jsonl", "--predictions", "nothing.jsonl"], "nothing.jsonl"),
        (["score", "--gold", "nothing.jsonl", "--predictions", "predicted.jsonl"], "nothing.jsonl"),
        (["tables", "nothing"], "nothing"),
        (["record", "nothing"], "nothing"),
    ],
)
def test_a_missing_file_is_named(arguments, named):
    configuration()
    predicted()
    assert named in sentence(cman(*arguments), 1)


def test_a_training_and_a_prediction_name_the_file_that_is_missing():
    call = ("--config", configuration(), "--corpus", "s", "--experiment", "cman-static", "--device", "cpu")
    assert "results/corpora/s/main/train.jsonl" in sentence(cman("train", *call), 1)
    predicted()
    message = sentence(cman("predict", "--model", "nothing", "--input", "gold.jsonl", "--output", "out.jsonl"), 1)
    assert "nothing/config.json" in message


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("{", ["line 2", "invalid JSON"]),
        ('{"id": "2", "tokens": ["a"], "entities": []}', ["line 2", "'relations' is missing"]),
        (
            '{"id": "2", "tokens": ["a"], "entities": [{"type": "T", "start": 0, "end": 2}], "relations": []}',
            ["line 2", "entities[0].end"],
        ),
        ('{"id": "1", "tokens": ["a"], "entities": [], "relations": []}', ["line 2", "id", "line 1"]),
    ],
)
def test_a_malformed_document_is_named_with_file_line_and_field(line, wanted):
    gold, _ = predicted()
    bad = Path("bad.jsonl")
    bad.write_text(gold.read_text() + line + "\n")
    message = sentence(cman("score", "--gold", gold, "--predictions", bad), 1)
    for part in ["bad.jsonl", *wanted]:
        assert part in message


def test_a_malformed_raw_file_is_named_with_its_line():
    raw = Path("results/raw/s")
    raw.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        (raw / f"{split}.txt").write_text("#doc 1\n0\tAda\tPeop\t['N']\t[0]\n")
    assert "train.txt: line 2: field tag" in sentence(cman("prepare", "--config", configuration(), "--corpus", "s"), 1)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("seeds: [1\nexperiments: [cman]\n", ["line 2", "invalid YAML"]),
        ("seeds: [2001-13-45]\n", ["bad.yaml"]),  # read as a date, which it is not
        ("", ["bad.yaml", "no keys"]),
        ("- a\n- b\n", ["bad.yaml", "no keys"]),
        ("corpora: \0\n", ["bad.yaml"]),
    ],
)
def test_a_configuration_that_is_no_yaml_is_named(content, wanted):
    Path("bad.yaml").write_text(content)
    message = sentence(cman("config", "--config", "bad.yaml", "--corpus", "s"), 2)
    for part in wanted:
        assert part in message


@pytest.mark.parametrize("output", [".", "configuration.json/out.json"])
def test_an_output_that_cannot_be_written_is_named(output):
    Path("configuration.json").write_text("{}")
    call = ("--config", configuration(), "--corpus", "s", "--output", output)
    assert output.split("/")[0] in sentence(cman("config", *call), 1)


@pytest.mark.parametrize("log", [".", "configuration.json/run.log"])
def test_a_log_that_cannot_be_written_is_named(log):
    call = ("--config", configuration(), "--corpus", "s", "--log", log)
    said = sentence(cman("config", *call), 1)
    assert any(str(name) in said for name in ("configuration.json", Path(log).resolve()))


@pytest.mark.parametrize("given", ["", "{", "[1, 2]", '{"corpora": {}, "foo": 1}', b"\xff{}"])
def test_wrong_standard_input_is_named_as_such(given):
    message = sentence(cman("config", "--config", "-", "--corpus", "s", given=given), 2)
    assert "standard input" in message

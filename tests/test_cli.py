"""The command line: its verbs, its exit statuses, one sentence for an error, and nothing heavy before it is needed."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cman import __version__
from cman.cli.app import app
from cman.config.configuration import parse_configuration
from cman.config.corpora import Conll04Sample
from cman.config.settings import Settings
from cman.corpora.document import Document, Entity, Relation, write_documents

PIPELINE = [
    *("config", "fetch", "prepare", "convert", "embed", "train", "predict", "score", "tables"),
    *("appendix", "figures", "browser", "kernels", "record", "extract", "serve", "speed"),
]
HEAVY = ("torch", "transformers", "lightning", "pandas", "snakemake", "matplotlib")
SAMPLE = {"format": "conll04-sample", "sentences": {"train": 12, "dev": 3, "test": 3}}
MINE = {"format": "jsonl", "paths": {"train": "train.jsonl", "dev": "dev.jsonl", "test": "test.jsonl"}}

GOLD = Document("1", ("Ada", "of", "Orm"), (Entity("Peop", 0, 1), Entity("Loc", 2, 3)), (Relation("Live_In", 0, 1),))


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
    """Gold and predicted documents: one entity of two is right, the relation is not."""
    wrong = Document("1", GOLD.tokens, (Entity("Peop", 0, 1, 0.9), Entity("Org", 2, 3, 0.8)), ())
    write_documents(Path("gold.jsonl"), [GOLD])
    write_documents(Path("predicted.jsonl"), [wrong])
    return Path("gold.jsonl"), Path("predicted.jsonl")


# ---- help


def test_help_lists_the_verbs_in_the_order_of_the_pipeline():
    result = cman("--help")
    assert result.status == 0
    found = re.findall(rf"^\W*({'|'.join(PIPELINE)})\s", result.out, flags=re.MULTILINE)
    assert found == PIPELINE
    assert list(typer.main.get_command(app).commands) == PIPELINE  # and there is no other


@pytest.mark.parametrize("verb", PIPELINE)
def test_the_help_of_each_verb_holds_an_example(verb):
    result = cman(verb, "--help")
    assert result.status == 0
    assert f"Example: cman {verb} " in result.out


@pytest.mark.parametrize("verb", PIPELINE)
def test_each_example_is_a_right_use_of_its_verb(verb):
    command = typer.main.get_command(app).commands[verb]
    (example,) = re.findall(r"^Example: cman (.+)$", command.help or "", flags=re.MULTILINE)
    name, *arguments = shlex.split(example)
    assert name == verb
    command.make_context(verb, arguments)  # raises for an option that is unknown or missing


@pytest.mark.parametrize("verb", PIPELINE)
def test_each_option_of_each_verb_says_what_it_is(verb):
    for parameter in typer.main.get_command(app).commands[verb].params:
        assert parameter.help, parameter.name


def test_without_a_verb_the_help_is_shown_as_wrong_use():
    result = cman()
    assert result.status == 2
    assert "Usage: cman" in result.out + result.error


def test_the_version_is_printed():
    result = cman("--version")
    assert (result.status, result.out) == (0, f"cman {__version__}\n")


# ---- logs


def test_the_log_holds_the_messages_of_a_run_that_went_well():
    gold, predictions = predicted()
    result = cman("score", "--gold", gold, "--predictions", predictions, "--log", "logs/deep/score.log")
    assert result.status == 0
    assert Path("logs/deep/score.log").read_text() == result.error
    assert "strict micro F1" in result.error


def test_the_log_holds_the_very_sentence_of_an_error():
    result = cman("score", "--gold", "nothing.jsonl", "--predictions", "x", "--log", "score.log")
    assert Path("score.log").read_text().rstrip("\n") == sentence(result, 1)


def test_an_unexpected_error_shows_its_traceback_on_the_terminal_and_in_the_log(monkeypatch):
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("the unexpected")

    monkeypatch.setattr("cman.evaluation.scores.score_files", broken)
    result = cman("score", "--gold", "g", "--predictions", "p", "--log", "score.log")
    assert result.status == 1
    for text in (result.error, Path("score.log").read_text()):
        assert "Traceback" in text
        assert "ZeroDivisionError: the unexpected" in text


def test_a_second_run_begins_its_log_anew():
    cman("score", "--gold", "first.jsonl", "--predictions", "x", "--log", "score.log")
    cman("score", "--gold", "second.jsonl", "--predictions", "x", "--log", "score.log")
    assert "first" not in Path("score.log").read_text()


# ---- what verbs print


def test_score_prints_the_scores_on_standard_output_and_the_summary_on_standard_error():
    gold, predictions = predicted()
    result = cman("score", "--gold", gold, "--predictions", predictions)
    assert result.status == 0
    scores = json.loads(result.out)
    assert scores["entities"]["strict"]["all"] == {"true_positive": 1, "predicted": 2, "gold": 2}
    assert scores["relations"]["strict"]["all"] == {"true_positive": 0, "predicted": 0, "gold": 1}
    assert result.error == "strict micro F1: entities 50.00, relations 0.00, overall 25.00\n"


def test_score_with_an_output_writes_the_same_and_prints_nothing():
    gold, predictions = predicted()
    printed = cman("score", "--gold", gold, "--predictions", predictions).out
    result = cman("score", "--gold", gold, "--predictions", predictions, "--output", "a/scores.json")
    assert (result.status, result.out) == (0, "")
    assert Path("a/scores.json").read_text() == printed


def test_config_prints_the_resolved_settings_of_a_run():
    path = configuration(settings={"lstm.hidden": 32}, variants={"v": variant({"crf.boundary": True})})
    result = cman("config", "--config", path, "--corpus", "s", "--experiment", "v", "--settings")
    settings = Settings.model_validate(json.loads(result.out))
    assert (settings.lstm.hidden, settings.crf.boundary, settings.rel.hidden) == (32, True, 128)


def test_config_prints_a_part_that_is_itself_a_configuration_and_says_the_same():
    path = configuration(settings={"lstm.hidden": 32}, variants={"v": variant({"crf.boundary": True})}, seeds=[1, 2])
    call = ("--corpus", "s", "--experiment", "v")
    part = cman("config", "--config", path, *call).out
    again = cman("config", "--config", "-", *call, given=part)
    assert again.status == 0
    assert again.out == part
    settings = parse_configuration(json.loads(part), "part").settings_of("s", "v")
    assert (settings.lstm.hidden, settings.crf.boundary) == (32, True)


def test_the_part_of_a_run_does_not_change_with_what_the_run_does_not_use():
    call = ("--corpus", "s", "--experiment", "cman-static")
    before = cman("config", "--config", configuration(), *call).out
    other = configuration(
        corpora={"s": SAMPLE, "other": {"format": "conll04"}},
        experiments=["cman", "multihead"],
        seeds=[1, 2, 3],
        encoders={"minilm": {"package": "another"}},
        vectors={"glove": {"path": "glove.zip"}},
        variants={"v": variant({})},
        device="cpu",
        threads=7,
        mirror="copies",
    )
    assert cman("config", "--config", other, *call).out == before


def variant(changes: dict[str, Any]) -> dict[str, Any]:
    return {"base": "cman", "title": "V", "changes": changes}


def test_a_configuration_is_read_from_standard_input():
    result = cman("config", "--config", "-", "--corpus", "s", given=configuration().read_text())
    assert (result.status, result.error) == (0, "")
    assert json.loads(result.out)["corpora"]["s"]["sentences"] == SAMPLE["sentences"]


def test_standard_input_takes_yaml_as_a_file_does():
    given = "corpora:\n  s: {format: conll04-sample}  # a comment\n"
    result = cman("config", "--config", "-", "--corpus", "s", given=given)
    assert result.status == 0, result.error
    assert json.loads(result.out)["corpora"]["s"]["format"] == "conll04-sample"


def test_fetch_and_prepare_make_a_sample_corpus_below_the_results_folder():
    for verb in ("fetch", "prepare"):
        result = cman(verb, "--config", configuration(), "--corpus", "s", "--results", "elsewhere")
        assert (result.status, result.out) == (0, "")
    counts = json.loads(Path("elsewhere/corpora/s/statistics.json").read_text())["splits"]
    assert {split: counts[split]["sentences"] for split in counts} == SAMPLE["sentences"]
    assert not Path("results").exists()


def test_fetch_gets_one_file_when_one_is_asked_for():
    cman("fetch", "--config", configuration(), "--corpus", "s", "--file", "dev.txt")
    assert [path.name for path in Path("results/raw/s").iterdir()] == ["dev.txt"]


def test_the_sizes_of_a_sample_corpus_are_those_that_the_configuration_shows():
    assert Conll04Sample(**SAMPLE).sentences.train == 12


# ---- processes


def process(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONUTF8": "1", "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, **options)


LOADED = """
import json, sys
from typer.testing import CliRunner
from cman.cli.app import app
result = CliRunner().invoke(app, json.loads(sys.argv[1]))
print(json.dumps([result.exit_code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def loaded(*arguments: str) -> tuple[int, set[str]]:
    """The exit status of a call in a process of its own, and the packages that it loaded."""
    result = process(sys.executable, "-c", LOADED, json.dumps(arguments))
    assert result.returncode == 0, result.stderr
    status, names = json.loads(result.stdout)
    return status, set(names)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["train", "--help"],
        ["score", "--gold", "gold.jsonl", "--predictions", "predicted.jsonl"],
        ["fetch", "--config", "configuration.json", "--corpus", "s"],
    ],
    ids=["help", "help of train", "score", "fetch"],
)
def test_verbs_that_need_no_model_load_nothing_heavy(arguments):
    configuration()
    predicted()
    status, names = loaded(*arguments)
    assert status == 0
    assert names.isdisjoint(HEAVY)


@pytest.mark.parametrize("verb", ["train", "embed"])
def test_wrong_arguments_are_answered_before_anything_heavy_is_loaded(verb):
    configuration()
    call = ["--config", "configuration.json", "--corpus", "conll03"]
    status, names = loaded(verb, *call, *(["--experiment", "cman"] if verb == "train" else []))
    assert status == 2
    assert names.isdisjoint(HEAVY)


def test_the_module_runs_as_the_command_does():
    result = process(sys.executable, "-m", "cman", "score", "--gold", "nothing.jsonl", "--predictions", "x")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == "error: nothing.jsonl: cannot be read (No such file or directory); wanted a readable file\n"


def test_a_reader_that_stops_early_causes_no_traceback():
    script = f"{shlex.quote(sys.executable)} -m cman config --config configuration.json --corpus s | head -c 1"
    configuration(vectors={f"v{number}": {"path": "x" * 100} for number in range(2000)})
    result = process("bash", "-c", script)
    assert result.stdout == "{"
    assert result.stderr == ""

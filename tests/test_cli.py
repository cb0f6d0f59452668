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
from command_line import SAMPLE, cman, configuration, empty_folder, predicted, sentence  # noqa: F401

from cman import __version__
from cman.cli.app import app
from cman.config.configuration import parse_configuration
from cman.config.settings import Settings

PIPELINE = [
    *("config", "plan", "fetch", "prepare", "convert", "split", "embed", "train", "predict", "score", "card", "tables"),
    *("appendix", "figures", "browser", "kernels", "speed", "record", "verify", "release", "ensemble", "results"),
    *("summary", "explain", "convergence", "probe", "fit", "extract", "collect", "serve"),
]
HEAVY = ("torch", "transformers", "pandas", "snakemake", "matplotlib")
STATIC = ("--corpus", "s", "--experiment", "cman-static")


# ---- help


def test_help_lists_the_verbs_in_the_order_of_the_pipeline():
    result = cman("--help")
    found = re.findall(rf"^\W*({'|'.join(PIPELINE)})\s", result.out, flags=re.MULTILINE)
    assert (result.status, found) == (0, PIPELINE)
    assert set(typer.main.get_command(app).commands) == set(PIPELINE)  # and there is no other


def test_the_help_of_each_verb_explains_every_option_and_holds_an_example_that_can_be_typed():
    for verb in PIPELINE:
        command = typer.main.get_command(app).commands[verb]
        (example,) = re.findall(r"^Example: cman (.+)$", command.help or "", flags=re.MULTILINE)
        name, *arguments = shlex.split(example)
        assert name == verb
        command.make_context(verb, arguments)  # raises for an option that is unknown or missing
        assert [parameter.name for parameter in command.params if not parameter.help] == []
        result = cman(verb, "--help")
        assert result.status == 0 and f"Example: cman {verb} " in result.out


def test_without_a_verb_the_help_is_shown_as_wrong_use_and_the_version_is_printed():
    result = cman()
    assert result.status == 2 and "Usage: cman" in result.out + result.error
    assert cman("--version")[:2] == (0, f"cman {__version__}\n")


# ---- logs


def test_the_log_holds_the_messages_of_its_run_or_the_very_sentence_of_an_error():
    gold, predictions = predicted()
    result = cman("score", "--gold", gold, "--predictions", predictions, "--log", "logs/deep/score.log")
    assert result.status == 0 and "strict micro F1" in result.error
    assert Path("logs/deep/score.log").read_text() == result.error
    for name in ("first.jsonl", "second.jsonl"):
        result = cman("score", "--gold", name, "--predictions", "x", "--log", "score.log")
        assert Path("score.log").read_text().rstrip("\n") == sentence(result, 1)
    assert "first" not in Path("score.log").read_text(), "a second run begins its log anew"


def test_an_unexpected_error_shows_its_traceback_on_the_terminal_and_in_the_log(monkeypatch):
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("the unexpected")

    monkeypatch.setattr("cman.evaluation.scores.score_files", broken)
    result = cman("score", "--gold", "g", "--predictions", "p", "--log", "score.log")
    assert result.status == 1
    for text in (result.error, Path("score.log").read_text()):
        assert "Traceback" in text
        assert "ZeroDivisionError: the unexpected" in text


# ---- what verbs print


def test_score_prints_the_scores_or_writes_them_and_the_summary_goes_to_standard_error():
    gold, predictions = predicted()
    result = cman("score", "--gold", gold, "--predictions", predictions)
    scores = json.loads(result.out)
    assert scores["entities"]["strict"]["all"] == {"true_positive": 1, "predicted": 2, "gold": 2}
    assert scores["relations"]["strict"]["all"] == {"true_positive": 0, "predicted": 0, "gold": 1}
    assert result.error == "strict micro F1: entities 50.00, relations 0.00, overall 25.00\n"
    written = cman("score", "--gold", gold, "--predictions", predictions, "--output", "a/scores.json")
    assert written[:2] == (0, "") and Path("a/scores.json").read_text() == result.out


def test_score_writes_the_card_of_a_run_when_its_scores_are_written(monkeypatch):
    gold, predictions = predicted()
    cards = []
    monkeypatch.setattr("cman.report.card.write_card", lambda run: cards.append((run, Path("scores.json").is_file())))
    assert cman("score", "--gold", gold, "--predictions", predictions, "--output", "scores.json", "--card", "r")[0] == 0
    assert cards == [(Path("r"), True)]


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
    call = STATIC
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


def test_a_configuration_is_read_from_standard_input_as_from_a_file():
    for given in (configuration().read_text(), "corpora:\n  s: {format: conll04-sample}  # a comment\n"):
        result = cman("config", "--config", "-", "--corpus", "s", given=given)
        assert (result.status, result.error) == (0, "")
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
    ("status", "arguments"),
    [
        (0, ["train", "--help"]),
        (0, ["score", "--gold", "gold.jsonl", "--predictions", "predicted.jsonl"]),
        (0, ["fetch", "--config", "configuration.json", "--corpus", "s"]),
        (2, ["train", "--config", "configuration.json", "--corpus", "conll03", "--experiment", "cman"]),
        (2, ["embed", "--config", "configuration.json", "--corpus", "conll03"]),
    ],
)
def test_verbs_that_need_no_model_and_wrong_arguments_load_nothing_heavy(status, arguments):
    configuration()
    predicted()
    ended, names = loaded(*arguments)
    assert ended == status and names.isdisjoint(HEAVY)


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

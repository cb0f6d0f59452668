"""The appendix as files: what is in them, that equal input gives equal bytes, and that LaTeX takes them."""

import csv
import json
import os
import random
import re
import shutil
import statistics
from pathlib import Path
from typing import Any

import pytest
from perturbed_runs import perturbed, write_run
from typer.testing import CliRunner

from cman.cli.app import app
from cman.config.configuration import read_configuration
from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.corpora.prepare import prepare
from cman.corpora.raw import obtain, raw_files
from cman.errors import CmanError, UsageError
from cman.layout import Layout
from cman.report.appendix.write import write_appendix

ROOT = Path(__file__).parents[2]
SECTIONS = ["question", "encoder", "significance", "intervals", "scores", "types", "repeated", "copies", "weights"]
SECTIONS += ["confusion", "errors"]
EXPERIMENTS = {"cman": 0.1, "multihead-at": 0.3, "multihead-contextual": 0.2, "cman-static": 0.2, "cman-no-bla": 0.1}


def sentences(count: int, seed: int) -> list[Document]:
    chance = random.Random(seed)
    documents = []
    for number in range(count):
        entities = [Entity(chance.choice(("Loc", "Org", "Peop")), place, place + 2) for place in (0, 3, 6)]
        relations = [Relation(chance.choice(("Kill", "Live_In")), 0, 1), Relation("Work_For", 2, 1)]
        tokens = tuple(f"w{seed}x{number}x{place}" for place in range(9))
        documents.append(Document(f"{seed}-{number}", tokens, tuple(entities), tuple(relations)))
    return documents


def write_corpus(folder: Path, splits: tuple[str, ...] = ("main",)) -> dict[str, list[Document]]:
    """A corpus whose train and dev each repeat a test sentence; returns the test documents of each split."""
    tests = {}
    for place, split in enumerate(splits):
        test = sentences(20, 10 + place)
        again = [Document(f"again{n}", tuple(t.upper() for t in test[n].tokens)) for n in (3, 7)]
        write_documents(folder / split / "train.jsonl", [*sentences(5, 1), again[0]])
        write_documents(folder / split / "dev.jsonl", [*sentences(5, 2), again[1]])
        write_documents(folder / split / "test.jsonl", test)
        tests[split] = test
    return tests


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    return tmp_path / "corpora"


@pytest.fixture
def runs(tmp_path: Path, corpora: Path) -> list[Path]:
    gold = write_corpus(corpora / "tiny")["main"]
    return [
        write_run(tmp_path / "runs", gold, perturbed(gold, rate, 100 * seed + len(name)), name, seed)
        for name, rate in EXPERIMENTS.items()
        for seed in (1, 2, 3)
    ]


def written(runs: list[Path], corpora: Path, folder: Path, rounds: int = 200) -> tuple[str, list[dict[str, str]], Any]:
    write_appendix(runs, corpora, folder / "appendix.tex", rounds, 1)
    with (folder / "appendix.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    return (folder / "appendix.tex").read_text(), lines, json.loads((folder / "appendix.json").read_text())


def test_every_section_has_figures_of_every_corpus_in_the_order_of_the_paper(runs, corpora, tmp_path):
    for name, sample in (("ade", False), ("conll04", False), ("ade-sample", True)):
        gold = write_corpus(corpora / name)["main"]
        for experiment, rate in EXPERIMENTS.items():
            runs.append(
                write_run(tmp_path / "r", gold, perturbed(gold, rate, 1), experiment, 1, corpus=name, sample=sample)
            )
    tex, lines, _ = written(runs, corpora, tmp_path)
    assert list(dict.fromkeys(line["corpus"] for line in lines)) == ["conll04", "ade", "tiny", "ade-sample"]
    for corpus in ("conll04", "ade", "tiny", "ade-sample"):
        expected = ["claims", *SECTIONS] if corpus in ("conll04", "ade") else SECTIONS
        assert list(dict.fromkeys(line["section"] for line in lines if line["corpus"] == corpus)) == expected
    assert tex.count(r"\subsection*{") == 4 * len(SECTIONS) + 2
    assert "Nothing" not in tex


def test_a_sample_corpus_says_so_in_heading_and_captions(corpora, tmp_path):
    gold = write_corpus(corpora / "tiny-sample")["main"]
    run = write_run(tmp_path / "r", gold, perturbed(gold, 0.2, 1), "cman", 1, corpus="tiny-sample", sample=True)
    tex, _, _ = written([run], corpora, tmp_path)
    assert r"\raggedright What the paper leaves out: Tiny (sample corpus)}" in tex
    captions = re.findall(r"\\caption\{(?:\(Continued.\) )?%\n(.*)", tex)
    assert captions and all(", a generated sample corpus" in caption for caption in captions)


def test_a_section_that_nothing_ran_for_says_so_in_a_line(corpora, tmp_path):
    gold = write_corpus(corpora / "tiny")["main"]
    run = write_run(tmp_path / "r", gold, perturbed(gold, 0.2, 1), "multihead", 1)
    tex, lines, _ = written([run], corpora, tmp_path)
    absent = {"question", "encoder", "significance", "copies", "weights"}
    assert {line["section"] for line in lines} == set(SECTIONS) - absent
    bodies = re.split(r"\\subsection\*\{.*\}\n", tex)[1:]
    for name, body in zip(SECTIONS, bodies, strict=True):
        assert ("Nothing " in body) == (name in absent), name


def test_equal_runs_in_any_order_give_equal_bytes(runs, corpora, tmp_path):
    names = ("appendix.tex", "appendix.csv", "appendix.json")
    for folder, order in (("a", runs), ("b", runs), ("c", runs[::-1])):
        written(order, corpora, tmp_path / folder)
    a, b, c = ([(tmp_path / folder / name).read_bytes() for name in names] for folder in "abc")
    assert a == b == c


def test_another_seed_draws_other_rounds(runs, corpora, tmp_path):
    written(runs, corpora, tmp_path / "a")
    write_appendix(runs, corpora, tmp_path / "b" / "appendix.tex", 200, 2)
    assert (tmp_path / "a" / "appendix.csv").read_bytes() != (tmp_path / "b" / "appendix.csv").read_bytes()


def test_the_json_names_the_runs_behind_each_figure_of_the_csv(runs, corpora, tmp_path):
    _, lines, content = written(runs, corpora, tmp_path)
    assert (content["rounds"], content["seed"]) == (200, 1)
    assert len(content["figures"]) == len(lines)
    for line, figure in zip(lines, content["figures"], strict=True):
        assert [figure[key] for key in list(line)[:7]] == list(line.values())[:7]
        assert (float(line["value"]) if line["value"] else None) == figure["value"]
        assert int(line["runs"]) == len(figure["runs"]) > 0
        behind = [content["runs"][name] for name in figure["runs"]]
        if line["experiment"]:
            assert {run["experiment"] for run in behind} == {line["experiment"], line["reference"]} - {""}
    assert len(content["runs"]) == len(runs)
    assert content["runs"]["tiny/cman/main/seed1"] == {
        "corpus": "tiny",
        "experiment": "cman",
        "split": "main",
        "seed": 1,
        "revision": "0123abc",
        "folder": str(runs[0]),
    }


def test_predictions_that_do_not_match_their_scores_are_refused(runs, corpora, tmp_path):
    shutil.copy(runs[3] / "predictions.jsonl", runs[0] / "predictions.jsonl")
    with pytest.raises(CmanError, match=r"does not match scores\.json"):
        written(runs, corpora, tmp_path)
    assert not (tmp_path / "appendix.tex").exists()


def test_wrong_use_is_refused(runs, corpora, tmp_path):
    with pytest.raises(UsageError, match="at least one run"):
        write_appendix([], corpora, tmp_path / "appendix.tex", 10, 1)
    with pytest.raises(UsageError, match=r"--output: found 'a\.csv'"):
        write_appendix(runs, corpora, tmp_path / "a.csv", 10, 1)


def test_the_verb_writes_the_three_files(runs, corpora, tmp_path):
    output = tmp_path / "out" / "appendix.tex"
    words = ["appendix", *map(str, runs), "--corpora", str(corpora), "--output", str(output), "--rounds", "50"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert sorted(path.suffix for path in output.parent.iterdir()) == [".csv", ".json", ".tex"]


def test_the_recorded_runs_of_conll04(tmp_path):
    mirror = os.environ.get("CMAN_MIRROR")
    records = sorted(path.parent for path in (ROOT / "results/record/conll04").glob("*/main/seed*/scores.json"))
    if not mirror or not (Path(mirror) / "conll04").is_dir() or not records:
        pytest.skip("CMAN_MIRROR names no folder with the real corpora, or nothing is recorded")
    corpus = read_configuration(ROOT / "config" / "conll04.yaml").corpus("conll04")
    layout = Layout(tmp_path)
    for name in raw_files(corpus):
        obtain(corpus, name, layout.raw("conll04") / name, Path(mirror))
    prepare("conll04", corpus, layout)
    _, lines, _ = written(records, tmp_path / "corpora", tmp_path)
    found = {tuple(line[key] for key in ("section", "experiment", "item", "figure")): line["value"] for line in lines}
    assert found["repeated", "", "test sentences", "all"] == "288"
    assert found["repeated", "", "test sentences", "left"] == "264"
    for experiment in {folder.parts[-3] for folder in records}:
        scores = [json.loads((r / "scores.json").read_text()) for r in records if r.parts[-3] == experiment]
        counts = [score["relations"]["strict"]["all"] for score in scores]
        for kind, side in (("missed", "gold"), ("spurious", "predicted")):
            wrong = statistics.mean(count[side] - count["true_positive"] for count in counts)
            assert float(found["errors", experiment, "all", kind]) == pytest.approx(wrong, abs=1e-6)

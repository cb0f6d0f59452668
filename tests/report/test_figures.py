"""Figures 5 to 8: their numbers, the runs behind them, equal bytes, and what they say where nothing ran."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cman.config.settings import Settings
from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.errors import CmanError, UsageError
from cman.evaluation.scores import score_documents
from cman.files import write_json
from cman.report.evidence import read_evidence
from cman.report.figures.data import FigureData
from cman.report.figures.draw import _remark
from cman.report.figures.parts import size_figure
from cman.report.figures.write import write_figures
from cman.report.results import group_runs, read_run

PUBLISHED = Path(__file__).parents[2] / "config" / "published.yaml"
NAMES = ("figure5", "figure6", "figure7", "figure8")
FORMATS = ("csv", "json", "pdf", "png", "svg")
TOKENS = ("Ada", "lives", "in", "Rome")
GOLD = Document("1", TOKENS, (Entity("Peop", 0, 1), Entity("Loc", 3, 4)), (Relation("Live_In", 0, 1),))
MISSED = Document("1", TOKENS, (Entity("Peop", 0, 1),), ())
LONG = Document("2", TOKENS * 10, (Entity("Peop", 0, 1),))


def make_corpora(root: Path) -> Path:
    write_documents(root / "corpora/conll04-sample/main/test.jsonl", [GOLD, LONG])
    return root / "corpora"


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    return make_corpora(tmp_path)


def make_run(root: Path, experiment: str, seed: int, right: bool, **changes: Any) -> Path:
    """A run that finds everything, or misses one of three entities and the relation."""
    facts: dict[str, Any] = {"corpus": "conll04-sample", "corpus_title": "CoNLL04-like", "sample": True}
    facts |= {"experiment": experiment, "title": f"Title of {experiment}", "split": "main", "seed": seed}
    facts |= {"protocol": "p", "inputs_title": "characters", "inputs": {}, "git": {"revision": "abc"}} | changes
    folder = root / facts["corpus"] / experiment / "main" / f"seed{seed}"
    found = [GOLD if right else MISSED, LONG]
    write_json(folder / "provenance.json", facts)
    write_json(folder / "scores.json", score_documents([GOLD, LONG], found))
    write_documents(folder / "predictions.jsonl", found)
    return folder


def make_runs(root: Path) -> list[Path]:
    found = [make_run(root, name, seed, seed == 1) for name in ("cman", "multihead-at") for seed in (1, 2)]
    return [*found, make_run(root, "cman@40", 1, False), make_run(root, "cman-separate", 1, True)]


def test_a_figure_says_where_its_models_were_trained_for_different_times(tmp_path, corpora):
    def data(**epochs: tuple[int, float]) -> FigureData:
        runs = []
        for name, (number, share) in epochs.items():
            settings = Settings().model_dump(mode="json")
            settings["training"] |= {"protocol": "train", "epochs": number, "fraction": share}
            runs.append(make_run(tmp_path / str(epochs), name.replace("_", "@"), 1, True, settings=settings))
        (evidence,) = read_evidence(group_runs(map(read_run, runs)), corpora, 0, 0)
        return size_figure(evidence, ())

    assert data(cman=(72, 1.0), cman_60=(120, 0.6)).epochs == []  # as many updates
    assert data(cman=(72, 1.0), cman_60=(72, 0.6)).epochs == []  # as many epochs
    mixed = data(cman=(72, 1.0), cman_60=(18, 0.6))
    assert mixed.epochs == ["up to 18", "up to 72"]
    assert _remark(mixed).endswith(" Not trained alike: up to 18, up to 72 epochs.")


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return make_runs(tmp_path / "runs")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The figures of these runs: to be read, not to be changed."""
    root = tmp_path_factory.mktemp("drawn")
    write_figures(make_runs(root / "runs"), make_corpora(root), root / "figures")
    return root / "figures"


def points(folder: Path, name: str) -> list[dict[str, Any]]:
    return json.loads((folder / f"{name}.json").read_text())["points"]


def test_every_figure_has_its_pictures_its_numbers_and_the_runs_behind_them(drawn):
    assert sorted(path.name for path in drawn.iterdir()) == sorted(f"{n}.{form}" for n in NAMES for form in FORMATS)
    behind = json.loads((drawn / "figure6.json").read_text())
    assert (behind["corpus"], behind["sample"]) == ("conll04-sample", True)
    first = behind["points"][0]
    assert {run["experiment"] for run in first["runs"]} == {first["experiment"]}
    assert {(run["seed"], run["revision"]) for run in first["runs"]} == {(1, "abc"), (2, "abc")}


def test_a_point_is_the_mean_over_seeds_with_each_seeds_own_value(drawn):
    (short,) = [p for p in points(drawn, "figure6")
                if (p["experiment"], p["task"], p["group"]) == ("cman", "entities", "≤19")]  # fmt: skip
    # Seed 1: 2 of 2 entities; seed 2: 1 of 2, with nothing wrong, which is an F1 of 2/3.
    assert short["by_seed"] == {"1": 100.0, "2": pytest.approx(200 / 3, abs=1e-6)}
    assert short["f1"] == pytest.approx(250 / 3, abs=1e-5)
    assert short["sd"] == pytest.approx(100 / 3 / 2**0.5, abs=1e-5)
    assert (short["items"], short["seeds"]) == (1, 2)


def test_sizes_are_gold_relations_by_distance_and_sentences_by_length(drawn):

    def sizes(name: str, task: str) -> dict[str, int]:
        return {p["group"]: p["items"] for p in points(drawn, name) if p["task"] == task}

    assert sizes("figure5", "relations") == {"≤10": 0, "11–20": 1, "≥21": 0}  # 14 characters from Ada to Rome
    assert sizes("figure5", "entities") == {"≤10": 0, "11–20": 2, "≥21": 0}
    assert sizes("figure6", "entities") == {"≤19": 1, "20–34": 0, "35–49": 1, "≥50": 0}


def test_the_share_of_the_data_takes_the_runs_of_each_share_and_the_experiment_itself_for_all_of_it(drawn):
    found = {(p["experiment"], p["group"]): p["f1"] for p in points(drawn, "figure7") if p["task"] == "relations"}
    assert found == {("cman", "40"): 0.0, ("cman", "100"): 50.0, ("multihead-at", "100"): 50.0}


def test_the_baseline_with_the_inputs_of_cman_stands_in_figure_7_where_it_has_a_share_of_the_data(corpora, tmp_path):
    def drawn(runs: list[Path]) -> set[tuple[str, str]]:
        write_figures(runs, corpora, tmp_path / "out")
        return {(p["experiment"], p["group"]) for p in points(tmp_path / "out", "figure7")}

    runs = [*make_runs(tmp_path), make_run(tmp_path, "multihead-matched", 1, True)]
    assert ("multihead-matched", "100") not in drawn(runs)
    runs.append(make_run(tmp_path, "multihead-matched@20", 1, False))
    assert {("multihead-matched", "20"), ("multihead-matched", "100"), ("cman", "40")} <= drawn(runs)


def test_the_csv_has_a_line_for_each_point(drawn):
    with (drawn / "figure8.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["experiment"], row["task"], row["f1"], row["sd"]) for row in rows] == [
        ("cman", "entities", "90.0", "14.142136"),
        ("cman", "relations", "50.0", "70.710678"),
        ("cman-separate", "entities", "100.0", ""),
        ("cman-separate", "relations", "100.0", ""),
    ]


def test_pictures_say_sample_corpus_and_the_inputs_of_each_series(drawn):
    text = (drawn / "figure5.svg").read_text()
    assert "CoNLL04-like, a generated sample corpus" in text
    assert "Title of multihead-at (inputs: characters)" in text
    assert "n = 1" in text


def test_what_the_papers_text_gives_stands_beside_what_was_measured_on_the_real_corpus_alone(runs, corpora, tmp_path):
    write_documents(corpora / "conll04/main/test.jsonl", [GOLD, LONG])
    real = [make_run(tmp_path / "real", name, 1, name == "cman", corpus="conll04", corpus_title="CoNLL04", sample=False)
            for name in ("cman", "cman-separate", "multihead-at")]  # fmt: skip
    write_figures(real, corpora, tmp_path / "real/out", published=PUBLISHED)
    (entities, relations) = json.loads((tmp_path / "real/out/figure8.json").read_text())["published"]
    assert (entities["value"], relations["value"], relations["measured"]) == (-1.6, -13.78, -100)
    assert "published −13.78, here −100.00" in (tmp_path / "real/out/figure8.svg").read_text()
    wrong = tmp_path / "published.yaml"
    wrong.write_text(PUBLISHED.read_text().replace('group: "≥50"', 'group: "≥60"'))
    with pytest.raises(
        CmanError, match=r"published\.yaml: figures: field group: found '≥60' of figure6, wanted one of"
    ):
        write_figures(real, corpora, tmp_path / "wrong", published=wrong)
    write_figures(runs, corpora, tmp_path / "sample", published=PUBLISHED)
    assert json.loads((tmp_path / "sample/figure8.json").read_text())["published"] == []


def test_equal_runs_in_another_order_give_equal_bytes_in_another_process(drawn, tmp_path):
    runs = sorted(map(str, (drawn.parent / "runs").glob("*/*/*/seed*")), reverse=True)
    program = "import sys; from pathlib import Path; from cman.report.figures.write import write_figures; "
    program += "write_figures([Path(name) for name in sys.argv[3:]], Path(sys.argv[1]), Path(sys.argv[2]))"
    command = [sys.executable, "-c", program, str(drawn.parent / "corpora"), str(tmp_path / "two"), *runs]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    for path in sorted(drawn.iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_a_figure_says_over_how_many_seeds_its_means_are(drawn):
    assert "Means over 1 to 2 seeds" in (drawn / "figure7.svg").read_text()
    assert "sample standard deviations over 2 seeds." in (drawn / "figure6.svg").read_text()


def test_experiments_tested_on_other_divisions_do_not_stand_in_one_figure(corpora, tmp_path):
    for fold in ("fold0", "fold1"):
        write_documents(corpora / f"conll04-sample/{fold}/test.jsonl", [GOLD, LONG])
    runs = [make_run(tmp_path / f"runs/{name}/{split}", name, 1, True, split=split)
            for name, split in (("cman", "fold0"), ("multihead-at", "fold1"))]  # fmt: skip
    with pytest.raises(CmanError, match="found the splits fold0, wanted fold1 as multihead-at has"):
        write_figures(runs, corpora, tmp_path / "out")


def test_a_figure_without_runs_says_so_and_is_made_all_the_same(corpora, tmp_path, caplog):
    caplog.set_level("INFO", logger="cman")
    run = make_run(tmp_path / "runs", "cman-lstm", 1, True)
    write_figures([run], corpora, tmp_path / "out")
    assert "no run" in (tmp_path / "out/figure7.svg").read_text()
    assert points(tmp_path / "out", "figure5") == []
    assert sum("no run of its experiments" in message for message in caplog.messages) == 4


def test_one_corpus_is_drawn_and_another_can_be_asked_for(runs, corpora, tmp_path):
    write_documents(corpora / "mine/main/test.jsonl", [GOLD, LONG])
    mine = make_run(tmp_path / "runs", "cman", 1, True, corpus="mine", corpus_title="Mine", sample=False)
    write_figures([mine, *runs], corpora, tmp_path / "first")
    assert json.loads((tmp_path / "first/figure8.json").read_text())["corpus"] == "conll04-sample"
    write_figures([mine, *runs], corpora, tmp_path / "second", "mine")
    assert json.loads((tmp_path / "second/figure8.json").read_text())["corpus"] == "mine"
    with pytest.raises(UsageError, match="--corpus: found 'yours', wanted a corpus of the runs: conll04-sample, mine"):
        write_figures([mine, *runs], corpora, tmp_path / "third", "yours")


def test_predictions_that_do_not_give_their_scores_stop_everything(runs, corpora, tmp_path):
    write_documents(runs[0] / "predictions.jsonl", [MISSED, LONG])
    with pytest.raises(CmanError, match=r"does not match scores\.json"):
        write_figures(runs, corpora, tmp_path / "out")
    assert not (tmp_path / "out").exists()

"""Which jobs a configuration asks for and which files each reads, without Snakemake."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cman.config.configuration import parse_configuration, read_configuration
from cman.config.experiments import EXPERIMENTS
from cman.errors import CmanError
from cman.workflow.code import Code
from cman.workflow.digests import Digests
from cman.workflow.listing import listing
from cman.workflow.plan import PREDICTED, SCORED, TRAINED, Plan

CONFIG = Path(__file__).parents[2] / "config"
CODE = Code()
# No ELMo can be fine-tuned, and the sample's few minutes have no room for it; nor is the best model the paper's.
TUNED = {"cman-finetuned", "cman-best"}
# A line that the paper's Figure 7 does not have; config/conll04.yaml trains it.
ADDED = {f"multihead-matched@{share}" for share in (20, 40, 60, 80)}
# Nothing to see on a sample corpus: readings of equations, and half of the points of Figure 7.
LEFT_OUT = {"cman-as-printed", "multihead-as-published"}
LEFT_OUT |= {f"{name}@{share}" for name in ("cman", "multihead-at") for share in (20, 40, 80)}
# Rows that no table of the paper has, and one that learns nothing from so few sentences: `make tables` takes minutes.
LEFT_OUT |= {"multihead-contextual", "cman-static", "cman-ijcai", "cman-one-phase", "cman-predicted", "cman-scheduled"}
LEFT_OUT |= {"cman-mlp"}
SAMPLE = {"corpora": {"t": {"format": "conll04-sample"}}, "experiments": ["cman"]}


def plan_of(name: str, **changes: Any) -> Plan:
    value = yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8"))
    return Plan(parse_configuration({**value, **changes}, name))


def sample(root: Path = Path("results"), **changes: Any) -> Plan:
    return Plan(parse_configuration({**SAMPLE, **changes}, "sample"), root)


# ---- runs


@pytest.mark.parametrize("name", ["default", "paper"])
def test_default_and_paper_configuration_run_the_experiments_of_the_paper(name):
    plan = plan_of(name)
    assert set(plan.configuration.experiments) == set(EXPERIMENTS) - TUNED - ADDED - (
        LEFT_OUT if name == "default" else set()
    )
    assert len(set(plan.runs)) == len(plan.runs) > {"default": 15, "paper": 300}[name]


def test_figure_7_of_real_conll04_has_the_baseline_with_cmans_inputs_with_as_many_updates():
    plan = plan_of("conll04")
    assert set(plan.configuration.experiments) >= ADDED
    for name in plan.configuration.experiments:
        if "@" in name:
            training = plan.configuration.settings_of("conll04", name).training
            assert training.epochs * training.fraction == pytest.approx(72), name


def test_decoding_of_samples_is_timed_in_passing_and_that_of_a_real_corpus_with_the_machine_to_itself():
    assert plan_of("default").timing == (1, ["--rounds", "5", "--limit", "10"])
    assert plan_of("conll04").timing == (2, [])


def test_by_default_only_sample_corpora_are_used_and_nothing_is_downloaded():
    plan = plan_of("default")
    assert plan.present == ["conll04-sample", "ade-sample", "drec-sample"]
    assert plan.absent == [] and plan.folded == ["ade-sample"]
    files = [file for run in plan.runs for file in plan.training_inputs(*run.key)]
    assert not any("results/inputs" in file for file in files)


@pytest.mark.parametrize("name", ["conll04", "ade"])
def test_a_real_configuration_takes_nothing_of_the_sample_corpora(name):
    plan = plan_of(name)
    assert plan.present == [name]
    assert {run.corpus for run in plan.runs} == {name}
    assert {run.experiment for run in plan.runs} == set(plan.configuration.experiments)
    assert all(file.split("/")[2] == name for run in plan.runs for file in plan.training_inputs(*run.key))


def test_folds_are_trained_as_configured_from_one_preparation_and_one_embedding():
    plan = plan_of("ade", corpora={"ade": {"format": "ade", "folds_run": [0, 7]}}, experiments=["multihead-at", "cman"])
    assert [run.split for run in plan.runs] == ["fold0", "fold0", "fold7", "fold7"]
    assert len({plan.training_inputs("ade", "cman", run.split)[0] for run in plan.runs}) == 2
    assert len({file for run in plan.runs for file in plan.contextual("ade", "cman", run.split)}) == 1


def test_only_the_experiments_of_a_corpus_are_run_on_it_and_an_absent_corpus_has_none():
    corpora = {"t": {"format": "conll04-sample", "only": ["cman"]}, "drec": {"format": "drec"}}
    plan = sample(corpora=corpora, experiments=["cman", "cman-gru"], seeds=[2, 1])
    assert [run.folder for run in plan.runs] == [f"results/runs/t/cman/main/seed{seed}" for seed in (2, 1)]
    assert plan.absent == ["drec"]
    assert sample(corpora={"drec": {"format": "drec"}}).runs == []  # dashes are a table, too


@pytest.mark.parametrize("nothing", [{"experiments": []}, {"seeds": []}])
def test_a_configuration_that_runs_nothing_is_refused(nothing):
    with pytest.raises(CmanError, match=r"experiments, seeds: found an empty list"):
        sample(**nothing)


def test_decoding_is_timed_for_the_first_seed_and_division_of_each_corpus():
    plan = plan_of("default", seeds=[3, 4])
    assert {(run.corpus, run.split, run.seed) for run in plan.timed} == {
        ("conll04-sample", "main", 3),
        ("ade-sample", "fold0", 3),
        ("drec-sample", "main", 3),
    }
    assert {run.experiment for run in plan.timed} >= {"cman", "multihead-at"}
    assert plan.decoding == ["results/speed/decoding.csv"]
    assert sample(experiments=["cman-gru"]).decoding == []


# ---- inputs


def test_the_papers_inputs_are_downloaded_only_if_an_experiment_reads_them():
    plan = plan_of("conll04")
    assert not any("results/inputs" in file for file in plan.feature_inputs("minilm"))
    assert sorted(map(Path, plan.feature_inputs("elmo"))) == sorted(
        Path("results/inputs/elmo") / address.rpartition("/")[2]
        for address in (plan.configuration.encoders["elmo"].options, plan.configuration.encoders["elmo"].weights)
        if address is not None
    )
    assert [Path(file).parent.name for file in plan.feature_inputs("wikipedia-50d")] == ["wikipedia-50d"]
    read = {Path(file).parent.name for file in plan.training_inputs("conll04", "cman-elmo", "main")}
    assert read == {"main", "elmo", "wikipedia-50d"}
    assert {Path(file).parent.name for file in plan.training_inputs("conll04", "cman", "main")} == {"main", "minilm"}


def test_a_student_reads_the_models_of_its_teachers_whether_they_are_shown_or_not():
    span = {"rel.scorer": "span", "rel.candidates": "entities", "training.protocol": "fixed"}
    variants = {
        "student": {"base": "cman", "title": "A", "changes": {**span, "distil.teacher": "span", "distil.members": 3}},
        "span": {"base": "cman", "title": "B", "changes": span},
        "pupil": {"base": "cman", "title": "A", "changes": {**span, "distil.teacher": "student"}},
    }
    plan = sample(experiments=["student"], variants=variants, seeds=[7])
    read = [file for file in plan.training_inputs("t", "student", "main", 7) if "/model/" in file]
    assert read == [f"results/runs/t/span/main/seed{seed}/model/model.safetensors" for seed in (1, 2, 3)]
    assert plan.teachers("t", "span", "main") == [] and [run.experiment for run in plan.runs] == ["student"]
    assert plan.experiments == ["student", "span"]  # for which there are rules
    with pytest.raises(CmanError, match=r"pupil: distil\.teacher: found student, wanted one without a teacher"):
        plan.training_inputs("t", "pupil", "main")


def test_a_file_given_by_path_is_an_input_where_it_is():
    elmo = {"elmo": {"options": "there/options.json", "weights": "https://host/weights.hdf5"}}
    plan = sample(encoders=elmo, settings={"contextual.encoder": "elmo"})
    assert plan.feature_inputs("elmo") == ["there/options.json", "results/inputs/elmo/weights.hdf5"]
    drec = sample(corpora={"drec": {"format": "drec", "path": "there"}})
    assert drec.raw("drec") == ["there/train.tsv", "there/dev.tsv", "there/test.tsv"]


def test_training_reads_test_documents_only_for_their_words_and_a_trained_encoder_reads_its_own_files():
    read = sample().training_inputs("t", "cman", "main")
    assert [Path(file).name for file in read] == ["train.jsonl", "dev.jsonl", "features.npy"]
    every = sample(settings={"word.vocabulary": "all"}).training_inputs("t", "cman", "main")
    assert "test.jsonl" in [Path(file).name for file in every]
    tuned = sample(settings={"encoder.trainable": True})
    assert [Path(file).name for file in tuned.training_inputs("t", "cman", "main")] == ["train.jsonl", "dev.jsonl"]
    assert tuned.contextual("t", "cman") == []


def test_without_a_shared_file_system_every_file_that_a_job_reads_is_named():
    chosen = parse_configuration(
        {**SAMPLE, "settings": {"word.vectors": "v"}, "vectors": {"v": {"path": "v.txt"}}}, "c"
    )
    one, every = Plan(chosen), Plan(chosen, shared=False)
    run = one.runs[0]
    for name, first, more in (
        ("training_inputs", ["vectors.npy", "features.npy"], ["words.json", "index.json"]),
        ("contextual", ["features.npy"], ["index.json"]),
    ):
        named = [{Path(file).name for file in getattr(plan, name)(*run.key)} for plan in (one, every)]
        assert named[0] >= set(first) and named[1] - named[0] == set(more)
    for names in (TRAINED[:3], SCORED):  # a model; what scores are made of
        assert (one.declared(names), every.declared(names)) == (names[:1], names)
    assert one.run_files([run.folder]) == [f"{run.folder}/scores.json"]
    assert len(every.run_files([run.folder])) == 5 and len(every.card_inputs(*run.key[:2])) == 4


# ---- records


def recorded(root: Path, corpus: str) -> str:
    folder = root / "record" / corpus / "cman/main/seed1"
    folder.mkdir(parents=True)
    (folder / "scores.json").write_text("{}")
    return str(folder)


def test_records_are_shown_without_training_and_figures_take_those_whose_corpus_is_configured(tmp_path):
    plan = sample(tmp_path, record=True)
    with pytest.raises(CmanError, match="record: found no run below results/record"):
        _ = plan.records
    folders = [recorded(tmp_path, corpus) for corpus in ("other", "t")]
    plan = sample(tmp_path, record=True)
    assert plan.shown == plan.records == folders
    assert plan.with_gold == folders[1:]
    assert plan.trained == plan.timed == plan.lost() == []
    assert f"{folders[0]}/predictions.jsonl.gz" in plan.run_files(plan.shown)
    listed = listing(Digests(plan, CODE, "reference"))["runs"]
    assert [(run["prepared"], run["digest"], run["facts"]) for run in listed] == [(False, None, {}), (True, None, {})]


@pytest.mark.parametrize(
    "folder", ["c;id/cman/main/seed1", "c/$(id)/main/seed1", "c/cman/a b/seed1", "c/cman/main/seed1;"]
)
def test_a_folder_of_record_whose_name_no_run_can_have_is_refused(tmp_path, folder):
    recorded(tmp_path, "t")
    (tmp_path / "record" / folder).mkdir(parents=True)
    (tmp_path / "record" / folder / "scores.json").write_text("{}")
    with pytest.raises(CmanError, match=r"found the name .*, wanted CORPUS/EXPERIMENT/main or fold0/seed1"):
        _ = sample(tmp_path, record=True).records


def test_the_list_of_runs_has_their_folders_digests_and_titles():
    plan = sample(corpora={**SAMPLE["corpora"], "drec": {"format": "drec"}}, seeds=[1, 2])
    digests = Digests(plan, CODE, "reference")
    made = json.loads(json.dumps(listing(digests)))
    assert made["absent"] == ["drec"]
    assert [run["folder"] for run in made["runs"]] == [run.folder for run in plan.runs]
    assert [run["digest"] for run in made["runs"]] == [digests.train(*run.key) for run in plan.runs]
    assert {run["facts"]["corpus_title"] for run in made["runs"]} == {"CoNLL04-like"}


# ---- what is lost


def test_features_of_which_a_half_is_missing_are_lost(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("results/features/t/minilm")
    folder.mkdir(parents=True)
    assert sample().lost() == []
    (folder / "features.npy").touch()
    assert sample().lost() == [f"{folder}/index.json"]
    (folder / "index.json").touch()
    assert sample().lost() == []


def test_a_product_is_lost_if_it_is_missing_and_something_made_of_it_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = sample()
    folder = Path(plan.runs[0].folder)
    assert plan.lost() == []
    for name in (*TRAINED, *PREDICTED, "scores.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert plan.lost() == []
    (folder / "predictions.jsonl").unlink()
    assert plan.lost() == [f"{folder}/predictions.jsonl"]
    for name in PREDICTED[1:]:
        (folder / name).unlink()
    (folder / "model/config.json").unlink()  # the missing predictions ask for it themselves
    assert set(plan.lost()) == {f"{folder}/{name}" for name in PREDICTED}
    (folder / "scores.json").unlink()
    assert plan.lost() == []
    for name in ("tables.tex", "figures/figure5.csv", "appendix.tex", "browser.html"):
        product = Path("results") / name
        product.parent.mkdir(exist_ok=True)
        product.touch()
        assert plan.lost() == [f"{folder}/scores.json"], name
        product.unlink()


def test_the_model_cards_of_an_experiment_are_one_list_and_a_missing_one_makes_it_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = sample(experiments=["cman", "cman-gru"], seeds=[1, 2])
    assert plan.cards == ["results/cards/t/cman.txt", "results/cards/t/cman-gru.txt"]
    read = plan.card_inputs("t", "cman")
    assert {str(Path(file).parent).removesuffix("/model") for file in read} == {
        run.folder for run in plan.runs if run.experiment == "cman"
    }
    cards = [Path(run.folder) / "model/README.md" for run in plan.by_experiment["t", "cman"]]
    for file in (*cards, Path(plan.cards[0])):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert plan.lost() == []
    cards[1].unlink()
    assert plan.lost() == [plan.cards[0]]


def test_of_own_corpora_alone_test_is_read_as_text_too_and_a_lost_reading_is_made_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = {"format": "jsonl", "paths": dict.fromkeys(("train", "dev", "test"), "a.jsonl")}
    changes = {"corpora": {"own": own, **SAMPLE["corpora"]}, "experiments": ["cman", "given"]}
    plan = sample(**changes, variants={"given": {"base": "cman", "title": "given", "changes": {"ner.given": True}}})
    names = {run: plan.text(*run.key) for run in plan.runs}
    assert {(run.corpus, run.experiment) for run, text in names.items() if text} == {("own", "cman")}
    assert Plan(plan.configuration, shared=False).text("own", "cman", "main", 1) is None
    folder = Path("results/runs/own/cman/main/seed1")
    for name in (*TRAINED, *PREDICTED):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert plan.lost() == [f"{folder}/predictions.jsonl"]
    (folder / "scores.json").touch()
    assert plan.lost() == []


def test_every_configuration_file_can_be_planned():
    for path in sorted(CONFIG.glob("*.yaml")):
        if path.stem not in ("published", "own-corpus"):
            plan = Plan(read_configuration(path))
            assert Digests(plan, CODE, "reference").tables()

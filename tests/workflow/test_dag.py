"""What Snakemake plans, refuses and says, without running any job but `tables`."""

import gzip
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_runs import fake_run

from cman.config.configuration import read_configuration
from cman.config.experiments import EXPERIMENTS

PUBLISHED = "config/published.yaml"
# No ELMo can be fine-tuned, and the sample's few minutes have no room for it.
TUNED = {"cman-finetuned"}


def last_words(printed: str) -> str:
    """What Snakemake prints after its introduction: the error."""
    return printed.partition("Error")[2]


def one_record(project: Any) -> Path:
    """A record with made-up counts."""
    folder = fake_run(project / "results/record", "conll04", "cman", (1, 2, 2), (1, 2, 2), title="CMAN")
    plain = folder / "predictions.jsonl"
    (folder / "predictions.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    (folder / "history.csv").write_text("epoch\n1\n")
    return folder


# ---- what is planned


@pytest.fixture(scope="module")
def bare(untouched) -> str:
    return untouched.snakemake("-n")


def test_bare_snakemake_plans_the_whole_way_to_tables_figures_and_appendix(bare, untouched):
    configured = read_configuration(untouched / "config/default.yaml")
    runs = sum(
        len(corpus.divisions_run) * len(configured.experiments_of(name)) * len(configured.seeds)
        for name, corpus in configured.corpora.items()
    )
    counts = {"train": runs, "predict": runs, "score": runs, "prepare": 2, "prepare_folds": 1, "fetch": 7}
    counts |= dict.fromkeys(("tables", "figures", "appendix", "browser", "decoding_speed"), 1)
    planned = untouched.counted(bare)
    assert {rule: planned.get(rule) for rule in counts} == counts


def test_the_default_configuration_runs_every_experiment(untouched):
    assert set(read_configuration(untouched / "config/default.yaml").experiments) == set(EXPERIMENTS) - TUNED


def test_the_papers_configuration_plans_every_training_as_a_job_of_its_own(untouched):
    planned = untouched.planned("--configfile", "config/paper.yaml")
    assert planned["train"] == planned["predict"] == planned["score"] > 300
    assert set(read_configuration(untouched / "config/paper.yaml").experiments) == set(EXPERIMENTS) - TUNED


def test_a_dry_run_makes_nothing_but_snakemakes_own_folder(bare, untouched):
    assert not (untouched / "results").exists() or not any(
        path.is_file() for path in (untouched / "results").rglob("*")
    )


def test_by_itself_only_the_sample_corpora_are_used_and_nothing_is_downloaded(bare):
    assert set(re.findall(r"--corpus (\S+)", bare)) == {"conll04-sample", "ade-sample", "drec-sample"}


def test_folds_are_trained_as_configured_from_one_preparation_and_one_embedding(untouched):
    two = ("--configfile", "config/ade.yaml", "--config", "corpora={ade: {format: ade, folds_run: [0, 7]}}")
    printed = untouched.snakemake("-n", *two)
    planned = untouched.counted(printed)
    assert (planned["prepare_folds"], planned["embed"], planned["train"], planned["score"]) == (1, 1, 4, 4)
    splits = re.findall(r"cman train .*--split (\S+)", printed)
    assert sorted(splits) == ["fold0", "fold0", "fold7", "fold7"]


def test_a_fold_of_a_corpus_without_folds_is_no_target(untouched):
    printed = untouched.snakemake("-n", "results/runs/conll04-sample/cman/fold0/seed1/scores.json", status=1)
    assert "MissingInputException" in printed or "No rule to produce" in printed


def test_every_job_writes_a_log_of_its_own(bare):
    logs = re.findall(r"--log (\S+)", bare)
    assert len(logs) == len(re.findall(r"^Shell command: (?:cman|printf)", bare, flags=re.MULTILINE))
    assert len(set(logs)) == len(logs)


def test_the_real_configuration_takes_nothing_of_the_sample_corpus(untouched):
    printed = untouched.snakemake("-n", "--configfile", "config/conll04.yaml")
    assert set(re.findall(r"--corpus (\S+)", printed)) == {"conll04"}
    assert set(re.findall(r"results/(?:raw|corpora|features|runs)/([^/\s]+)/", printed)) == {"conll04"}
    assert "conll04-sample" not in printed
    configured = yaml.safe_load((untouched / "config/conll04.yaml").read_text())
    assert set(re.findall(r"--experiment (\S+)", printed)) == set(configured["experiments"])


def test_seeds_and_experiments_can_be_chosen_on_the_command_line(untouched):
    planned = untouched.planned("--config", "seeds=[1,2]", "experiments=[cman-static]")
    assert (planned["train"], planned["score"], planned["tables"]) == (6, 6, 1)  # main, and two folds
    assert "embed" not in planned  # the one experiment reads no contextual features


def test_one_stage_can_be_asked_for_by_its_file(untouched):
    wanted = "results/corpora/conll04-sample/statistics.json"
    assert untouched.planned(wanted) == {"corpus_configuration": 1, "fetch": 3, "prepare": 1}


# ---- inputs


ELMO = "encoders={elmo: {options: OPTIONS, weights: 'https://host/elmo_weights.hdf5'}}"
WITH_ELMO = ("settings={contextual.encoder: elmo}", "experiments=[cman]")


def test_downloads_of_an_encoder_are_planned_before_its_features(untouched):
    elmo = ELMO.replace("OPTIONS", "'https://host/elmo_options.json'")
    printed = untouched.snakemake("-n", "--config", elmo, *WITH_ELMO)
    planned = untouched.counted(printed)
    assert (planned["fetch_features"], planned["embed"], planned["predict"]) == (2, 3, 4)  # three corpora, two folds
    assert set(re.findall(r"results/inputs/elmo/elmo_\w+\.\w+", printed)) == {
        "results/inputs/elmo/elmo_options.json",
        "results/inputs/elmo/elmo_weights.hdf5",
    }


def test_a_file_given_by_path_is_an_input_and_is_not_fetched(untouched, tmp_path):
    (tmp_path / "options.json").write_text("{}")
    elmo = ELMO.replace("OPTIONS", f"'{tmp_path / 'options.json'}'")
    assert untouched.planned("--config", elmo, *WITH_ELMO)["fetch_features"] == 1
    (tmp_path / "options.json").unlink()
    printed = untouched.snakemake("-n", "--config", elmo, *WITH_ELMO, status=1)
    assert "Missing input files" in printed and str(tmp_path / "options.json") in printed


def test_downloads_of_word_vectors_are_planned_where_an_experiment_reads_them(untouched):
    vectors = "vectors={wiki: {url: 'https://host/v.bin'}}"
    assert "fetch_features" not in untouched.planned("--config", vectors)
    planned = untouched.planned("--config", vectors, "settings={word.vectors: wiki}")
    assert (planned["fetch_features"], planned["word_vectors"]) == (1, 3)  # of three corpora


def test_the_papers_inputs_are_configured_for_conll04_and_downloaded_only_if_asked_for(untouched):
    real = ("--configfile", "config/conll04.yaml")
    assert "fetch_features" not in untouched.planned(*real)
    planned = untouched.planned(*real, "--config", "experiments=[cman-elmo]")
    assert (planned["fetch_features"], planned["embed"], planned["word_vectors"]) == (3, 1, 1)


# ---- what is refused


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("foo=1", "config/default.yaml: unknown key 'foo'"),
        ("experiments=[camn]", "unknown experiment: found 'camn', wanted one of "),
        ("settings={attn.heads: 7}", "attn.heads is 7"),
        ("record=true", "record: found no run below results/record"),
        ("experiments=[]", "experiments"),
    ],
)
def test_a_wrong_configuration_is_refused_in_one_sentence(untouched, config, named):
    printed = untouched.snakemake("-n", "--config", config, status=1)
    assert "Traceback" not in printed
    assert named in last_words(printed)


@pytest.mark.parametrize("config", ["seeds=[1,1]", "experiments=[cman-static,cman-static]"])
def test_what_stands_twice_is_refused_before_anything_is_trained(untouched, config):
    printed = untouched.snakemake("-n", "--config", config, status=1)
    assert config.partition("=")[0] in last_words(printed)


# ---- a corpus that cannot be had


def test_drec_without_a_path_is_one_printed_line_and_dashes_and_no_error(new_project):
    project = new_project()
    configured = ("--configfile", "config/drec.yaml")
    printed = project.snakemake("--cores", "1", *configured)
    assert project.counted(printed) == {"tables": 1, "all": 1}
    assert len(re.findall(r"^drec: absent, because it has no `path:`", printed, flags=re.MULTILINE)) == 1
    tex = (project / "results/tables.tex").read_text()
    assert "DREC, beside the figures published in Table III" in tex
    assert r"& 82.96 & \cmandash & 55.66 & \cmandash & \cmandash & --" in tex
    assert project.planned(*configured) == {}


def test_drec_with_a_path_is_prepared_from_its_three_files(untouched):
    given = ("--configfile", "config/drec.yaml", "--config", "corpora={drec: {format: drec, path: there}}")
    printed = untouched.snakemake("-n", *given, status=1)
    assert all(f"there/{split}.tsv" in printed for split in ("train", "dev", "test"))


# ---- the record


def test_tables_are_made_from_the_record_alone(new_project):
    project = new_project()
    one_record(project)
    record = ("--config", "record=true")
    assert project.planned(*record) == {"tables": 1, "all": 1}
    project.snakemake("--cores", "1", *record)
    assert (project / "results/tables.tex").is_file()
    assert "CMAN" in (project / "results/tables.csv").read_text()
    assert project.planned(*record) == {}
    (project / PUBLISHED).open("a").write("# another comment\n")
    assert project.planned(*record) == {"tables": 1, "all": 1}


# ---- style


def test_snakemake_has_nothing_to_find_fault_with(untouched):
    assert "good condition" in untouched.snakemake("--lint")


def test_the_rules_are_formatted(untouched):
    command = Path(sys.executable).parent / "snakefmt"
    if not command.is_file() and shutil.which("snakefmt") is None:
        pytest.skip("snakefmt is not installed")
    name = str(command) if command.is_file() else "snakefmt"
    untouched.run(name, "--check", "Snakefile", "workflow")


def test_the_profiles_share_what_is_not_about_slurm(untouched):
    default, slurm = (yaml.safe_load((untouched / f"profiles/{name}/profile.yaml").read_text()) for name in PROFILES)
    shared = ("printshellcmds", "show-failed-logs", "rerun-incomplete", "keep-going")
    assert {key: slurm.get(key) for key in shared} == {key: default[key] for key in shared}


PROFILES = ("default", "slurm")

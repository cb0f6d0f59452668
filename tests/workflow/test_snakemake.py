"""What Snakemake itself makes of the rules: plans, refusals, options, other folders, style. Little of it runs a job."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cman.config.configuration import read_configuration
from cman.workflow.plan import Plan

WORKFLOW = Path(__file__).parents[2] / "workflow"
RULES = [WORKFLOW / "Snakefile", *sorted(WORKFLOW.rglob("*.smk"))]
SHELL = re.compile(r"^(?P<indent> +)shell:\n(?P<command>(?:(?P=indent) {4}.*\n)+)", flags=re.MULTILINE)


@pytest.fixture(scope="module")
def bare(untouched: Any) -> str:
    return untouched.snakemake("-n", "--printshellcmds")


# ---- what is planned


def test_bare_snakemake_plans_the_whole_way_to_tables_figures_and_appendix(bare, untouched):
    plan = Plan(read_configuration(untouched / "config/default.yaml"))
    counts = dict.fromkeys(("train", "predict", "score"), len(plan.runs)) | {"card": len(plan.cards)}
    counts |= {"fetch": 7, "prepare": 2, "prepare_folds": 1, "embed": 3}
    counts |= dict.fromkeys(("kernels", "runs", "tables", "figures", "appendix", "browser", "decoding_speed", "all"), 1)
    assert untouched.counted(bare) == counts


def test_a_dry_run_makes_nothing_but_snakemakes_own_folder(bare, untouched):
    assert not any(path.is_file() for path in (untouched / "results").rglob("*"))


def test_every_job_writes_a_log_of_its_own(bare):
    logs = re.findall(r"--log (\S+)", bare)
    assert len(set(logs)) == len(logs) == len(re.findall(r"^Shell command: cman ", bare, flags=re.MULTILINE))


def test_seeds_and_experiments_are_chosen_on_the_command_line_and_a_stage_by_its_file(untouched):
    chosen = ("--config", "seeds=[1,2]", "experiments=[multihead-at]")
    planned = untouched.planned("results/tables.tex", *chosen)
    assert (planned["train"], planned["score"], planned["tables"]) == (4, 4, 1)  # main, and a fold, with each seed
    assert "embed" not in planned  # the one experiment reads no contextual features
    assert untouched.planned("results/corpora/conll04-sample/statistics.json") == {"fetch": 3, "prepare": 1}


def test_with_many_seeds_no_command_is_longer_than_linux_takes_and_the_log_is_short(untouched):
    (untouched / "many.yaml").write_text(
        yaml.safe_dump(
            {
                "corpora": {"-".join(map(str, range(74))): {"format": "conll04-sample"}},  # 211 characters
                "experiments": ["cman"],
                "seeds": list(range(600)),  # as many folders would take 140 kB
                "settings": {"contextual.enabled": False},
            }
        )
    )
    printed = untouched.snakemake("-n", "-p", "--configfile", "many.yaml", "--config", "device=cpu")
    commands = re.findall(r"^Shell command: (.*)", printed, flags=re.MULTILINE)
    assert 3 * 500 < len(commands) < 3 * 500 + 100  # of each rule so many are listed, and all are counted
    assert untouched.counted(printed)["train"] == 600
    assert max(map(len, commands)) < 2500


def test_a_student_has_its_teachers_trained_and_nothing_else_made_of_them(untouched):
    chosen = ("--configfile", "config/best.yaml", "--config", "experiments=[cman-best-distilled]", "seeds=[2]")
    planned = untouched.counted(untouched.snakemake("-n", "scored", *chosen))
    assert (planned["train"], planned["predict"], planned["score"]) == (6, 1, 1)


# ---- what is refused


def test_a_wrong_configuration_is_refused_in_one_sentence(untouched):
    printed = untouched.snakemake("-n", "--config", "foo=1", status=1)
    assert "Traceback" not in printed
    assert "config/default.yaml: unknown key 'foo'" in printed.partition("Error")[2]


def test_a_fold_of_a_corpus_without_folds_is_no_target(untouched):
    printed = untouched.snakemake("-n", "results/runs/conll04-sample/cman/fold0/seed1/scores.json", status=1)
    assert "MissingInputException" in printed or "No rule to produce" in printed


# ---- names


def test_braces_in_the_paths_of_an_own_corpus_and_of_the_mirror_are_characters(untouched, tmp_path):
    folder = tmp_path / "a{corpus}b{0}"
    folder.mkdir()
    sentence = '{"id": "%s", "tokens": ["Ada"], "entities": [], "relations": []}\n'
    for split in ("train", "dev", "test"):
        (folder / f"{split}.jsonl").write_text(sentence % split)
    paths = {split: str(folder / f"{split}.jsonl") for split in ("train", "dev", "test")}
    value = {**TINY, "corpora": {"own": {"format": "jsonl", "paths": paths}}, "mirror": str(folder)}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(value))
    given = ("--directory", str(tmp_path), "--configfile", str(tmp_path / "own.yaml"))
    untouched.snakemake("results/corpora/own/statistics.json", "--cores", "1", *given)
    assert "Ada" in (tmp_path / "results/corpora/own/main/test.jsonl").read_text()


# ---- other folders


def test_another_folder_has_its_results_and_drec_without_a_path_is_a_line_and_dashes(untouched, tmp_path):
    given = ("--directory", str(tmp_path), "--configfile", str(untouched / "config/drec.yaml"))
    printed = untouched.snakemake("--cores", "1", *given)
    assert len(re.findall(r"^drec: absent, because it has no `path:`", printed, flags=re.MULTILINE)) == 1
    tex = (tmp_path / "results/tables.tex").read_text()
    assert "DREC, beside the figures published in Table III" in tex
    assert "& 82.96 & -- & 55.66 & -- & -- & --" in tex
    assert untouched.planned(*given) == {}
    assert not (untouched / "results/tables.tex").exists()


MODULE = """
module cman:
    snakefile: {snakefile!r}
    config: config

use rule * from cman as cman_*

rule mine:
    default_target: True
    input: rules.cman_tables.output.csv
    output: "mine.csv"
    shell: "cp {{input}} {{output}}"
"""
TINY = {
    "corpora": {"tiny": {"format": "conll04-sample", "sentences": {"train": 16, "dev": 4, "test": 4}}},
    "experiments": ["cman"],
    "settings": {
        **{"contextual.enabled": False, "word.dim": 8, "char.emb": 8, "char.hidden": 4, "lstm.hidden": 8},
        **{"attn.heads": 2, "rel.hidden": 8, "at.enabled": False, "training.epochs": 1, "training.protocol": "train"},
    },
    "device": "cpu",
}


@pytest.mark.slow
def test_another_workflow_uses_this_one_as_a_module(untouched, tmp_path):
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text(f"configfile: 'mine.yaml'\n{MODULE.format(snakefile=str(untouched / 'workflow/Snakefile'))}")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(TINY))
    there = ("--snakefile", str(snakefile), "--directory", str(tmp_path))
    untouched.snakemake("--cores", "2", *there)
    assert ",tiny,cman," in (tmp_path / "mine.csv").read_text()
    assert untouched.planned(*there) == {}


# ---- without --cores


@pytest.mark.parametrize(
    "options",
    [
        ("--unlock",),
        ("--summary", "results/corpora/conll04-sample/statistics.json"),
        ("--rulegraph",),
        ("--list-changes", "code"),
    ],
    ids=lambda options: options[0],
)
def test_what_runs_nothing_needs_no_number_of_cores(untouched, options):
    untouched.snakemake(*options)


def test_no_rule_looks_at_the_number_of_cores():
    assert RULES
    for path in RULES:
        assert "workflow.cores" not in path.read_text(encoding="utf-8"), path


# ---- style


def test_rules_are_short_and_hold_no_logic_and_every_value_in_a_command_is_quoted():
    for path in RULES:
        text = path.read_text(encoding="utf-8")
        assert "lambda" not in text, path
        commands = [match["command"] for match in SHELL.finditer(text)]
        assert text.count("shell:") == len(commands), path  # none is written another way
        for command in commands:
            for value in re.findall(r"\{[^{}]*\}", command):
                assert value.endswith(":q}"), f"{path.name}: {value}"
        for rule in re.split(r"^(?=rule |use rule )", text, flags=re.MULTILINE)[1:]:
            assert rule.rstrip().count("\n") < 60, f"{path.name}: {rule.splitlines()[0]}"


def test_what_takes_a_device_takes_a_gpu():
    taking = set()
    for path in RULES:
        for rule in re.split(r"^(?=rule )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            assert ("--device {params.device:q}" in rule) == ("gpu=GPU" in rule), rule.splitlines()[0]
            taking |= {rule.split(":")[0]} if "gpu=GPU" in rule else set()
    assert taking == {"rule embed", "rule train", "rule predict"}  # each of which test_slurm.py submits


def test_snakemake_has_nothing_to_find_fault_with(untouched):
    assert "good condition" in untouched.snakemake("--lint")


def test_the_rules_are_formatted(untouched):
    command = Path(sys.executable).parent / "snakefmt"
    if not command.is_file() and shutil.which("snakefmt") is None:
        pytest.skip("snakefmt is not installed")
    name = str(command) if command.is_file() else "snakefmt"
    untouched.run(name, "--check", "Snakefile", "workflow")


def test_the_profiles_share_what_is_not_about_slurm(untouched):
    default, slurm = (
        yaml.safe_load((untouched / f"profiles/{name}/profile.yaml").read_text()) for name in ("default", "slurm")
    )
    shared = ("printshellcmds", "show-failed-logs", "rerun-incomplete", "keep-going")
    assert {key: slurm.get(key) for key in shared} == {key: default[key] for key in shared}

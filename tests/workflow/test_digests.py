"""What an edit of a configuration makes out of date: the digests of all jobs before and after, without Snakemake."""

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cman.config.configuration import parse_configuration
from cman.workflow.code import Code
from cman.workflow.digests import Digests
from cman.workflow.plan import Plan

CODE = Code()
Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def value(tmp_path: Path) -> dict[str, Any]:
    """A configuration with every kind of input: fetched, generated and given files, ELMo, a transformer, vectors."""
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.jsonl").write_text(name)
    (tmp_path / "brat").mkdir()
    (tmp_path / "brat/1.txt").write_text("Ada\n")
    (tmp_path / "brat/1.ann").write_text("")
    (tmp_path / "v.txt").write_text("the 1 2\n")
    (tmp_path / "options.json").write_text("{}")
    mine = {"format": "jsonl", "paths": {name: str(tmp_path / f"{name}.jsonl") for name in ("train", "dev", "test")}}
    return {
        "corpora": {
            "real": {"format": "conll04", "only": ["cman", "mine"]},
            "sample": {"format": "ade-sample", "folds_run": [0, 1], "only": ["cman", "mine"]},
            "own": {**mine, "only": ["read"]},
            "text": {"format": "brat", "paths": dict.fromkeys(mine["paths"], str(tmp_path / "brat")), "only": ["mine"]},
        },
        "experiments": ["cman", "mine", "read"],
        "seeds": [1, 2],
        "variants": {
            "mine": {"base": "multihead-at", "title": "Mine", "changes": {"lstm.hidden": 8}},
            "read": {
                "base": "cman",
                "title": "Read",
                "changes": {"word.vectors": "wiki", "contextual.encoder": "elmo"},
            },
        },
        "encoders": {
            "minilm": {"package": "pydantic"},  # any installed package: its version counts
            "elmo": {"options": str(tmp_path / "options.json"), "weights": "https://host/weights.hdf5"},
        },
        "vectors": {"wiki": {"path": str(tmp_path / "v.txt")}},
    }


def jobs(value: dict[str, Any], kernels: str = "reference", code: Code = CODE) -> dict[str, str]:
    """The digest of each job by its name, such as `train real cman main 1`."""
    plan = Plan(parse_configuration(copy.deepcopy(value), "test"))
    digests = Digests(plan, code, kernels)
    found = {f"prepare {corpus}": digests.prepare(corpus) for corpus in plan.present}
    for run in plan.runs:
        for stage in ("train", "predict", "score"):
            found[f"{stage} {' '.join(map(str, run.key))}"] = getattr(digests, stage)(*run.key)
        found[f"card {run.corpus} {run.experiment}"] = digests.card(run.corpus, run.experiment)
    for stage in ("listing", "tables", "figures", "appendix", "browser", "decoding_speed", "kernels"):
        found[stage] = getattr(digests, stage)()
    found["embed own elmo"], found["embed own wiki"] = digests.embed("own", "elmo"), digests.embed("own", "wiki")
    return found


def outdated(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after.get(name, before[name])}


def without_cards(names: set[str]) -> set[str]:
    return {name for name in names if not name.startswith("card ")}


def trained(names: set[str]) -> set[str]:
    """Corpus and experiment of the trainings among the names."""
    return {" ".join(name.split()[1:3]) for name in names if name.startswith("train ")}


def into(*keys: str, **new: Any) -> Edit:
    """An edit that changes keys of a group."""

    def edit(value: dict[str, Any]) -> None:
        for key in keys:
            value = value[key]
        value.update(new)

    return edit


SHOWN = {"listing", "tables", "figures", "appendix", "browser"}
NOTHING = {
    "device": into(device="cpu"),
    "mirror": into(mirror="copies"),
    "unused vectors": into("vectors", other={"path": "other.zip"}),
    "an unused encoder": into("encoders", other={"name": "some/model"}),
    "an unused variant": into("variants", other={"base": "cman", "title": "Other", "changes": {}}),
    "a setting at its default": into(settings={"training.lr": 5e-4}),
    "a local copy of a public file": into("corpora", "real", paths={"conll04/bekou/train.txt": "copy.txt"}),
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_decides_no_result_makes_nothing_out_of_date(value, name):
    before = jobs(value)
    NOTHING[name](value)
    assert outdated(before, jobs(value)) == set()


def test_titles_make_tables_and_cards_again_and_licence_and_language_cards_alone(value):
    before = jobs(value)
    cards = {name for name in before if name.startswith("card ")}
    into("variants", "mine", title="Another")(value)
    titled = jobs(value)
    assert outdated(before, titled) == SHOWN | {name for name in cards if name.endswith(" mine")}
    into("corpora", "real", licence="CC0", language="de")(value)
    assert outdated(titled, jobs(value)) == {name for name in cards if name.startswith("card real ")}
    # The title of an encoder stands in the captions of what reads it.
    titled = jobs(value)
    into("encoders", "minilm", title="Another")(value)
    assert outdated(titled, jobs(value)) == SHOWN | {name for name in cards if name.endswith(" cman")}


def test_the_language_of_text_makes_its_tokens_again(value):
    before = jobs(value)
    into("corpora", "text", language="nl")(value)
    changed = outdated(before, jobs(value))
    assert "prepare text" in changed and trained(changed) == {"text mine"}


def test_a_mix_that_needs_other_layers_makes_the_features_again_and_no_training_of_another_experiment(value):
    into("corpora", "own", only=["read", "other"])(value)
    value["experiments"].append("other")
    into("variants", other={**value["variants"]["read"], "changes": {"contextual.enabled": False}})(value)
    before = jobs(value)
    into("variants", "read", "changes", **{"contextual.mix": "top"})(value)
    changed = outdated(before, jobs(value))
    assert "embed own elmo" in changed and "embed own wiki" not in changed and trained(changed) == {"own read"}
    fewer = jobs(value)
    into("variants", "other", changes={"contextual.encoder": "elmo"})(value)
    assert "embed own elmo" in (changed := outdated(fewer, jobs(value))) and trained(changed) == {"own other"}


TRAINED: dict[str, tuple[Edit, set[str]]] = {
    "a setting of one experiment": (
        into(experiment_settings={"cman": {"training.lr": 1e-3}}),
        {"real cman", "sample cman"},
    ),
    "a setting of one corpus": (into("corpora", "real", settings={"training.lr": 1e-3}), {"real cman", "real mine"}),
    "a change of a variant": (into("variants", "mine", "changes", **{"lstm.hidden": 6}), {"* mine"}),
    "a setting that an experiment overrides": (into(settings={"lstm.hidden": 64}), {"* cman", "own read"}),
    "a setting": (into(settings={"training.epochs": 3}), {"* *"}),
    "threads": (into(threads=2), {"* *"}),
    "another packaging": (into("corpora", "real", packaging="spert"), {"real *"}),
    "the seed of a sample": (into("corpora", "sample", seed=2), {"sample *"}),
    "the folds": (into("corpora", "sample", folds="document"), {"sample *"}),
    "an encoder's package": (into("encoders", "minilm", package="yaml"), {"* cman"}),
    "an encoder's state": (into("encoders", "elmo", stateful=True), {"own read"}),
    "an encoder's address": (into("encoders", "elmo", weights="https://host/other.hdf5"), {"own read"}),
}


@pytest.mark.parametrize("name", TRAINED)
def test_what_decides_numbers_makes_exactly_its_runs_again(value, name):
    before = jobs(value)
    edit, patterns = TRAINED[name]
    edit(value)
    changed = outdated(before, jobs(value))
    every = trained(set(before))
    wanted = {run for run in every for pattern in patterns if fits(run, pattern)}
    assert trained(changed) == wanted != set()
    # All that is made of these runs follows, by digests of its own.
    for stage in ("predict", "score", "card"):
        assert {" ".join(job.split()[1:3]) for job in changed if job.startswith(f"{stage} ")} == wanted
    assert changed >= SHOWN


def fits(run: str, pattern: str) -> bool:
    return all(wanted in ("*", name) for name, wanted in zip(run.split(), pattern.split(), strict=True))


def test_another_seed_or_fold_adds_runs_and_keeps_those_that_there_are(value):
    before = jobs(value)
    into(seeds=[1, 2, 3])(value)
    after = jobs(value)
    assert without_cards(outdated(before, after)) == SHOWN
    assert {name.split()[-1] for name in set(after) - set(before)} == {"3"}
    into("corpora", "sample", folds_run=[0, 1, 2])(value)
    made_again = outdated(after, jobs(value))
    assert without_cards(made_again) == SHOWN
    assert made_again - SHOWN == {
        "card sample cman",
        "card sample mine",
    }  # one list has the cards of all seeds and folds


@pytest.mark.parametrize(
    ("file", "first", "run"),
    [
        ("dev.jsonl", "prepare own", "own read"),
        ("brat/1.txt", "prepare text", "text mine"),
        ("v.txt", "embed own wiki", "own read"),
        ("options.json", "embed own elmo", "own read"),
    ],
)
def test_a_given_file_counts_by_its_content(value, tmp_path, file, first, run):
    before = jobs(value)
    os.utime(tmp_path / file, (1, 1))
    assert outdated(before, jobs(value)) == set()
    (tmp_path / file).write_text("other")
    changed = outdated(before, jobs(value))
    assert first in changed and trained(changed) == {run}
    (tmp_path / file).unlink()  # and a file that is missing is another one than either
    assert first in outdated(jobs(value), before)


def test_a_document_that_moves_to_another_split_counts(value, tmp_path):
    for split in ("train", "dev", "test"):
        (tmp_path / split).mkdir()
        for suffix in (".txt", ".ann"):
            (tmp_path / split / f"2{suffix}").write_text(split if suffix == ".txt" else "")
    (tmp_path / "train/1.txt").write_text("Ada\n")
    (tmp_path / "train/1.ann").write_text("")
    paths = {split: str(tmp_path / split) for split in ("train", "dev", "test")}
    into("corpora", "text", paths=paths)(value)
    before = jobs(value)
    for suffix in (".txt", ".ann"):  # the files are the same, in the same order
        (tmp_path / f"train/2{suffix}").rename(tmp_path / f"dev/1{suffix}")
    assert trained(outdated(before, jobs(value))) == {"text mine"}


def test_it_counts_which_splits_share_a_file(value, tmp_path):
    train, test = str(tmp_path / "train.jsonl"), str(tmp_path / "test.jsonl")
    into("corpora", "own", paths={"train": train, "dev": test, "test": test})(value)
    before = jobs(value)
    into("corpora", "own", paths={"train": train, "dev": train, "test": test})(value)
    assert trained(outdated(before, jobs(value))) == {"own read"}


def test_other_operations_make_all_trainings_again(value):
    before = jobs(value)
    after = jobs(value, kernels="compiled abc")
    assert trained(outdated(before, after)) == trained(set(before))
    assert "kernels" in outdated(before, after) and "prepare own" not in outdated(before, after)


def test_changed_code_makes_its_stage_and_all_behind_it_again(value, monkeypatch):
    before = jobs(value)
    for verb, stages in {
        "cman.cli.corpora:prepare": {"prepare", "embed", "train", "predict", "score", "card", "decoding_speed"},
        "cman.cli.prediction:embed": {"embed", "train", "predict", "score", "card", "decoding_speed"},
        "cman.cli.training:train": {"train", "predict", "score", "card", "decoding_speed"},
        "cman.cli.prediction:predict": {"predict", "score", "card"},
        "cman.cli.report:score": {"score", "card"},
        "cman.cli.report:card": {"card"},
    }.items():
        after = jobs(value, code=Edited(verb))
        shown = SHOWN if "score" in stages else set()
        found = {name.split()[0] for name in outdated(before, after)}
        assert found - {"listing"} == (stages | shown) - {"listing"}, verb


def test_what_lists_runs_and_what_times_decoding_makes_again_what_shows_them(value):
    value["experiments"] = ["cman", "mine", "read"]
    before = jobs(value)
    assert outdated(before, jobs(value, code=Edited("cman.cli.plan:plan"))) == SHOWN
    timing = Edited("cman.cli.speed:speed_decoding")
    assert outdated(before, jobs(value, code=timing)) == {"decoding_speed", "tables"}
    into(experiments=["mine", "read"])(value)
    untimed = jobs(value)
    assert "tables" not in outdated(untimed, jobs(value, code=timing))


class Edited(Code):
    """The code as if one verb were another."""

    def __init__(self, verb: str) -> None:
        super().__init__()
        self.verb = verb

    def _digest(self, *roots: str) -> str:
        return CODE.digest(*roots) + ("edited" if self.verb in roots else "")


def test_another_version_of_a_library_that_computes_makes_features_and_trainings_anew(value, monkeypatch):
    before = jobs(value)
    monkeypatch.setattr("cman.workflow.digests.version", lambda package: f"other {package}")
    changed = {name for name, digest in jobs(value).items() if digest != before[name]}
    assert {name.split()[0] for name in changed} >= {"embed", "train"}
    assert not any(name.startswith("prepare") for name in changed)

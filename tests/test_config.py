"""Configurations: closed groups, layers of settings, variants, and the part that one run depends on."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cman.config.configuration import Configuration, changed, flattened, parse_configuration, read_configuration
from cman.config.experiments import EXPERIMENTS
from cman.config.settings import Settings
from cman.errors import CmanError, UsageError

SAMPLE = {"s": {"format": "conll04-sample"}}


def parse(**keys: Any) -> Configuration:
    return parse_configuration({"corpora": SAMPLE, "experiments": ["cman"], **keys}, "c.yaml")


def refused(pattern: str, **keys: Any) -> None:
    with pytest.raises(UsageError, match=pattern) as error:
        parse(**keys)
    assert str(error.value).startswith("c.yaml: ")
    assert "\n" not in str(error.value)


# ---- unknown keys and names


PATHS = {"train": "a", "dev": "b", "test": "c"}
UNKNOWN_KEYS = {
    "corpra": {"corpra": 1},
    "corpora.s.sede": {"corpora": {"s": {"format": "conll04-sample", "sede": 1}}},
    "corpora.s.sentences.trian": {"corpora": {"s": {"format": "conll04-sample", "sentences": {"trian": 4}}}},
    "corpora.j.paths.x": {"corpora": {"j": {"format": "jsonl", "paths": {**PATHS, "x": "d"}}}},
    "encoders.minilm.pakage": {"encoders": {"minilm": {"pakage": "x"}}},
    "vectors.v.dim": {"vectors": {"v": {"path": "a", "dim": 3}}},
    "variants.v.x": {"variants": {"v": {"base": "cman", "title": "V", "changes": {}, "x": 1}}},
}


def test_an_unknown_key_is_named_with_its_full_path():
    for path, keys in UNKNOWN_KEYS.items():
        refused(f"^c.yaml: unknown key '{re.escape(path)}'$", **keys)


VARIANT = {"v": {"base": "cman", "title": "V", "changes": {"bsa.unit": 3}}}
UNKNOWN_SETTINGS = {
    "settings: found 'crf.potentail'.*crf.potential": {"settings": {"crf.potentail": "linear"}},
    "settings: found 'crf.boundery'.*crf.boundary": {"settings": {"crf": {"boundery": True}}},
    "settings: found 'crf.boundary.x'": {"settings": {"crf.boundary.x": True}},
    "settings: found 'architecture.x'": {"settings": {"architecture.x": 1}},
    "settings: found 'nothing'": {"settings": {"nothing": 1}, "experiments": []},  # though nothing is run
    "corpora.s.settings: found 'rel.hiden'.*rel.hidden": {
        "corpora": {"s": {"format": "conll04-sample", "settings": {"rel.hiden": 1}}}
    },
    "experiment v: found 'bsa.unit'.*bsa.units": {"experiments": ["v"], "variants": VARIANT},
    "experiment v: found 'bsa.unit'": {"variants": VARIANT},  # though the variant is not run
}


def test_an_unknown_setting_is_named_with_its_layer_and_its_nearest_neighbours():
    for where, keys in UNKNOWN_SETTINGS.items():
        refused(f"unknown key in {where}", **keys)


def test_an_unknown_experiment_is_refused_with_the_known_ones():
    refused("unknown experiment: found 'cmam', wanted one of .*cman", experiments=["cmam"])
    refused("variants.v.base: found 'x'", experiments=["v"],
            variants={"v": {"base": "x", "title": "V", "changes": {}}})  # fmt: skip


def test_unknown_corpora_are_refused():
    with pytest.raises(UsageError, match="unknown corpus: found 't', wanted one of s"):
        parse().settings_of("t", "cman")
    with pytest.raises(UsageError, match="unknown corpus"):
        parse().narrowed("t")


def test_unknown_encoders_and_vectors_are_refused_where_they_are_used():
    refused("name at contextual.encoder: found 'elmo', wanted one of minilm", settings={"contextual.encoder": "elmo"})
    refused("name at word.vectors: found 'wiki', wanted one of none", settings={"word.vectors": "wiki"})
    parse(settings={"contextual.encoder": "elmo"}, experiments=["cman-static"])
    assert parse(settings={"word.vectors": "w"}, vectors={"w": {"path": "v.txt"}}).vectors["w"].path == Path("v.txt")


# ---- values


WRONG_SETTINGS: list[tuple[str, Any]] = [
    ("rel.threshold", 0), ("rel.threshold", 1), ("dropout.inputs", 1.0), ("dropout.inputs", -0.1),
    ("lstm.hidden", 0), ("lstm.kind", "rnn"), ("crf.boundary", "perhaps"), ("label.source", None),
    ("training.lr", 0), ("training.lr", math.nan), ("training.fraction", 0), ("training.fraction", 1.5),
    ("loss.first", -1), ("rel.prior", 0), ("attn.heads", 2.5), ("architecture", "bert"), ("uw.clamp", -1),
    ("loss.first", math.nan), ("crf", 5), ("crf", None), ("training.lr", "fast"),
]  # fmt: skip
WRONG_VALUES: list[tuple[str, dict[str, Any]]] = [
    ("threads", {"threads": 0}),
    ("device", {"device": "tpu"}),
    ("settings", {"settings": ["crf.boundary"]}),
    ("seeds.0", {"seeds": ["x"]}),
    ("seeds.0", {"seeds": [-1]}),
    ("corpora.s.sentences.train", {"corpora": {"s": {"format": "conll04-sample", "sentences": {"train": 0}}}}),
    ("corpora.s.packaging", {"corpora": {"s": {"format": "conll04", "packaging": "x"}}}),
    ("corpora.s", {"corpora": {"s": {"format": "xml"}}}),
    ("corpora.s", {"corpora": {"s": {}}}),
    *((f"corpora.{name}", {"corpora": {name: SAMPLE["s"]}}) for name in ("a/b", "a b", "../up")),
    ("corpora", {"corpora": None}),
    ("variants.v.title", {"variants": {"v": {"base": "cman", "title": "", "changes": {}}}}),
    ("encoders.minilm", {"encoders": {"minilm": {}}}),
    ("encoders.minilm", {"encoders": {"minilm": {"package": "a", "path": "b"}}}),
]


def test_a_value_out_of_range_is_refused_with_its_full_path():
    for key, value in WRONG_SETTINGS:
        refused(f"key '{re.escape(key)}': found {re.escape(repr(value))}; ", settings={key: value})
    for path, keys in WRONG_VALUES:
        refused(f"'{re.escape(path)}", **keys)
    refused("attn.heads is 7, wanted a divisor of 2 x lstm.hidden = 256", settings={"attn.heads": 7})
    refused("label.emb is 0, wanted at least 1", settings={"label.emb": 0})


def test_a_missing_key_or_no_keys_at_all_are_named():
    for value, message in (
        ({"seeds": [1]}, "the key 'corpora' is missing"),
        ({"corpora": {"s": {"format": "jsonl"}}}, "the key 'corpora.s.paths' is missing"),
        *((value, "found no keys") for value in (None, [], "text", 3)),
    ):
        with pytest.raises(UsageError, match=rf"c\.yaml: {message}"):
            parse_configuration(value, "c.yaml")


def test_values_that_only_fit_together_may_come_from_different_layers():
    """Neither layer is valid alone: 256 heads need more than the default width, and 65 x 2 is not divisible by 8."""
    corpora = {"s": {"format": "conll04-sample", "settings": {"attn.heads": 13}}}
    found = parse(corpora=corpora, settings={"lstm.hidden": 65}).settings_of("s", "cman")
    assert (found.lstm.hidden, found.attn.heads) == (65, 13)
    baseline = parse(experiments=["multihead"], settings={"label.emb": 0}).settings_of("s", "multihead")
    assert baseline.label.emb == 0


# ---- layers


def test_nested_and_dotted_keys_say_the_same():
    dotted = {"crf.boundary": True, "lstm.hidden": 64, "architecture": "multihead"}
    nested = {"crf": {"boundary": True}, "lstm": {"hidden": 64}, "architecture": "multihead"}
    assert flattened(nested) == flattened(dotted) == dotted
    assert changed(Settings(), [(nested, "x")]) == changed(Settings(), [(dotted, "x")])


def test_without_changes_the_settings_are_the_defaults():
    assert parse().settings_of("s", "cman") == Settings()


def test_experiments_come_over_corpora_over_the_configuration_over_the_defaults():
    configuration = parse(
        corpora={"s": {"format": "conll04-sample", "settings": {"char": {"emb": 3}, "rel.hidden": 3, "label.emb": 3}}},
        settings={"char.emb": 2, "rel": {"hidden": 2}, "bsa.units": 4, "training": {"epochs": 9}},
        experiments=["multihead", "cman"],
    )
    baseline, full = (configuration.settings_of("s", name) for name in ("multihead", "cman"))
    assert (baseline.char.emb, baseline.rel.hidden) == (25, 64), "the experiment's"
    assert (full.char.emb, full.rel.hidden, full.label.emb) == (3, 3, 3), "the corpus's"
    assert (full.bsa.units, full.training.epochs) == (4, 9), "the configuration's"
    assert full.word.dim == Settings().word.dim, "the default"


def test_a_corpus_does_not_change_the_settings_of_another():
    corpora = {"a": {"format": "conll04-sample", "settings": {"rel.hidden": 3}}, "b": {"format": "conll04-sample"}}
    configuration = parse(corpora=corpora)
    assert [configuration.settings_of(corpus, "cman").rel.hidden for corpus in "ab"] == [3, 128]


def test_changing_settings_leaves_the_given_ones_alone():
    base = Settings()
    assert changed(base, [({"rel.hidden": 3}, "x")]).rel.hidden == 3 and base.rel.hidden == 128
    assert changed(base, [({}, "x")]) == base


def test_every_experiment_has_a_title_and_valid_changes():
    configuration = parse(experiments=list(EXPERIMENTS))
    for name, experiment in EXPERIMENTS.items():
        settings = configuration.settings_of("s", name)
        assert experiment.title
        for key, value in experiment.changes.items():
            group, _, field = key.partition(".")
            assert (getattr(getattr(settings, group), field) if field else getattr(settings, group)) == value


def test_a_variant_is_its_base_with_changes_and_may_undo_those_of_its_base():
    changes = {"own": {"lstm": {"hidden": 64}, "gate.kind": "none"}, "undone": {"lstm.kind": "bilstm"}}
    variants = {name: {"base": "cman-lstm", "title": "Own", "changes": each} for name, each in changes.items()}
    configuration = parse(variants=variants, experiments=["own"])
    settings = configuration.settings_of("s", "own")
    assert configuration.experiment("own").title == "Own"
    assert (settings.lstm.kind, settings.lstm.hidden, settings.gate.kind) == ("lstm", 64, "none")
    assert configuration.settings_of("s", "undone") == Settings()


# ---- the part of one run

RICH: dict[str, Any] = {
    "corpora": {
        "s": {"format": "conll04-sample", "settings": {"rel.hidden": 33}, "seed": 4, "sentences": {"train": 5}},
        "j": {"format": "jsonl", "paths": {"train": "a.jsonl", "dev": "b.jsonl", "test": "c.jsonl"}},
        "real": {"format": "conll04", "packaging": "spert", "paths": {"train.txt": "here.txt"}},
    },
    "experiments": ["cman", "multihead", "own", "cman-static"],
    "seeds": [1, 2],
    "settings": {"training": {"epochs": 7}, "word.vectors": "wiki", "dropout.inputs": 0.3},
    "variants": {
        "own": {"base": "cman", "title": "Own", "changes": {"gate.kind": "none"}},
        "unused": {"base": "cman", "title": "Unused", "changes": {}},
    },
    "encoders": {"minilm": {"package": "p", "title": "T"}, "other": {"path": "folder"}},
    "vectors": {"wiki": {"path": "w.txt"}, "more": {"path": "m.bin"}},
    "mirror": "mirror",
    "threads": 2,
}


@pytest.mark.parametrize("experiment", RICH["experiments"])
@pytest.mark.parametrize("corpus", RICH["corpora"])
def test_a_narrowed_configuration_is_itself_one_and_gives_the_same_run(corpus, experiment):
    whole = parse_configuration(RICH, "rich")
    part = json.loads(json.dumps(whole.narrowed(corpus, experiment)))
    again = parse_configuration(part, "part")
    assert again.settings_of(corpus, experiment) == whole.settings_of(corpus, experiment)
    assert again.experiment(experiment).title == whole.experiment(experiment).title
    assert list(again.corpora) == [corpus] and again.experiments == [experiment]
    expected, found = (each.corpora[corpus].model_dump(exclude={"settings"}) for each in (whole, again))
    assert found == expected
    used = again.settings_of(corpus, experiment)
    assert list(again.encoders) == (["minilm"] if used.contextual.enabled else [])
    assert {name: again.vectors[name] for name in again.vectors} == {"wiki": whole.vectors["wiki"]}


@pytest.mark.parametrize("experiment", [None, "cman", "own", "multihead"])
def test_narrowing_a_narrowed_configuration_changes_nothing(experiment):
    part = parse_configuration(RICH, "rich").narrowed("s", experiment)
    assert parse_configuration(part, "part").narrowed("s", experiment) == part


def test_what_a_run_does_not_use_does_not_change_its_part():
    part = parse_configuration(RICH, "rich").narrowed("s", "cman")
    other: dict[str, Any] = json.loads(json.dumps(RICH))
    other["corpora"]["j"]["paths"]["train"] = "z.jsonl"
    other["experiments"], other["seeds"], other["threads"] = ["cman"], [5], 1
    other["variants"], other["mirror"] = {}, None
    other["encoders"]["other"]["path"], other["vectors"]["more"]["path"] = "x", "y"
    assert parse_configuration(other, "other").narrowed("s", "cman") == part


@pytest.mark.parametrize(
    "change",
    [
        lambda each: each["settings"].update({"rel.threshold": 0.4}),
        lambda each: each["corpora"]["s"].update(seed=5),
        lambda each: each["corpora"]["s"]["settings"].update({"rel.hidden": 34}),
        lambda each: each["encoders"]["minilm"].update(package="q"),
        lambda each: each["vectors"]["wiki"].update(path="v.txt"),
    ],
)
def test_what_a_run_uses_changes_its_part(change):
    part = parse_configuration(RICH, "rich").narrowed("s", "cman")
    other = json.loads(json.dumps(RICH))
    change(other)
    assert parse_configuration(other, "other").narrowed("s", "cman") != part


def test_the_part_of_a_corpus_has_its_sources_and_the_features_that_are_asked_for():
    whole = parse_configuration(RICH, "rich")
    for corpus in RICH["corpora"]:
        assert set(whole.narrowed(corpus)) == {"corpora"}
        for name in (*whole.encoders, *whole.vectors):
            part = json.loads(json.dumps(whole.narrowed(corpus, features=name)))
            again = parse_configuration(part, "part")
            assert list(again.corpora) == [corpus]
            assert [*part["encoders"], *part["vectors"]] == [name]


# ---- files


def test_yaml_and_json_files_are_read(tmp_path):
    for name, text in (("c.yaml", yaml.safe_dump(RICH)), ("c.json", json.dumps(RICH))):
        (tmp_path / name).write_text(text)
        assert read_configuration(tmp_path / name) == parse_configuration(RICH, "rich")


def test_files_that_hold_no_configuration_are_named_with_the_line(tmp_path):
    path = tmp_path / "c.yaml"
    with pytest.raises(CmanError, match=r"c\.yaml: cannot be read"):
        read_configuration(path)
    for content, message in (
        (b"corpora:\n  s: {format: conll04-sample\nseeds: [1]\n", "line [23]: found invalid YAML"),
        (b"corpora: 1\nseeds:\n\t- 1\n", "line 3: found invalid YAML"),
        (b"corpora: !!python/object/apply:os.getcwd []\n", "line 1"),  # YAML cannot make objects
        (b"", "found no keys"),
        (b"seeds: [1]\nx: \xff\n", "line 2"),
    ):
        path.write_bytes(content)
        with pytest.raises(CmanError, match=rf"c\.yaml: {message}"):
            read_configuration(path)

"""What YAML would accept and nobody means: keys written twice, anchors, numbers that are none, endless ones."""

import re
from pathlib import Path

import pytest

from cman.config.configuration import load_configuration
from cman.config.strict_yaml import load_yaml, typed
from cman.errors import UsageError

HEAD = "corpora: {s: {format: conll04-sample}}\nexperiments: [cman]\n"
REFUSED = {
    "seeds: [1]\nthreads: 2\nseeds: [2]\n": "line 5: found the key 'seeds' a second time, wanted it once",
    "settings: {rel.hidden: 1, rel.hidden: 2}\n": "line 3: found the key 'rel.hidden' a second time",
    '{"seeds": [1], "seeds": [1]}': "line 1: found the key 'seeds' a second time",
    "settings: {crf.boundary: true, crf: {boundary: false}}\n": "settings: found the key 'crf.boundary' in both spell",
    "settings: {crf: {boundary: false}, crf.boundary: true}\n": "settings: found the key 'crf.boundary' in both spell",
    "variants: {v: {base: cman, title: V, changes: {gate.kind: none, gate: {kind: none}}}}\n": "in both spellings",
    "seeds: &a [1]\n": "line 3: found the anchor or alias 'a', wanted every value written out",
    "experiment_settings: {cman: &a {}, cman-gru: *a}\n": "line 3: found the anchor or alias 'a'",
    "? [1]\n: 2\n": "line 3: found a list or a group as a key, wanted a name",
    "seeds: [true]\n": "key 'seeds.0': found True; ",
    "seeds: [1:30]\n": "key 'seeds.0': found '1:30'; ",
    "seeds: [010]\n": "key 'seeds.0': found '010'; ",
    "seeds: [1_0]\n": "key 'seeds.0': found '1_0'; ",
    "seeds: ['1']\n": "key 'seeds.0': found '1'; ",
    "seeds: [1.0]\n": r"key 'seeds.0': found 1.0; ",
    "threads: true\n": "key 'threads': found True; ",
    "record: 1\n": "key 'record': found 1; ",
    "record: yes\n": "key 'record': found 'yes'; ",
    "mirror: 5\n": "key 'mirror': found 5; ",
    "settings: {training.lr: .inf}\n": "key 'training.lr': found inf; ",
    "settings: {training.lr: true}\n": "key 'training.lr': found True; ",
    "settings: {training.lr: '0.1'}\n": "key 'training.lr': found '0.1'; ",
    "settings: {ner.phases: true}\n": "key 'ner.phases': found True, wanted 1 or 2",
    "settings: {bsa.units: 2.0}\n": "key 'bsa.units': found 2.0; ",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_nobody_means_is_refused_in_one_sentence(text):
    given = text if text.startswith("{") else HEAD + text
    with pytest.raises(UsageError, match=re.escape(REFUSED[text])) as error:
        load_configuration(given, "c.yaml")
    assert str(error.value).startswith("c.yaml: ") and "\n" not in str(error.value)


def test_anchors_that_double_the_time_a_level_cost_none():
    levels = "\n".join(f"l{level}: &l{level} [*l{level - 1}, *l{level - 1}]" for level in range(1, 60))
    with pytest.raises(UsageError, match="line 1: found the anchor or alias 'l0'"):
        load_yaml(f"l0: &l0 [1]\n{levels}\n", "c.yaml")


def test_plain_values_are_those_of_json():
    text = "a: [1e-3, 5E4, -0.5, .5, 3., 12, -0, true, null, no, on, 0x1F, 1:30, 1_0, 012, '1']"
    read = load_yaml(text, "c.yaml")["a"]
    assert read == [1e-3, 5e4, -0.5, 0.5, 3.0, 12, 0, True, None, "no", "on", "0x1F", "1:30", "1_0", "012", "1"]
    changed = load_configuration(HEAD + "settings: {training.lr: 1e-3, uw.clamp: 3}\n", "c.yaml")
    assert changed.settings_of("s", "cman").training.lr == 1e-3
    assert changed.settings_of("s", "cman").uw.clamp == 3


def test_options_of_a_command_line_are_read_as_what_they_spell():
    given = {"seeds": ["1", "02"], "record": "true", "settings": {"a": "1e-3", "b": "none"}, "mirror": "null", "n": 2}
    read = {"seeds": [1, "02"], "record": True, "settings": {"a": 1e-3, "b": "none"}, "mirror": None, "n": 2}
    assert typed(given) == read


def test_no_other_door_reads_yaml():
    for path in (Path(__file__).parents[1] / "cman").rglob("*.py"):
        if path.name != "strict_yaml.py":
            assert not re.search(r"\byaml\.(safe_)?load|import yaml", path.read_text(encoding="utf-8")), path

"""`cman probe`: which labels are read, what is counted of them, and that a model stays as it was."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from cman.cli.app import app
from cman.corpora.document import Document, write_documents
from cman.errors import CmanError, UsageError
from cman.evaluation.counts import strict_counts
from cman.features.batch import EncodedDocuments
from cman.layout import Layout
from cman.model.annotate import annotate
from cman.model.folder import ModelFolder
from cman.model.output import Prediction
from cman.probe import COLUMNS, LABELS, Replaced, Tokens, probe, probe_model, table

STATIC = {"contextual.enabled": False, "rel.prior": 0.5}


def folder_of(build, vocabulary, changes=None) -> ModelFolder:
    model, settings = build(STATIC | (changes or {}))
    return ModelFolder(model, vocabulary, settings, None, None, {"corpus": "tiny", "split": "main"})


@pytest.fixture
def encoded(corpus: list[Document], vocabulary) -> EncodedDocuments:
    return EncodedDocuments(corpus, vocabulary, None)


def test_each_intervention_replaces_the_labels_as_it_says(vocabulary):
    ids = vocabulary.tag_ids
    gold = torch.tensor([[ids["B-Loc"], ids["I-Loc"], 0, 0]])
    first = torch.tensor([[ids["B-Peop"], ids["I-Peop"], 0, -1]])
    read = {
        kind: Replaced(kind, vocabulary)(gold, first).tolist() for kind in ("predicted", "gold", "outside", "flipped")
    }
    assert read["predicted"] == [[ids["B-Peop"], ids["I-Peop"], 0, 0]]
    assert read["gold"] == gold.tolist() and read["outside"] == [[0, 0, 0, 0]]
    assert read["flipped"] == [[ids["B-Loc"], ids["I-Loc"], 0, 0]]
    many = torch.full((50, 40), ids["B-Peop"])
    shares = [(Replaced(kind, vocabulary)(many, many) != many).float().mean().item() for kind in LABELS[4:]]
    tags = len(vocabulary.tags)
    assert shares == pytest.approx([share * (tags - 1) / tags for share in (0.1, 0.25, 0.5, 0.75, 1.0)], abs=0.04)


def test_tokens_that_change_are_followed_repaired_or_spoiled():
    first, gold = torch.tensor([[1, 2, 0, 3, 9]]), torch.tensor([[1, 1, 0, 2, 9]])
    read, second = torch.tensor([[2, 2, 0, 1, 9]]), torch.tensor([[2, 1, 0, 1, -1]])
    tokens = Tokens()
    tokens.add(Prediction(second, read, second, None, None), first, gold, torch.tensor([4]))  # type: ignore[arg-type]
    assert tokens == Tokens(changed=2, followed=2, wrong=2, repaired=1, right=1, spoiled=1)


def test_the_first_phases_own_labels_give_what_the_model_predicts_and_nothing_stays_changed(
    build, vocabulary, corpus, encoded
):
    folder = folder_of(build, vocabulary)
    before = annotate(folder.model, encoded)
    source, gate = folder.model.labels, folder.model.interaction.bla1.gate
    found = probe_model(folder, encoded, corpus)
    assert [(each.labels, each.gate) for each in found] == [
        (kind, gate) for gate in ("with", "without") for kind in LABELS
    ]
    assert (found[0].entities, found[0].relations) == strict_counts(corpus, before)
    assert found[0].tokens.changed == 0 and found[1].tokens.changed > 0
    assert len({each.first.f1 for each in found}) == 1  # nothing that is read changes the first phase
    assert len({each.relations.predicted for each in found}) > 1
    assert folder.model.labels is source and folder.model.interaction.bla1.gate is gate
    assert annotate(folder.model, encoded) == before


def test_a_model_of_one_phase_or_without_a_gate_has_what_it_has(build, vocabulary, corpus, encoded):
    found = probe_model(folder_of(build, vocabulary, {"gate.kind": "none", "ner.phases": 1}), encoded, corpus)
    assert {each.gate for each in found} == {"none"} and len(found) == len(LABELS)
    assert all(each.entities == each.first and each.figures()["followed"] is None for each in found)


def run_of(folder: Path, model: ModelFolder, corpus: str = "tiny", **facts: str) -> Path:
    model.save(folder / "model")
    (folder / "provenance.json").write_text(json.dumps({"corpus": corpus, "split": "main", "experiment": "c", **facts}))
    return folder


def test_a_run_folder_is_probed_into_a_tidy_file_and_a_model_that_reads_no_labels_is_refused(
    build, vocabulary, corpus, tmp_path
):
    write_documents(Layout(tmp_path).documents("tiny", "main") / "test.jsonl", corpus)
    run = run_of(tmp_path / "run", folder_of(build, vocabulary))
    words = ["probe", str(run), "--results", str(tmp_path), "--output", str(tmp_path / "probe.csv")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0 and result.stdout.splitlines()[0].split()[:3] == ["labels", "read", "gate"]
    assert len(result.stdout.splitlines()) == 1 + 2 * len(LABELS)
    lines = (tmp_path / "probe.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS) and len(lines) == 1 + 2 * len(LABELS) * (7 + 9 * 3)
    for changes in ({"architecture": "multihead", "uw.enabled": False}, {"bla.enabled": False}):
        folder_of(build, vocabulary, changes).save(run / "model")
        with pytest.raises(CmanError, match="reads no labels of its own"):
            probe([run], Layout(tmp_path))


def test_of_several_runs_each_figure_is_the_mean_of_those_of_each_run_with_its_deviation(
    build, vocabulary, corpus, tmp_path
):
    write_documents(Layout(tmp_path).documents("tiny", "main") / "test.jsonl", corpus)
    first, second = (
        run_of(tmp_path / name, folder_of(build, vocabulary, {"rel.prior": prior}))
        for name, prior in (("a", 0.5), ("b", 0.1))
    )
    other = run_of(tmp_path / "other", folder_of(build, vocabulary, {"gate.kind": "none"}), experiment="ungated")
    layout = Layout(tmp_path)
    one, two, both = probe([first], layout), probe([second], layout), probe([first, other, second], layout)
    for what, each in one.items():
        values = each.values + two[what].values
        assert both[what].values == values
        assert both[what].mean == (pytest.approx(sum(values) / 2) if values else None)
        assert both[what].sd == (pytest.approx(abs(values[0] - values[1]) / 2**0.5) if values else None)
    assert {what[2] for what in both if what[0] == "ungated"} == {"none"}
    printed = list(table(both))
    assert [line for line in printed if line in ("c", "ungated")] == ["c", "ungated"]
    assert len(printed) == 2 * 2 + 3 * len(LABELS) and " ± " in printed[2] and " ± " not in printed[-1]


def test_runs_of_two_corpora_have_no_mean(build, vocabulary, tmp_path):
    runs = [run_of(tmp_path / name, folder_of(build, vocabulary), name) for name in ("tiny", "other")]
    with pytest.raises(UsageError, match="found those of other and tiny, wanted those of one corpus"):
        probe(runs, Layout(tmp_path))

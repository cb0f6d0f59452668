"""A corpus without any relation is prepared, trained, predicted and scored."""

import csv

import pytest
from trained import trained

from cman.config.configuration import parse_configuration
from cman.corpora.document import Document, Entity, write_documents
from cman.corpora.prepare import prepare
from cman.evaluation.scores import score_files, summary
from cman.layout import Layout
from cman.model.predict import predict_file

SMALL = {
    "contextual.enabled": False, "word.dim": 8, "char.emb": 8, "char.hidden": 4, "label.emb": 4, "lstm.hidden": 8,
    "attn.heads": 2, "rel.hidden": 8, "training.epochs": 2,
}  # fmt: skip


@pytest.mark.parametrize("changes", [{}, {"rel.null_class": True}, {"rel.params": "per_relation"}], ids=str)
@pytest.mark.parametrize("experiment", ["cman", "multihead"])
@pytest.mark.parametrize("protocol", ["fixed", "retrain"])
def test_entities_alone_go_the_whole_way(tmp_path, experiment, changes, protocol):
    paths = {}
    for split in ("train", "dev", "test"):
        documents = [Document(f"{split}{n}", ("Ada", "sleeps"), (Entity("Peop", 0, 1),)) for n in range(6)]
        documents.append(Document(f"{split}9", ("nobody", "sleeps")))
        paths[split] = str(tmp_path / f"{split}.jsonl")
        write_documents(tmp_path / f"{split}.jsonl", documents)
    value = {
        "corpora": {"own": {"format": "jsonl", "paths": paths}},
        "experiments": [experiment],
        "settings": SMALL | changes | {"training.protocol": protocol},
    }
    configuration, layout = parse_configuration(value, "a test"), Layout(tmp_path / "results")
    prepare("own", configuration.corpus("own"), layout)
    run = trained(configuration, layout, "own", experiment)
    if protocol == "retrain":  # the epoch is chosen by what there is
        with (run / "history.csv").open() as stream:
            rows = [row for row in csv.DictReader(stream) if row["stage"] == "select"]
        assert all(row["dev_mean_f1"] == row["dev_entity_f1"] for row in rows)
        assert not any("dev_relation_f1" in row for row in rows)
    gold, predicted, ranking = (tmp_path / f"{name}.jsonl" for name in ("test", "out", "ranking"))
    predict_file(run / "model", gold, predicted, None, "cpu", None, ranking=ranking)
    scores = score_files(gold, predicted, run / "provenance.json", ranking)
    assert scores["ranking"]["average_precision"] is scores["ranking"]["dev_threshold"] is None
    assert summary(scores).endswith("relations –, overall –")
    assert scores["entities"]["strict"]["all"]["gold"] == 6
    assert scores["relations"]["strict"]["all"] == {"true_positive": 0, "predicted": 0, "gold": 0}

"""Decoding speed: complete rows, ratios of what stands in the file, agreement before timing, errors in a sentence."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from crf_problem import bio_allowed, problem
from pair_problem import pairs
from trained import trained

from cman.config.configuration import parse_configuration
from cman.corpora.document import Entity, Relation, read_documents
from cman.corpora.prepare import prepare
from cman.corpora.raw import obtain, raw_files
from cman.errors import CmanError
from cman.features.frozen import write_cache
from cman.kernels import library, reference
from cman.layout import Layout
from cman.model.predict import predict
from cman.speed import decoding as module
from cman.speed import shares, usual
from cman.speed.decoding import Options, check_runs, speed_of_decoding

SMALL = {
    "contextual.enabled": False,
    "at.enabled": False,
    "word.dim": 8,
    "char.emb": 8,
    "char.hidden": 4,
    "label.emb": 4,
    "lstm.hidden": 8,
    "attn.heads": 2,
    "rel.hidden": 8,
    "training.epochs": 1,
    "training.protocol": "fixed",
}
OPTIONS = Options(batch_size=4, seconds=0.0, rounds=2, confidences=True)
BACKENDS = ("compiled", "reference", "pytorch-crf")


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A results folder with a tiny prepared corpus and two trained models."""
    layout = Layout(tmp_path_factory.mktemp("decoding"))
    corpus = {"format": "conll04-sample", "sentences": {"train": 12, "dev": 4, "test": 9}, "seed": 3}
    configuration = parse_configuration({"corpora": {"tiny": corpus}, "settings": SMALL}, "a test")
    for name in raw_files(configuration.corpus("tiny")):
        obtain(configuration.corpus("tiny"), name, layout.raw("tiny") / name)
    prepare("tiny", configuration.corpus("tiny"), layout)
    for experiment in ("multihead-at", "cman-static"):
        trained(configuration, layout, "tiny", experiment)
    return layout


class FakeEncoder:
    """Features that depend on the document alone."""

    layers, size = 2, 4

    def identity(self) -> dict[str, str]:
        return {"kind": "fake"}

    def features(self, documents, workers=None):
        for index, document in enumerate(documents):
            stream = np.random.default_rng(len(document.tokens))
            yield index, stream.normal(size=(len(document.tokens), self.layers, self.size)).astype(np.float16)


@pytest.fixture(scope="module")
def contextual(layout: Layout) -> Path:
    """A trained model that reads contextual features, whose cache is there, too."""
    parts = [read_documents(layout.documents("tiny", "main") / f"{part}.jsonl") for part in ("train", "dev", "test")]
    write_cache([document for part in parts for document in part], FakeEncoder(), layout.features("tiny", "fake"))
    settings = SMALL | {"contextual.enabled": True, "contextual.encoder": "fake"}
    value = {
        "corpora": {"tiny": {"format": "conll04-sample"}},
        "settings": settings,
        "encoders": {"fake": {"path": "x"}},
    }
    return trained(parse_configuration(value, "a test"), layout, "tiny", "cman")


def runs(layout: Layout, *experiments: str) -> list[Path]:
    return [layout.run("tiny", name, "main", 1) for name in experiments]


def measured(layout: Layout, folder: Path, *experiments: str, options: Options = OPTIONS) -> list[dict[str, str]]:
    output = folder / "decoding.csv"
    speed_of_decoding(runs(layout, *experiments), layout.root / "corpora", layout.root / "features", options, output)
    with output.open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def rows(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The rows of two models without contextual features."""
    return measured(layout, tmp_path_factory.mktemp("rows"), "multihead-at", "cman-static")


def test_every_model_has_a_row_for_each_backend_and_device_and_one_without_figures_says_why(rows):
    expected = [(name, kernels, device) for device in ("cpu", "cuda") for name in ("multihead-at", "cman-static")
                for kernels in BACKENDS]  # fmt: skip
    assert [(row["experiment"], row["kernels"], row["device"]) for row in rows] == expected
    for row in rows:
        assert (row["contextual"], row["sentences"], row["batch_size"], row["threads"]) == ("none", "9", "4", "1")
        if row["device"] == "cuda" and not torch.cuda.is_available():
            assert (row["note"], row["seconds_median"]) == ("no GPU on this machine", "")
        if (row["device"], row["kernels"]) == ("cpu", "compiled") and library.REASON is not None:
            assert (row["note"], row["seconds_median"]) == ("not built", "")


def test_relative_times_and_rates_are_those_of_the_medians_in_the_file(rows):
    timed = {(row["experiment"], row["kernels"]): row for row in rows if row["device"] == "cpu" and not row["note"]}
    assert timed
    for (_, kernels), row in timed.items():
        median = float(row["seconds_median"])
        baseline = float(timed["multihead-at", kernels]["seconds_median"])
        assert float(row["relative_time"]) == pytest.approx(median / baseline, rel=1e-4)
        assert float(row["sentences_per_second"]) == pytest.approx(9 / median, rel=1e-4)
        quartiles = float(row["seconds_q1"]), float(row["seconds_q3"])
        assert float(row["seconds_min"]) <= quartiles[0] <= median <= quartiles[1] <= float(row["seconds_max"])
        assert (row["rounds"], row["confidences"]) == ("2", "on")


def test_cached_and_computed_features_are_timed_and_predict_the_same(layout, contextual, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "open_encoder", lambda *_: FakeEncoder())
    rows = [row for row in measured(layout, tmp_path, "multihead-at", "cman") if row["device"] == "cpu"]
    in_use = "compiled" if library.REASON is None else "reference"
    assert [(row["experiment"], row["contextual"], row["kernels"]) for row in rows] == [
        *(("multihead-at", "none", kernels) for kernels in BACKENDS),
        *(("cman", "cached", kernels) for kernels in BACKENDS),
        ("cman", "computed", in_use),
    ]
    medians = {index: float(row["seconds_median"]) for index, row in enumerate(rows) if not row["note"]}
    baseline = 0 if in_use == "compiled" else 1
    assert float(rows[6]["relative_time"]) == pytest.approx(medians[6] / medians[baseline], rel=1e-4)
    model, documents = module._model(contextual), read_documents(layout.documents("tiny", "main") / "test.jsonl")
    cached, computed = module._contenders(model, documents, layout.root / "features", torch.device("cpu"), OPTIONS)
    assert all(module._agree(*pair) for pair in zip(cached.run("reference"), computed.run("reference"), strict=True))
    module.use_kernels("auto")


def test_fewer_documents_may_be_timed_and_without_the_baseline_there_is_no_relative_time(layout, tmp_path):
    rows = measured(layout, tmp_path, "cman-static", options=Options(4, 0.0, 1, limit=5, rounds=1))
    assert {(row["sentences"], row["relative_time"]) for row in rows} == {("5", "")}


def test_a_model_whose_backends_differ_is_not_timed(layout, tmp_path, monkeypatch):
    original = module.TimedModel.run

    def wrong(contender, backend):
        documents = original(contender, backend)
        return documents if backend == "reference" else [*documents[:-1], documents[0]]

    monkeypatch.setattr(module.TimedModel, "run", wrong)
    monkeypatch.setattr(module, "_agree", lambda one, other: one.id == other.id)
    rows = [row for row in measured(layout, tmp_path, "multihead-at") if row["device"] == "cpu"]
    notes = {row["note"] for row in rows if row["kernels"] != "reference" and row["note"] != "not built"}
    assert len(notes) == 1 and "the backends differ in document" in notes.pop()
    assert [bool(row["seconds_median"]) for row in rows] == [row["kernels"] == "reference" for row in rows]


def test_predictions_agree_if_all_but_the_last_digits_of_confidences_are_the_same():
    one = module.Document(
        "1", ("a", "b"), (Entity("A", 0, 1, 0.5), Entity("B", 1, 2, 0.7)), (Relation("R", 0, 1, 0.9),)
    )

    def changed(entity=0.5, kind="B", relation=0.9, tail=1):
        entities = (Entity("A", 0, 1, entity), Entity(kind, 1, 2, 0.7))
        return module.Document("1", ("a", "b"), entities, (Relation("R", 0, tail, relation),))

    assert module._agree(one, changed(entity=0.50005, relation=0.89995))
    for other in (changed(entity=0.5002), changed(kind="C"), changed(relation=0.8), changed(tail=0)):
        assert not module._agree(one, other)
    assert not module._agree(one, module.Document("1", ("a", "b"), one.entities))


def test_what_is_timed_predicts_what_the_prediction_of_a_run_predicts(layout):
    model = module._model(runs(layout, "cman-static")[0])
    documents = module.read_documents(layout.documents("tiny", "main") / "test.jsonl")
    contender = module.TimedModel(model, "none", documents, None, None, torch.device("cpu"), 4)
    expected = predict(model.folder, documents, None, torch.device("cpu"))
    for backend in module.BACKENDS:
        predicted = contender.run(backend)
        assert all(module._agree(one, other) for one, other in zip(predicted, expected, strict=True))
    module.use_kernels("auto")


def test_where_the_time_goes_is_told_of_the_kernels_and_sums_to_one(rows):
    for row in rows:
        known = shares.read(row["shares"])
        assert bool(known) == ((row["device"], row["kernels"], row["note"]) == ("cpu", "compiled", ""))
        if known:
            assert {*known} == {*shares.PARTS, shares.OTHER, shares.PYTHON} and min(known.values()) >= 0
            assert sum(known.values()) == pytest.approx(1, abs=0.01) and known["LSTMs"] > 0 and known["CRF"] > 0


def test_without_confidences_the_same_is_predicted_but_for_the_entities_scores(layout):
    model = module._model(runs(layout, "cman-static")[0])
    documents = module.read_documents(layout.documents("tiny", "main") / "test.jsonl")
    common = (model, "none", documents, None, None, torch.device("cpu"), 4)
    for backend in BACKENDS:
        bare, scored = (module.TimedModel(*common, confidences=wanted).run(backend) for wanted in (False, True))
        assert all(entity.score is None for each in bare for entity in each.entities)
        plain = [[(entity.type, entity.start, entity.end) for entity in each.entities] for each in bare]
        assert plain == [[(entity.type, entity.start, entity.end) for entity in each.entities] for each in scored]
        assert [each.relations for each in bare] == [each.relations for each in scored]
    module.use_kernels("auto")


def test_what_a_user_of_pytorch_crf_has_agrees_with_the_definitions_on_random_batches():
    pytest.importorskip("torchcrf")
    case, relations = problem(4, [5, 1, 3], dtype=torch.float32), pairs([5, 1, 3], labels=3, dtype=torch.float32)
    for allowed in (None, bio_allowed()):
        found, _ = usual.decode(*case.arguments, allowed=allowed)
        assert torch.equal(found, reference.crf_decode(*case.arguments, allowed=allowed)[0])
    a = relations.arguments
    for one, other in zip(
        usual.select(*a[:4], relations.anchors(0.8), a[4], 0.5),
        reference.pair_select(*a[:4], relations.anchors(0.8), a[4], 0.5),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_a_record_has_no_model_and_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(CmanError, match="found no model, wanted a run folder with model/"):
        check_runs([tmp_path])


def test_a_malformed_provenance_is_refused_by_file_and_field(tmp_path):
    for content, said in (
        ("[]", r"\(all\): found \[\], wanted an object"),
        ('{"corpus": "a", "experiment": "b", "title": "c", "split": "d"}', "seed: is missing"),
    ):
        (tmp_path / "provenance.json").write_text(content)
        with pytest.raises(CmanError, match=rf"provenance\.json: field {said}"):
            module._model(tmp_path)

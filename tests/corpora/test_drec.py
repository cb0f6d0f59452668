"""DREC's format on three advertisements written by hand: what is read, that it trains, and what a prediction scores."""

from pathlib import Path

import pytest
from trained import trained

from cman.config.configuration import parse_configuration
from cman.config.corpora import Drec
from cman.corpora.document import ROOT, Document, Entity, Relation, read_documents, write_documents
from cman.corpora.drec import read_drec
from cman.corpora.prepare import prepare
from cman.errors import CmanError
from cman.evaluation.scores import score_files
from cman.layout import SPLITS, Layout
from cman.model.predict import predict_file

Row = tuple[str, str, list[str], list[int]]
NONE: tuple[list[str], list[int]] = ([], [])

# "house with two floors and a bath": the bathroom is on both floors, the house is part of the root.
SHORT: list[Row] = [
    ("ROOT", "O", *NONE),
    ("huis", "B-property", ["Part-of"], [0]),
    ("gelijkvloers", "B-floor", ["Part-of"], [1]),
    ("en", "O", *NONE),
    ("eerste", "B-floor", *NONE),
    ("verdieping", "I-floor", ["Part-of"], [1]),
    ("elk", "O", *NONE),
    ("badkamer", "B-space", ["Part-of", "Part-of"], [2, 5]),
    (".", "O", *NONE),
    ("woning", "B-property", ["Equivalent"], [1]),
]
LENGTH = 600


def write(path: Path, rows: list[Row], identifier: str = "1") -> Path:
    lines = [f"#doc {identifier}"]
    for index, (token, tag, labels, heads) in enumerate(rows):
        lines.append(f"{index}\t{token}\t{tag}\t{labels or ['N']}\t{heads or [index]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def long() -> list[Row]:
    """The short advertisement, filled up to 600 tokens, and a garden at its end that is part of the house."""
    filled: list[Row] = [*SHORT, *[(f"woord{number}", "O", *NONE) for number in range(LENGTH - len(SHORT) - 1)]]
    return [*filled, ("tuin", "B-field", ["Part-of"], [1])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, rows in (("train", long()), ("dev", SHORT), ("test", SHORT)):
        write(tmp_path / "drec" / f"{split}.tsv", rows, f"{split}-1")
    return tmp_path / "drec"


def read(path: Path) -> tuple[Document, list[str]]:
    warnings: list[str] = []
    (document,) = read_drec(path, warnings)
    return document, warnings


# ---- reading


def test_the_root_is_the_first_entity_and_the_end_of_relations(tmp_path):
    document, warnings = read(write(tmp_path / "a.tsv", SHORT))
    assert warnings == []
    assert document.tokens[:3] == ("ROOT", "huis", "gelijkvloers")
    assert document.entities == (
        Entity(ROOT, 0, 1),
        Entity("property", 1, 2),
        Entity("floor", 2, 3),
        Entity("floor", 4, 6),
        Entity("space", 7, 8),
        Entity("property", 9, 10),
    )
    assert document.relations == (
        Relation("Part-of", 1, 0),
        Relation("Part-of", 2, 1),
        Relation("Part-of", 3, 1),
        Relation("Part-of", 4, 2),
        Relation("Part-of", 4, 3),
        Relation("Equivalent", 5, 1),
    )


def test_an_advertisement_of_600_tokens_is_one_document(tmp_path):
    document, _ = read(write(tmp_path / "a.tsv", long()))
    assert len(document.tokens) == LENGTH
    assert document.relations[-1] == Relation("Part-of", 6, 1)


@pytest.mark.parametrize(
    ("row", "warning"),
    [
        (("de", "O", ["Part-of"], [1]), "line 12: Part-of at token 10 ('de'), which is in no entity, left out"),
        (("tuin", "B-field", ["Part-of"], [3]), "line 12: Part-of at token 3 ('en'), which is in no entity, left out"),
        (("tuin", "B-field", ["Part-of"], [10]), "line 12: Part-of from an entity to itself left out"),
        (("tuin", "B-field", ["Part-of", "Part-of"], [1, 1]), "line 12: Part-of a second time left out"),
    ],
)
def test_a_relation_that_the_baselines_scorer_would_not_count_is_left_out_with_a_warning(tmp_path, row, warning):
    document, warnings = read(write(tmp_path / "a.tsv", [*SHORT, row]))
    assert [found.removeprefix(f"{tmp_path / 'a.tsv'}: ") for found in warnings] == [warning]
    assert len(document.relations) == 6 + (warning.endswith("a second time left out"))


def test_a_relation_inside_of_a_name_belongs_to_the_whole_name_with_a_warning(tmp_path):
    document, warnings = read(write(tmp_path / "a.tsv", [*SHORT, ("tuin", "B-field", ["Part-of"], [4])]))
    assert document.relations[-1] == Relation("Part-of", 6, 3)
    assert len(warnings) == 1 and "Part-of at token 4 read as one of the whole entity around it" in warnings[0]


def test_a_root_that_is_tagged_is_refused(tmp_path):
    with pytest.raises(
        CmanError, match=r"line 2: field tag: found 'B-property', wanted O, because token 0 is the root"
    ):
        read(write(tmp_path / "a.tsv", SHORT[1:]))


# ---- the folder of the corpus


@pytest.mark.parametrize("split", SPLITS)
def test_a_missing_file_is_named_and_nothing_is_written(folder, tmp_path, split):
    (folder / f"{split}.tsv").unlink()
    layout = Layout(tmp_path / "results")
    with pytest.raises(
        CmanError, match=rf"{split}\.tsv: found no such file, wanted train\.tsv, dev\.tsv and test\.tsv"
    ):
        prepare("drec", Drec(format="drec", path=folder), layout)
    assert not layout.root.exists()


def test_without_a_path_preparing_says_one_line_and_writes_nothing(tmp_path, caplog):
    caplog.set_level("INFO", logger="cman")
    prepare("drec", Drec(format="drec"), Layout(tmp_path / "results"))
    assert len(caplog.messages) == 1 and caplog.messages[0].startswith("drec: absent, because it has no `path:`")
    assert not (tmp_path / "results").exists()


# ---- training and scores


@pytest.mark.parametrize("experiment", ["cman", "multihead"])
def test_three_advertisements_one_of_600_tokens_train_predict_and_score(folder, tmp_path, experiment):
    layout = Layout(tmp_path / "results")
    small = {"contextual.enabled": False, "word.dim": 8, "char.emb": 4, "char.hidden": 4, "label.emb": 4,
             "lstm.hidden": 8, "lstm.layers": 1, "attn.heads": 2, "rel.hidden": 8, "at.enabled": False,
             "training.epochs": 2, "training.protocol": "train"}  # fmt: skip
    value = {"corpora": {"drec": {"format": "drec", "path": str(folder)}}, "settings": small}
    configuration = parse_configuration(value, "a test")
    prepare("drec", configuration.corpus("drec"), layout)
    run = trained(configuration, layout, "drec", experiment)
    for split, length in (("train", LENGTH), ("test", len(SHORT))):
        gold = layout.documents("drec", "main") / f"{split}.jsonl"
        predict_file(run / "model", gold, tmp_path / "out.jsonl", None, "cpu", 1)
        (document,) = read_documents(tmp_path / "out.jsonl")
        assert len(document.tokens) == length
        # The root is given, not found: however short the training, it is there once, and has a score.
        assert [(entity.start, entity.end) for entity in document.entities if entity.type == ROOT] == [(0, 1)]
        assert document.entities[0].is_root and 0 <= (document.entities[0].score or 0) <= 1
        scores = score_files(gold, tmp_path / "out.jsonl")
        assert scores["entities"]["strict"]["all"]["gold"] == 5 + (split == "train")
        assert scores["relations"]["strict"]["all"]["gold"] == 6 + (split == "train")


def test_a_hand_written_prediction_has_the_expected_scores_root_relations_included(tmp_path):
    gold, _ = read(write(tmp_path / "a.tsv", SHORT))
    predicted = Document(
        gold.id,
        gold.tokens,
        (
            Entity(ROOT, 0, 1),
            Entity("property", 1, 2),  # right
            Entity("floor", 2, 3),  # right
            Entity("floor", 5, 6),  # half of a name
            Entity("field", 7, 8),  # wrong type
        ),
        (
            Relation("Part-of", 1, 0),  # right, to the root
            Relation("Part-of", 2, 0),  # wrong: the floor is part of the house
            Relation("Part-of", 2, 1),  # right
            Relation("Part-of", 3, 1),  # an argument's span is wrong
            Relation("Part-of", 4, 2),  # an argument's type is wrong
            Relation("Equivalent", 0, 1),  # wrong direction of nothing
        ),
    )
    write_documents(tmp_path / "gold.jsonl", [gold])
    write_documents(tmp_path / "predicted.jsonl", [predicted])
    scores = score_files(tmp_path / "gold.jsonl", tmp_path / "predicted.jsonl")

    def counts(task: str, matching: str) -> tuple[int, int, int]:
        found = scores[task][matching]["all"]
        return found["true_positive"], found["predicted"], found["gold"]

    # The root is no entity for scores: 4 predicted and 5 gold ones, not 5 and 6.
    assert counts("entities", "strict") == (2, 4, 5)
    assert counts("entities", "boundaries") == (3, 4, 5)
    assert counts("entities", "relaxed") == (3, 4, 5)
    assert counts("relations", "strict") == (2, 6, 6)
    assert counts("relations", "boundaries") == (3, 6, 6)
    assert counts("relations", "relaxed") == (3, 6, 6)
    assert ROOT not in scores["entities"]["strict"]["types"]
    assert scores["relations"]["strict"]["types"] == {
        "Equivalent": {"true_positive": 0, "predicted": 1, "gold": 1},
        "Part-of": {"true_positive": 2, "predicted": 5, "gold": 5},
    }


def test_an_entity_of_the_roots_type_elsewhere_is_counted_as_wrong(tmp_path):
    gold, _ = read(write(tmp_path / "a.tsv", SHORT))
    write_documents(tmp_path / "gold.jsonl", [gold])
    write_documents(tmp_path / "predicted.jsonl", [Document(gold.id, gold.tokens, (Entity(ROOT, 3, 4),))])
    found = score_files(tmp_path / "gold.jsonl", tmp_path / "predicted.jsonl")["entities"]["strict"]["all"]
    assert found == {"true_positive": 0, "predicted": 1, "gold": 5}

"""From ADE's archive to ten folds: what each file holds, and that a wrong archive leaves nothing behind."""

import json
import os
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from trained import trained

from cman.config.configuration import parse_configuration, read_configuration
from cman.config.corpora import Ade, AdeSample, Conll04, Corpus
from cman.corpora.ade import MEMBER
from cman.corpora.document import Document, read_documents
from cman.corpora.overlap import has_overlap
from cman.corpora.prepare import prepare
from cman.corpora.raw import obtain, raw_files
from cman.errors import CmanError, UsageError
from cman.fetch.download import MIRROR_VARIABLE
from cman.layout import FOLDS, SPLITS, Layout


def made(folder: Path, corpus: Corpus) -> Layout:
    layout = Layout(folder)
    for name in raw_files(corpus):
        obtain(corpus, name, layout.raw("c") / name)
    prepare("c", corpus, layout)
    return layout


def read(layout: Layout, division: str) -> dict[str, list[Document]]:
    return {split: read_documents(layout.documents("c", division) / f"{split}.jsonl") for split in SPLITS}


def content(layout: Layout) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(layout.statistics("c").read_text())
    return value


def sample(**changes: Any) -> AdeSample:
    return AdeSample.model_validate({"format": "ade-sample", "sentences": 150, **changes})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return made(tmp_path_factory.mktemp("folds"), sample())


def test_main_holds_every_document_once_as_annotated(prepared):
    every = [document for part in read(prepared, "main").values() for document in part]
    assert sorted(int(document.id) for document in every) == list(range(150))
    assert any(has_overlap(document) for document in every)


def test_the_test_parts_of_the_folds_are_all_documents_as_annotated(prepared):
    annotated = {document.id: document for part in read(prepared, "main").values() for document in part}
    tested = [document for fold in FOLDS for document in read(prepared, fold)["test"]]
    assert len(tested) == 150
    assert {document.id: document for document in tested} == annotated


@pytest.mark.parametrize("fold", ["fold0", "fold9"])
def test_train_and_dev_of_a_fold_are_the_other_documents_fit_for_bio(prepared, fold):
    splits = read(prepared, fold)
    ids = {split: {document.id for document in part} for split, part in splits.items()}
    assert len(ids["train"] | ids["dev"]) == len(ids["train"]) + len(ids["dev"]) == 150 - len(ids["test"])
    assert not (ids["train"] | ids["dev"]) & ids["test"]
    assert not any(has_overlap(document) for split in ("train", "dev") for document in splits[split])


def test_folds_by_document_share_no_abstract(tmp_path):
    by_sentence, by_document = (made(tmp_path / kind, sample(folds=kind)) for kind in ("sentence", "document"))
    shared = {fold: facts["of_them_in_train_or_dev"] for fold, facts in content(by_document)["folds"].items()}
    assert set(shared.values()) == {0}
    assert all(facts["of_them_in_train_or_dev"] > 0 for facts in content(by_sentence)["folds"].values())


@pytest.mark.parametrize("policy", ["keep_longest", "drop_sentences", "drop_relations"])
def test_statistics_say_what_a_policy_costs(tmp_path, policy):
    layout = made(tmp_path, sample(overlap=policy))
    facts = content(layout)
    assert facts["overlap"]["policy"] == policy
    lost = facts["splits"]["all"]["relations"]["all"] - facts["overlap"]["for_training"]["relations"]["all"]
    assert lost > 0
    assert f"{lost} of {facts['splits']['all']['relations']['all']} relations" in facts["warnings"][0]
    trained = read(layout, "fold3")
    assert facts["folds"]["fold3"]["splits"]["train"]["sentences"] == len(trained["train"])
    if policy == "drop_sentences":
        assert sum(map(len, trained.values())) < 150
        assert sum(len(part) for part in read(layout, "main").values()) == 150


def test_the_same_request_gives_the_same_bytes(tmp_path, prepared):
    again = made(tmp_path, sample())
    for path in prepared.root.rglob("*"):
        if path.is_file():
            assert (again.root / path.relative_to(prepared.root)).read_bytes() == path.read_bytes()


def test_the_folds_run_are_those_configured_and_change_no_file(prepared, tmp_path):
    corpus = sample(folds_run=[3, 0])
    assert corpus.divisions_run == ("fold3", "fold0")
    assert corpus.divisions == FOLDS
    parts = [parse_configuration({"corpora": {"c": found.model_dump(mode="json")}}, "x").narrowed("c", "cman")
             for found in (corpus, sample())]  # fmt: skip
    assert parts[0] == parts[1]


def test_main_of_a_corpus_with_folds_is_not_trained_on(prepared):
    configuration = parse_configuration({"corpora": {"c": {"format": "ade-sample"}}}, "x")
    with pytest.raises(UsageError, match="--split: found 'main', wanted one of the divisions of c: fold0, fold1"):
        trained(configuration, prepared, "c", "cman")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds_run": []}, "corpora.c.folds_run"),
        ({"folds_run": [1, 1]}, "corpora.c.folds_run"),
        ({"folds_run": [10]}, "corpora.c.folds_run.0"),
        ({"folds": "spert"}, "corpora.c.folds"),
        ({"overlap": "ignore"}, "corpora.c.overlap"),
        ({"dev": {"share": 1.0}}, "corpora.c.dev.share"),
        ({"sentences": {"train": 3}}, "corpora.c.sentences"),
    ],
)
def test_a_wrong_key_is_named_with_its_path(changes, message):
    with pytest.raises(UsageError, match=f"'{message}'"):
        parse_configuration({"corpora": {"c": {"format": "ade-sample", **changes}}}, "x")


# ---- nothing left behind

GOOD = "77|rash after lithium|rash|5|9|lithium|16|23\n"


def corrupted(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.txt", bytes(70_000_000))


def outside(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../outside.txt", "x")


def wrong_offset(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, GOOD + GOOD.replace("77|", "78|").replace("|5|9|", "|6|9|"))


def too_few(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, GOOD)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (corrupted, "the archive cannot be read"),
        (bomb, "wanted at most 100 times its own"),
        (outside, "found the file '../outside.txt', wanted files that stay inside of their folder"),
        (wrong_offset, "line 2: field effect end: found 6 to 9, wanted 6 to 10, because 'rash' has 4 characters"),
        (too_few, "wanted at least 10"),
    ],
)
def test_a_wrong_archive_is_refused_and_nothing_is_left_behind(tmp_path, spoil, message):
    layout, corpus = Layout(tmp_path / "results"), sample()
    (name,) = raw_files(corpus)
    obtain(corpus, name, layout.raw("c") / name)
    spoil(layout.raw("c") / name)
    with pytest.raises(CmanError) as error:
        prepare("c", corpus, layout)
    assert message in str(error.value)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [name]


# ---- the real corpus


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, float]:
    if not os.environ.get(MIRROR_VARIABLE):
        pytest.skip(f"{MIRROR_VARIABLE} names no folder with the real corpora")
    started = time.process_time()
    layout = made(tmp_path_factory.mktemp("real"), Ade(format="ade"))
    return layout, time.process_time() - started


def test_the_real_corpus_is_prepared_in_under_20_seconds(real):
    assert real[1] < 20


def test_the_real_folds_test_everything_annotated_and_share_most_abstracts_with_their_training(real):
    layout, _ = real
    facts = content(layout)["folds"]
    relations = [facts[fold]["splits"]["test"]["relations"]["all"] for fold in FOLDS]
    assert relations == [666, 724, 688, 657, 648, 732, 666, 704, 688, 648]
    assert (facts["fold0"]["of_them_in_train_or_dev"], facts["fold0"]["abstracts_of_test"]) == (337, 371)
    assert content(layout)["overlap"]["for_training"]["relations"]["all"] == 6627


def test_the_real_corpus_can_be_divided_by_abstract(tmp_path, real):
    layout = Layout(tmp_path)
    corpus = Ade(format="ade", folds="document")
    (name,) = raw_files(corpus)
    (layout.raw("c") / name).parent.mkdir(parents=True)
    (layout.raw("c") / name).symlink_to(real[0].raw("c") / name)
    prepare("c", corpus, layout)
    facts = content(layout)["folds"]
    assert Counter(facts[fold]["of_them_in_train_or_dev"] for fold in FOLDS) == {0: 10}
    sizes = [facts[fold]["splits"]["test"]["sentences"] for fold in FOLDS]
    assert sum(sizes) == 4272 and max(sizes) - min(sizes) <= 5


SENTENCE = "#doc {}\n0\t{}\tB-Peop\t['Live_In']\t[2]\n1\tin\tO\t['N']\t[1]\n2\tOrm\tB-Loc\t['N']\t[2]\n"


def columns(folder: Path, train: list[tuple[int, str]], **others: list[tuple[int, str]]) -> Conll04:
    """Write sentences, each an id and a name, as the three files of a corpus that is divided into five folds."""
    paths = {}
    for split, sentences in {"train": train, **others}.items():
        paths[split] = folder / f"{split}.txt"
        paths[split].write_text("".join(SENTENCE.format(*sentence) for sentence in sentences))
    return Conll04.model_validate({"format": "conll04", "paths": paths, "folds": 5})


def test_folds_of_columns_test_every_sentence_of_all_three_files_once_and_copies_of_one_together(tmp_path):
    named = [(number, f"Ada{number}") for number in range(30)]
    copies = [(90, "Twin"), (91, "TWIN")]
    corpus = columns(tmp_path, [*named[:20], copies[0]], dev=named[20:25], test=[*named[25:], copies[1]])
    prepare("c", corpus, layout := Layout(tmp_path / "results"))
    tested = {fold: {document.id for document in read(layout, fold)["test"]} for fold in corpus.divisions}
    assert len(tested) == 5 and sum(map(len, tested.values())) == 32
    assert set().union(*tested.values()) == {str(number) for number, _ in (*named, *copies)}
    assert [{"90", "91"} & ids for ids in tested.values() if {"90", "91"} & ids] == [{"90", "91"}]
    assert {facts["of_them_in_train_or_dev"] for facts in content(layout)["folds"].values()} == {0}


def test_folds_of_columns_refuse_one_id_in_two_files_and_change_no_corpus_without_them(tmp_path):
    corpus = columns(tmp_path, [(1, "Ada")], dev=[(2, "Bo")], test=[(1, "Cy")])
    with pytest.raises(CmanError, match="found the document id '1' in two of train, dev and test"):
        prepare("c", corpus, Layout(tmp_path / "results"))
    assert not (tmp_path / "results" / "corpora").exists()
    without = Conll04.model_validate({"format": "conll04"})
    assert without.folded is None and without.document_keys().keys() == {"format", "packaging", "paths"}


def test_the_study_divides_all_sentences_of_the_real_corpus_into_five_folds(tmp_path):
    if not (Path(os.environ.get(MIRROR_VARIABLE) or "/nonexistent") / "conll04").is_dir():
        pytest.skip("CMAN_MIRROR names no folder with the real corpora")
    configuration = read_configuration(Path(__file__).parents[2] / "config" / "study.yaml")
    layout = made(tmp_path, configuration.corpora["folded-conll04"])
    facts = content(layout)["folds"]
    assert {fold: each["splits"]["test"]["sentences"] for fold, each in facts.items()} == {
        "fold0": 288, "fold1": 289, "fold2": 288, "fold3": 288, "fold4": 288}  # fmt: skip
    assert {each["of_them_in_train_or_dev"] for each in facts.values()} == {0}
    assert content(layout)["repeated_sentences"]["within"]["all"] == 74

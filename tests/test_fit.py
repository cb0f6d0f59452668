"""`cman fit`: from annotated files to a model folder in one call, which goes on where it was stopped."""

import shutil
from pathlib import Path

import pytest
from command_line import cman, empty_folder, sentence  # noqa: F401
from killing import Killed, killed_at

from cman.cli.fit import _corpus_name
from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.files import read_json
from cman.model.folder import ModelFolder
from cman.training.watch import Watch, duration

SMALL = (
    *("word.dim=8", "char.emb=8", "char.hidden=4", "label.emb=4", "lstm.hidden=8", "attn.heads=2", "rel.hidden=8"),
    *("training.epochs=2", "training.epoch_rule=last", "training.batch_size=4"),
)
FILES = ("--train", "train.jsonl", "--dev", "dev.jsonl", "--test", "test.jsonl", "--output", "my model")
CALL = (
    "fit",
    *FILES,
    "--name=Lives, in",
    "--experiment",
    "cman-static",
    "--threads=1",
    *(f"--set={each}" for each in SMALL),
)


@pytest.fixture(autouse=True)
def files(empty_folder) -> None:  # noqa: F811
    """Three files of annotated sentences."""
    for split, count in (("train", 8), ("dev", 3), ("test", 3)):
        write_documents(Path(f"{split}.jsonl"), [lives(f"{split}{number}", number) for number in range(count)])


def lives(name: str, number: int) -> Document:
    tokens = (("Ada", "Bo", "Cy")[number % 3], "lives", "in", ("Rome", "Oslo")[number % 2])
    return Document(name, tokens, (Entity("Peop", 0, 1), Entity("Loc", 3, 4)), (Relation("Live_In", 0, 1),))


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_files_become_a_model_folder_with_its_card_and_nothing_else_is_left():
    result = cman(*CALL)
    assert result.status == 0, result.error
    assert "cman extract --model 'my model' " in result.out
    for line in ("select epoch 1 of 2: loss_", "retrain epoch 2 of 2: ", "test: strict micro F1"):
        assert line in result.error
    model = Path("my model")
    assert ModelFolder.load(model).trained_on["corpus"] == "Lives-in"
    assert "Lives-in" in (model / "README.md").read_text()
    assert read_json(model / "training" / "scores.json")["documents"] == 3
    assert {path.name for path in Path().iterdir()} == {"train.jsonl", "dev.jsonl", "test.jsonl", "my model"}
    assert "found my model" in sentence(cman(*CALL), 2).replace(str(Path().resolve()) + "/", "")


@pytest.mark.parametrize(
    ("given", "expected"),
    [((), "auto"), (("rel.threshold=0.4",), 0.4), (("training.protocol=fixed",), 0.5)],
)
def test_cman_best_takes_the_threshold_that_dev_prefers_unless_told_otherwise_or_without_dev(given, expected):
    call = [value.replace("cman-static", "cman-best") for value in CALL]
    small = ("contextual.enabled=false", "rel.features=fused", "span.projection=8", "span.hidden=8", *given)
    assert cman(*call, *(f"--set={each}" for each in small)).status == 0
    assert ModelFolder.load(Path("my model")).settings.rel.threshold == expected


def test_a_corpus_without_a_name_is_called_as_its_files_or_their_folder_are():
    for path, name in (
        ("museum/train.jsonl", "museum"),
        ("data/museum_train.json", "museum"),
        ("data/Train-Museum.v2.jsonl", "Museum"),
        ("news/training.json", "news"),
        ("data/trains.jsonl", "trains"),
        ("a b!/all.conll", "a-b"),
    ):
        assert _corpus_name(Path(path)) == name
    Path("brat/train").mkdir(parents=True)
    assert _corpus_name(Path("brat/train")) == "brat"


def test_stopped_anywhere_the_same_call_goes_on_and_comes_to_the_same_model(monkeypatch):
    assert cman(*CALL).status == 0
    expected = weights(Path("my model"))
    shutil.rmtree("my model")
    with killed_at(5):
        cman(*CALL)
    for stage in ("predict_file", "write_card", "_publish"):
        with monkeypatch.context() as patch:
            patch.setattr(f"cman.fit.{stage}", killed)
            with pytest.raises(Killed):
                cman(*CALL)
            assert not Path("my model").exists()
    with monkeypatch.context() as patch:
        patch.setattr("cman.fit.train", killed)  # it has been trained
        patch.setattr("cman.fit.shutil.rmtree", lambda path, ignore_errors=False: None if ignore_errors else killed())
        with pytest.raises(Killed):
            cman(*CALL)
    assert weights(Path("my model")) == expected
    assert "complete already" in cman(*CALL).error or not Path(".my model.fit").exists()


def killed(*arguments: object, **options: object) -> None:
    raise Killed


def test_a_finished_training_of_other_files_is_not_taken(monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("cman.fit.write_card", killed)
        cman(*CALL)
    write_documents(Path("train.jsonl"), [lives(f"train{number}", number) for number in range(6)])
    result = cman(*CALL)
    assert result.status == 0 and "select epoch 1 of 2" in result.error
    assert read_json(Path("my model/training/provenance.json"))["documents"]["train"] == 6


def test_what_cannot_be_fitted_is_one_sentence_and_leaves_nothing():
    Path("a.conll").write_text("x")
    for changes, status, message in (
        ({"--train": "a.conll"}, 2, "--format: found none, and a.conll does not say by its name"),
        ({"--test": "none.jsonl"}, 2, "--test: found no none.jsonl"),
        ({"--set": "lstm.hidden"}, 2, "--set: found 'lstm.hidden', wanted KEY=VALUE"),
        ({"--set": "lstm.hiden=3"}, 2, "unknown key in experiment_settings.cman-static"),
        ({"--experiment": "cman-bst"}, 2, "unknown experiment"),
        ({"--output": "train.jsonl"}, 2, "--output: found"),
    ):
        words = list(CALL)
        for option, value in changes.items():
            words = [*words, option, value] if option == "--set" else replaced(words, option, value)
        assert message in sentence(cman(*words), status)
    assert {path.name for path in Path().iterdir()} == {"train.jsonl", "dev.jsonl", "test.jsonl", "a.conll"}


def replaced(words: list[str], option: str, value: str) -> list[str]:
    place = words.index(option) + 1
    return [*words[:place], value, *words[place + 1 :]]


# ---- how far a training is


def test_the_first_batches_say_how_long_all_epochs_take_and_epochs_what_is_left(monkeypatch, caplog):
    clock = iter(range(1000))
    monkeypatch.setattr("cman.training.watch.time.monotonic", lambda: next(clock) * 120.0)  # batches 3 to 14: 120 s
    seconds: list[float] = []
    with caplog.at_level("INFO", logger="cman"), Watch("select", 3, 20, 3, seconds) as watch:
        for _ in range(20):
            watch.batch()
        seconds.append(200.0)
        watch.epoch({"loss_first": 1.0, "dev_mean_f1": 50.0, "label_copy_rate": 0.5})
        assert caplog.messages == [
            "about 3 min an epoch and 20 min in all, by 14 of 20 batches",
            "select epoch 1 of 3: loss_first 1.0000, dev_mean_f1 50.0000 (200.0 s, 17 min left)",
        ]
    assert [duration(value) for value in (3.2, 119, 7000, 9000)] == ["3 s", "119 s", "117 min", "2.5 h"]


def test_a_training_that_goes_on_estimates_from_its_own_epochs(caplog):
    seconds = [1000.0, 1000.0]  # of another process, on another machine perhaps
    with caplog.at_level("INFO", logger="cman"), Watch("retrain", 4, 3, 0, seconds) as watch:
        for _ in range(3):
            watch.batch()
        seconds.append(10.0)
        watch.epoch({})
        assert caplog.messages[-1] == "retrain epoch 3 of 4:  (10.0 s, 10 s left)"
        seconds.append(10.0)
        watch.epoch({})
        assert caplog.messages[-1] == "retrain epoch 4 of 4:  (10.0 s)"

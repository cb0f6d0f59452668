"""The extractor in a program and a notebook: streams, thresholds a call, tables, drawings, and what is no text."""

import subprocess
import sys
from itertools import count, islice
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from cman import Extractor, to_frame
from cman.errors import CmanError, UsageError
from cman.extract.drawing import SENTENCES, cells, html
from cman.extract.extraction import Extraction, FoundEntity, FoundRelation

TEXT = "Ada Lovelace lives in London. Charles Babbage lives in Cambridge."
DRAWN = Extraction(
    "1",
    "Ada <b> & Bo live in Rome.\nNothing.",
    (FoundEntity("Peop", 0, 3, "Ada", 0.9), FoundEntity("P<\"'>", 10, 12, "Bo", None),
     FoundEntity("Loc", 21, 25, "Rome", 0.5)),
    (FoundRelation("Live_In", 0, 2, 0.8), FoundRelation("Live_In", 1, 2, None), FoundRelation("Kn<ows", 2, 0, 0.5)),
    ((0, 26), (27, 35)),
)  # fmt: skip


@pytest.fixture(scope="module")
def extractor(model: Path) -> Extractor:
    return Extractor.load(model, device="cpu", threads=1)


def test_its_name_says_what_it_was_trained_on_and_what_it_finds(extractor):
    assert repr(extractor) == "<Extractor model of none: 2 entity types, 1 relations, en, cpu>"


def test_a_stream_gives_what_a_batch_gives_and_reads_no_more_than_a_chunk_ahead(extractor, monkeypatch):
    monkeypatch.setattr("cman.extract.texts.TEXTS_A_CHUNK", 3)
    texts = [TEXT, "", "Ada.", "Rome and Oslo", TEXT]
    together = extractor.batch(texts)
    assert list(extractor.stream(iter(texts))) == together
    contexts = [{"row": number} for number in range(5)]
    assert list(extractor.stream(zip(texts, contexts, strict=True))) == list(zip(together, contexts, strict=True))
    taken = []
    endless = (taken.append(number) or f"Ada {number}" for number in count())
    assert [found.id for found in islice(extractor.stream(endless), 4)] == ["1", "2", "3", "4"]
    assert len(taken) == 6
    for limit in ("TOKENS_A_CHUNK", "CHARACTERS_A_CHUNK"):
        monkeypatch.setattr(f"cman.extract.texts.{limit}", 1)
        taken.clear()
        next(extractor.stream(endless))
        assert len(taken) == 1


def test_thresholds_of_a_call_are_those_of_an_extractor_and_stay_in_the_call(model, extractor):
    before = extractor(TEXT)
    for options in ({"threshold": 0.3}, {"entity_threshold": 0.6}, {"threshold": 0.9, "relation_threshold": 0.1}):
        expected = Extractor.load(model, device="cpu", threads=1, **options)(TEXT)
        assert extractor(TEXT, **options) == expected
        assert extractor.batch([TEXT], **options) == [expected]
        assert list(extractor.stream([TEXT], **options)) == [expected]
    strict = Extractor.load(model, device="cpu", threads=1, relation_threshold=0.998)
    assert strict(TEXT, relation_threshold=0.5) == before and len(strict(TEXT).relations) < len(before.relations)
    assert extractor(TEXT) == before
    for call in (extractor, extractor.batch, extractor.stream):
        with pytest.raises(UsageError, match="relation_threshold: found 2, wanted a number from 0 to 1"):
            call([TEXT], relation_threshold=2) if call is not extractor else call(TEXT, relation_threshold=2)


def test_what_is_no_text_is_one_sentence(extractor):
    for call, message in (
        (lambda: extractor(5), r"^found int, wanted a text \(str\)$"),
        (lambda: extractor(None), "^found NoneType, wanted a text"),
        (lambda: extractor(b"text"), "^found bytes, wanted a text"),
        (lambda: extractor([TEXT]), "^found list, wanted a text"),
        (lambda: extractor.batch("a text"), "^batch: found one text, wanted several texts, such as a list"),
        (lambda: extractor.stream("a text"), "^stream: found one text, wanted several"),
        (lambda: extractor.batch(3), "^batch: found int, wanted several"),
        (lambda: extractor.batch(["a", float("nan")]), "^text 2: found float, wanted a text"),
        (lambda: list(extractor.stream([("a", 1, 2)])), "^text 1: found 3 values, wanted a text, or a text and"),
        (lambda: list(extractor.stream([()])), "^text 1: found 0 values"),
        (
            lambda: extractor.batch({"a": TEXT}),
            "^batch: found dict, wanted several texts, such as a list or one column",
        ),
        (lambda: extractor.stream(DRAWN.to_frame()), "^stream: found DataFrame, wanted several texts"),
        (lambda: extractor.batch({TEXT}), "^batch: found set, wanted several texts"),
    ):
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(CmanError, match=r"^text 2: found a lone surrogate at character 1, wanted text"):
        extractor.batch(["a", "b\ud800"])
    for value in ("0.5", True):
        with pytest.raises(UsageError, match=f"^threshold: found {value!r}, wanted a number from 0 to 1"):
            extractor(TEXT, threshold=value)
    assert extractor.batch(np.array([TEXT])) == extractor.batch([TEXT])
    assert extractor(TEXT, threshold=np.float32(0.5)) == extractor(TEXT, threshold=0.5)


def test_a_wrong_argument_and_what_is_no_model_folder_are_one_sentence(model, extractor, tmp_path, monkeypatch):
    for options, message in (
        ({"threads": 0}, "^threads: found 0, wanted a whole number from 1"),
        ({"threads": "2"}, "^threads: found '2', wanted"),
        ({"longest_sentence": 0}, "^longest_sentence: found 0, wanted"),
        ({"kernels": "fast"}, "^kernels: found 'fast', wanted auto or reference"),
    ):
        with pytest.raises(UsageError, match=message):
            Extractor.load(model, **options)
    run = tmp_path / "run"
    run.mkdir()
    (run / "model").symlink_to(model)
    monkeypatch.chdir(tmp_path)
    for path, message in (
        ("run", r"^run: found no config\.json, wanted the folder of a model, such as run/model$"),
        ("run/model/config.json", r"config\.json: found a file, wanted the folder of a model, such as run/model$"),
        (".", r"^\.: found no config\.json, wanted the folder of a model$"),
        ("", "^'': found no folder, wanted that of a model$"),
        ("~/model", r"wanted that of a model; ~ is no part of a path"),
        ("https://huggingface.co/some/model", r"Extractor\.from_pretrained\('some/model'\)$"),
    ):
        with pytest.raises(CmanError, match=message):
            Extractor.load(path)
    with pytest.raises(CmanError, match=r"config\.json: found a file, wanted the name of a folder"):
        extractor.save_pretrained(model / "config.json")


def test_a_stream_gives_all_before_the_text_that_ends_it(extractor):
    stream = extractor.stream([TEXT, "Ada.", None])
    assert [next(stream).id, next(stream).id] == ["1", "2"]
    with pytest.raises(TypeError, match=r"^text 3: found NoneType"):
        next(stream)
    stream = extractor.stream(["Ada.", "x" * 20_001])
    assert next(stream).id == "1"
    with pytest.raises(CmanError, match=r"^text 2: found a token of 20001 characters"):
        next(stream)


def test_a_table_has_a_row_a_relation_or_a_row_an_entity():
    frame = DRAWN.to_frame()
    assert list(frame.columns[:6]) == ["id", "head", "head_type", "head_start", "head_end", "relation"]
    assert frame.loc[0, ["head", "relation", "tail", "score"]].tolist() == ["Ada", "Live_In", "Rome", 0.8]
    entities = to_frame([DRAWN, DRAWN], "entities")
    assert entities["entity"].tolist() == ["Ada", "Bo", "Rome"] * 2 and entities["start"].tolist()[:3] == [0, 10, 21]
    assert list(to_frame([]).columns) == list(frame.columns)
    with pytest.raises(UsageError, match="found 'triples', wanted 'relations' or 'entities'"):
        to_frame([], "triples")


def test_without_pandas_the_table_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"found no pandas, wanted the extra `pipeline`: pip install"):
        DRAWN.to_frame()


def parsed(drawing: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawing)  # HTML that is XML, too, has no tag that a text opened


def test_a_notebook_shows_each_sentence_with_boxes_and_arcs_and_escapes_the_text():
    drawing = DRAWN._repr_html_()
    root = parsed(drawing)
    pictures = list(root.iter("{http://www.w3.org/2000/svg}svg"))
    assert len(pictures) == 2 and "<script" not in drawing and "<b>" not in drawing
    first = ["".join(each.itertext()) for each in pictures[0].iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in first if text in ("Ada", "Bo", "Rome", "Peop", "Loc", "Live_In", "Kn<ows")] == [
        *("Live_In", "Live_In", "Kn<ows"), *("Ada", "Peop", "Bo", "Rome", "Loc")
    ]  # fmt: skip
    assert "P<\"'>" in first and " <b> & " in first
    titles = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "Live_In 0.80" in titles and "Live_In" in titles and "Peop 0.90" in titles
    labels = [each for each in pictures[0].iter("{http://www.w3.org/2000/svg}text") if each.get("paint-order")]
    assert len({each.get("y") for each in labels}) == 3, "no two arcs that overlap have one height"


def test_a_drawing_takes_any_text(extractor):
    for text in ("", "\x00\x1b Ada\t\u202e lives", "中文 Ada 在 Rome", "e\u0301\U0001f468\u200d\U0001f469 Ada"):
        drawing = extractor(text)._repr_html_()
        parsed(drawing)
        assert ("without a word" in drawing) == (not text.strip())
    assert [cells("ab"), cells("中"), cells("e\u0301")] == [2, 2, 1]
    long = Extraction("1", "ab " * 80, (), (), tuple((3 * n, 3 * n + 2) for n in range(80)))
    assert f"and {80 - SENTENCES} more sentences" in html(long)
    root = Extraction("1", "Ada.", (FoundEntity("<root>", 0, 0, "", None), FoundEntity("P", 0, 3, "Ada", 1.0)),
                      (FoundRelation("r", 0, 1, 1.0),), ((0, 4),))  # fmt: skip
    parsed(html(root))


@pytest.mark.slow
def test_a_long_stream_needs_no_more_memory_than_a_short_one(model):
    script = (
        "import sys, resource; from cman import Extractor; e = Extractor.load(sys.argv[1], device='cpu', threads=1)\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "run = lambda n: [None for _ in e.stream((f'Ada {i} lives in London.', i) for i in range(n))]\n"
        "run(300); before = peak(); run(1500); print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(model)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 30_000, "KiB"

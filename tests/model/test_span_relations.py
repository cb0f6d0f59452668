"""The relation head that reads spans: entities, ranges, candidates and scores against brute force."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cman.config.settings import Rel
from cman.corpora.bio import entities_of
from cman.features.batch import Batch
from cman.model.pairs import Pairs, pairs_of, training_pairs
from cman.model.range_max import range_maxima
from cman.model.spans import SpanReader, Spans

TAGS = ("O", "B-Loc", "I-Loc", "B-Peop", "I-Peop")
BEST = {
    "rel.scorer": "span", "rel.candidates": "entities", "rel.features": "fused+encoder", "span.projection": 12,
    "span.hidden": 9, "span.type_emb": 3, "span.width_emb": 2, "span.distance_emb": 4, "rel.prior": 0.3,
}  # fmt: skip
sentences = st.lists(st.lists(st.sampled_from(TAGS), max_size=7), min_size=1, max_size=4)


def tensor(rows: list[list[str]]) -> torch.Tensor:
    tags = torch.full((len(rows), max(1, *map(len, rows))), -1)
    for index, row in enumerate(rows):
        tags[index, : len(row)] = torch.tensor([TAGS.index(tag) for tag in row], dtype=torch.int64)
    return tags


def listed(spans: Spans) -> list[tuple[int, int, int, int]]:
    return list(zip(*(each.tolist() for each in spans), strict=True))


@given(rows=sentences)
def test_spans_of_a_batch_are_the_entities_that_its_tags_spell(rows):
    reader = SpanReader(TAGS)
    expected = [
        (index, each.start, each.end, reader.types.index(each.type))
        for index, row in enumerate(rows)
        for each in entities_of(row)
    ]
    assert listed(reader(tensor(rows))) == expected


@given(data=st.data(), length=st.integers(1, 19), count=st.integers(0, 9))
def test_a_range_maximum_and_its_gradient_are_those_of_the_tokens_of_the_range(data, length, count):
    x = torch.randn(
        3, length, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(length), requires_grad=True
    )
    ranges = [
        (data.draw(st.integers(0, 2)), *sorted(data.draw(st.sets(st.integers(0, length), min_size=2, max_size=2))))
        for _ in range(count)
    ]
    where = torch.tensor(ranges, dtype=torch.int64).reshape(-1, 3).unbind(1)
    maxima = range_maxima(x, *where)
    expected = torch.stack([x[row, start:end].amax(0) for row, start, end in ranges]) if ranges else x.new_zeros(0, 4)
    torch.testing.assert_close(maxima, expected, rtol=0, atol=0)
    if ranges:
        gradients = [torch.autograd.grad(each.sum(), x, retain_graph=True)[0] for each in (maxima, expected)]
        torch.testing.assert_close(*gradients)


@given(rows=sentences)
def test_pairs_are_all_ordered_pairs_of_a_sentence(rows):
    spans = SpanReader(TAGS)(tensor(rows))
    pairs = pairs_of(spans)
    expected = [
        (head, tail)
        for (head, first), (tail, second) in itertools.permutations(enumerate(listed(spans)), 2)
        if first[0] == second[0]
    ]
    assert list(zip(pairs.head.tolist(), pairs.tail.tolist(), strict=True)) == expected


def test_spans_that_overlap_make_no_pair():
    zero = torch.zeros(3, dtype=torch.int64)
    spans = Spans(zero, torch.tensor([0, 1, 3]), torch.tensor([2, 3, 4]), zero)
    pairs = pairs_of(spans)
    assert list(zip(pairs.head.tolist(), pairs.tail.tolist(), strict=True)) == [(0, 2), (1, 2), (2, 0), (2, 1)]


@pytest.mark.parametrize("anchor", ["last", "first"])
def test_candidates_are_gold_entities_and_at_most_so_many_wrong_ones_and_carry_the_gold_relations(
    anchor, encode, vocabulary, batch
):
    batch = encode(anchor=anchor).batch(range(8))
    reader, labels = SpanReader(vocabulary.tags), len(vocabulary.relations)
    generator = torch.Generator().manual_seed(4)
    padding = torch.arange(batch.words.shape[1]) >= batch.lengths.unsqueeze(1)
    predicted = torch.randint(0, len(vocabulary.tags), batch.words.shape, generator=generator).masked_fill(padding, -1)
    gold, guessed = set(listed(reader(batch.tags))), set(listed(reader(predicted)))
    for most in (0, 1, 50):
        settings = Rel(candidates="entities", wrong_candidates=most, anchor=anchor)
        pairs, expected = training_pairs(batch, predicted, reader, labels, settings)
        spans = listed(pairs.spans)
        wrong = set(spans) - gold
        assert gold <= set(spans) and wrong <= guessed - gold and len(spans) == len(set(spans))
        counts = [sum(each[0] == row for each in wrong) for row in range(8)]
        possible = [sum(each[0] == row for each in guessed - gold) for row in range(8)]
        assert counts == [min(most, each) for each in possible]
        anchors = {
            (
                spans[head][0],
                *(spans[each][2] - 1 if anchor == "last" else spans[each][1] for each in (head, tail)),
                label,
            )
            for head, tail, label in (
                (int(pairs.head[pair]), int(pairs.tail[pair]), int(label)) for pair, label in expected.nonzero()
            )
            if {spans[head], spans[tail]} <= gold
        }
        assert anchors == set(map(tuple, batch.relations.tolist())) and int(expected.sum()) == len(anchors)


@pytest.mark.parametrize("candidates", [{}, {"span.context": False}, {"span.distance_emb": 0, "span.type_emb": 0}])
def test_scores_are_those_of_each_pair_alone(candidates, build, batch, vocabulary):
    model, _ = build(BEST | candidates)
    relations = model.relations
    torch.manual_seed(2)
    x = torch.randn(*batch.words.shape, 16 + 6)
    pairs = pairs_of(relations.reader(batch.tags))
    with torch.no_grad():
        scores = relations.scores(x, pairs)
        alone = []
        for head, tail in zip(pairs.head.tolist(), pairs.tail.tolist(), strict=True):
            both = pairs.spans.chosen(torch.tensor([head, tail]))
            # Neither other entities nor the padding of a batch may matter.
            row, length = int(both.sentence[0]), int(batch.lengths[both.sentence[0]])
            both = both._replace(sentence=torch.zeros(2, dtype=torch.int64))
            alone.append(relations.scores(x[row : row + 1, :length], Pairs(both, torch.tensor([0]), torch.tensor([1]))))
    assert scores.shape == (len(pairs.head), len(vocabulary.relations)) and len(alone) > 10
    torch.testing.assert_close(scores, torch.cat(alone), rtol=1e-5, atol=1e-6)


def test_links_are_the_pairs_above_the_threshold_and_the_ranking_goes_further_down(build, batch):
    model, _settings = build(BEST)
    padding = torch.arange(batch.words.shape[1]) >= batch.lengths.unsqueeze(1)
    tags = batch.tags.masked_fill(padding, -1)
    x = torch.randn(*batch.words.shape, 22, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        model.relations.threshold = 0.3
        links, wider = (model.relations.links(x, tags, least) for least in (None, 0.02))
    assert 0 < len(links.cells) < len(wider.cells)
    assert (links.probabilities > 0.3).all() and (wider.probabilities > 0.02).all()
    assert torch.equal(wider.cells[wider.above], links.cells)
    ends = {(row, end - 1) for row, _, end, _ in listed(model.relations.reader(tags))}
    assert {(row, head) for row, head, _, _ in links.cells.tolist()} <= ends


def test_a_sentence_of_very_many_entities_is_scored_in_slices(build, monkeypatch):
    model, _ = build(BEST)
    tags = torch.tensor([[1, 0] * 12])
    x = torch.randn(1, 24, 22, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = model.relations.scores(x, pairs_of(model.relations.reader(tags)))
        monkeypatch.setattr("cman.model.span_relations.SLICE", 7)
        torch.testing.assert_close(model.relations.scores(x, pairs_of(model.relations.reader(tags))), whole)


@pytest.mark.parametrize("params", ["shared", "per_relation"])
def test_the_printed_scorer_over_entities_reads_the_cells_of_their_anchors(params, build, batch):
    model, _settings = build({"rel.candidates": "entities", "rel.params": params, "rel.wrong_candidates": 0})
    x = torch.randn(*batch.words.shape, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        table = model.relations.scores(x, batch.lengths)
        loss = model.relations.loss(x, batch, batch.tags)
    expected = torch.zeros(len(batch.lengths))
    spans = listed(model.relations.reader(batch.tags))
    gold = set(map(tuple, batch.relations.tolist()))
    for first, second in itertools.permutations(spans, 2):
        if first[0] == second[0]:
            for label, score in enumerate(table[first[0], first[2] - 1, second[2] - 1]):
                right = (first[0], first[2] - 1, second[2] - 1, label) in gold
                expected[first[0]] += torch.nn.functional.softplus(-score if right else score)
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-4)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rel.scorer": "span"}, "rel.candidates is cells, wanted entities with rel.scorer span"),
    ({"rel.scorer": "span", "architecture": "multihead"}, "wanted multihead with architecture multihead"),
    ({"rel.features": "fused+encoder", "contextual.enabled": False}, "wanted fused without CMAN's contextual inputs"),
    ({"rel.candidates": "entities", "rel.null_class": True}, "rel.null_class is true, wanted false"),
    ({"rel.threshold": "auto", "training.protocol": "fixed"}, "no dev to choose it on"),
]


def test_settings_that_do_not_fit_each_other_are_refused_in_one_sentence(build):
    for changes, sentence in WRONG:
        with pytest.raises(Exception, match=sentence):
            build(changes)


def test_without_entities_or_relations_there_is_nothing_to_score(build, batch: Batch):
    model, _ = build(BEST)
    nothing = torch.zeros_like(batch.tags)
    x = torch.randn(*batch.words.shape, 22)
    with torch.no_grad():
        assert len(model.relations.links(x, nothing).cells) == 0

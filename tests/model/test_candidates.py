"""Which tokens are scored for relations, and that no relation is lost by leaving the others out."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cman.config.settings import Rel
from cman.corpora.bio import entities_of
from cman.model.candidates import Candidates

TAGS = ("O", "B-Loc", "I-Loc", "B-Peop", "I-Peop")
sentences = st.lists(st.lists(st.sampled_from(TAGS), max_size=7), min_size=1, max_size=4)


def tensor(rows: list[list[str]]) -> torch.Tensor:
    tags = torch.full((len(rows), max(map(len, rows))), -1)
    for place, row in enumerate(rows):
        tags[place, : len(row)] = torch.tensor([TAGS.index(tag) for tag in row], dtype=torch.int64)
    return tags


def candidates(rows: list[list[str]], **settings: str) -> list[tuple[int, int]]:
    return [(row, token) for row, token in Candidates(TAGS, Rel(**settings))(tensor(rows)).tolist()]


@given(rows=sentences)
def test_every_token_of_an_entity_is_a_candidate_of_any_token_decoding(rows):
    wanted = [
        (place, token)
        for place, row in enumerate(rows)
        for each in entities_of(row)
        for token in range(each.start, each.end)
    ]
    assert candidates(rows, decode="any_token") == wanted


@pytest.mark.parametrize("anchor", ["last", "first"])
@given(rows=sentences)
def test_only_anchors_are_candidates_of_last_token_decoding(anchor, rows):
    wanted = [
        (place, each.end - 1 if anchor == "last" else each.start)
        for place, row in enumerate(rows)
        for each in entities_of(row)
    ]
    assert candidates(rows, decode="last_token", anchor=anchor) == wanted


@pytest.mark.parametrize(("decode", "anchor"), [("any_token", "last"), ("last_token", "last"), ("last_token", "first")])
@pytest.mark.parametrize("params", ["shared", "per_relation"])
def test_links_are_the_cells_of_the_whole_table_between_candidates_above_the_threshold(
    decode, anchor, params, build, batch
):
    model, settings = build({"rel.decode": decode, "rel.anchor": anchor, "rel.params": params, "rel.prior": 0.5})
    torch.manual_seed(1)
    x = torch.randn(*batch.words.shape, 16)
    tags = torch.randint(0, 3, batch.words.shape).masked_fill(
        torch.arange(batch.words.shape[1]) >= batch.lengths.unsqueeze(1), -1
    )
    chosen = model.candidates(tags)
    with torch.no_grad():
        table = model.relations.scores(x, batch.lengths).sigmoid()
        links = model.relations.links(x, batch.lengths, chosen)
    wanted = {}
    for (row, head), (other, tail) in itertools.product(chosen.tolist(), repeat=2):
        for label in range(table.shape[3]):
            value = float(table[row, head, tail, label])
            if row == other and value > settings.rel.threshold:
                wanted[row, head, tail, label] = value
    found = dict(zip(map(tuple, links.cells.tolist()), links.probabilities.tolist(), strict=True))
    assert len(wanted) > 5 and found == pytest.approx(wanted, abs=1e-5)


def test_a_relation_needs_more_than_the_threshold(build, batch):
    model, _ = build({"rel.threshold": 0.3})
    everywhere = (torch.arange(batch.words.shape[1]) < batch.lengths.unsqueeze(1)).nonzero()
    with torch.no_grad():
        torch.nn.init.zeros_(model.relations.V)
        for bias, expected in ((-0.9, 0), (-0.8, int((batch.lengths**2).sum()))):  # probabilities 0.289 and 0.310
            model.relations.bias.fill_(bias)
            links = model.relations.links(torch.randn(*batch.words.shape, 16), batch.lengths, everywhere)
            assert len(links.cells) == expected * model.relations.labels

"""The inputs that all contenders share."""

import torch

from cman.speed.inputs import CrfInputs, PairInputs, make_inputs, sentence
from cman.speed.shapes import Shape


def crf(*sizes: int, seed: int = 0, full: bool = False) -> CrfInputs:
    inputs = make_inputs(Shape("crf", sizes), seed, full=full)
    assert isinstance(inputs, CrfInputs)
    return inputs


def pairs(*sizes: int, seed: int = 0) -> PairInputs:
    inputs = make_inputs(Shape("pairs", sizes), seed)
    assert isinstance(inputs, PairInputs)
    return inputs


def test_equal_seeds_give_equal_inputs_and_others_do_not():
    assert torch.equal(crf(4, 8, 3, seed=1).emissions, crf(4, 8, 3, seed=1).emissions)
    assert not torch.equal(crf(4, 8, 3, seed=1).emissions, crf(4, 8, 3, seed=2).emissions)


def test_lengths_are_from_a_quarter_to_the_whole_and_one_is_the_whole():
    for seed in range(20):
        lengths = crf(5, 40, 3, seed=seed).lengths
        assert lengths.max() == 40
        assert lengths.min() >= 10
    assert len(set(crf(300, 40, 2).lengths.tolist())) == 31


def test_full_sentences_have_no_padding_and_items_are_the_real_tokens_or_pairs():
    assert crf(5, 40, 3, full=True).lengths.tolist() == [40] * 5
    assert pairs(3, 7, 2, 2).lengths.tolist() == [7] * 3
    padded = crf(5, 40, 3)
    assert padded.items == int(padded.mask.sum())
    assert pairs(3, 7, 2, 2).items == 3 * 49
    assert crf(1, 1, 1).lengths.tolist() == [1]
    assert pairs(1, 1, 1, 1).anchors.tolist() == [[0, 0]]


def test_casting_changes_the_floating_point_type_and_leaves_whole_numbers():
    exact = crf(2, 4, 3).cast(torch.float64)
    assert (exact.emissions.dtype, exact.start.dtype) == (torch.float64, torch.float64)
    assert (exact.lengths.dtype, exact.mask.dtype) == (torch.int64, torch.bool)


def test_one_sentence_of_a_batch_keeps_its_own_anchors_and_gold_relations():
    batch = pairs(3, 9, 4, 2)
    one = sentence(batch, 1)
    assert torch.equal(one.a[0], batch.a[1])
    assert one.anchors[:, 1].tolist() == batch.anchors[batch.anchors[:, 0] == 1, 1].tolist()
    assert one.gold[:, 1:].tolist() == batch.gold[batch.gold[:, 0] == 1, 1:].tolist()
    assert (one.anchors[:, 0] == 0).all() and (one.gold[:, 0] == 0).all()

"""The inputs that all contenders share."""

import torch

from cman.speed.inputs import CrfInputs, PairInputs, make_inputs, sentence
from cman.speed.shapes import Shape


def crf(*sizes: int, seed: int = 0, full: bool = False) -> CrfInputs:
    made = make_inputs(Shape("crf", sizes), seed, full=full)
    assert isinstance(made, CrfInputs)
    return made


def pairs(*sizes: int, seed: int = 0) -> PairInputs:
    made = make_inputs(Shape("pairs", sizes), seed)
    assert isinstance(made, PairInputs)
    return made


def test_equal_seeds_give_equal_inputs_and_others_do_not():
    assert torch.equal(crf(4, 8, 3, seed=1).emissions, crf(4, 8, 3, seed=1).emissions)
    assert not torch.equal(crf(4, 8, 3, seed=1).emissions, crf(4, 8, 3, seed=2).emissions)


def test_lengths_are_from_a_quarter_to_the_whole_and_one_is_the_whole():
    for seed in range(20):
        lengths = crf(5, 40, 3, seed=seed).lengths
        assert lengths.max() == 40
        assert lengths.min() >= 10
    assert len(set(crf(300, 40, 2).lengths.tolist())) == 31


def test_full_sentences_have_no_padding():
    assert crf(5, 40, 3, full=True).lengths.tolist() == [40] * 5
    assert pairs(3, 7, 2, 2).lengths.tolist() == [7] * 3


def test_items_are_the_real_tokens_or_pairs():
    made = crf(5, 40, 3)
    assert made.items == int(made.mask.sum())
    assert pairs(3, 7, 2, 2).items == 3 * 49


def test_the_smallest_shapes_can_be_made():
    assert crf(1, 1, 1).lengths.tolist() == [1]
    assert pairs(1, 1, 1, 1).anchors.tolist() == [[0, 0]]


def test_casting_changes_the_floating_point_type_and_leaves_whole_numbers():
    exact = crf(2, 4, 3).cast(torch.float64)
    assert (exact.emissions.dtype, exact.start.dtype) == (torch.float64, torch.float64)
    assert (exact.lengths.dtype, exact.mask.dtype) == (torch.int64, torch.bool)


def test_one_sentence_of_a_batch_keeps_its_own_anchors_and_gold_relations():
    made = pairs(3, 9, 4, 2)
    part = sentence(made, 1)
    assert torch.equal(part.a[0], made.a[1])
    assert part.anchors[:, 1].tolist() == made.anchors[made.anchors[:, 0] == 1, 1].tolist()
    assert part.gold[:, 1:].tolist() == made.gold[made.gold[:, 0] == 1, 1:].tolist()
    assert (part.anchors[:, 0] == 0).all() and (part.gold[:, 0] == 0).all()

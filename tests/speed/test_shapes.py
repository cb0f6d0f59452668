"""Shapes given on the command line."""

import subprocess
import sys

import pytest

from cman.errors import UsageError
from cman.speed.shapes import CRF_SHAPES, LSTM_SHAPES, PAIR_SHAPES, Shape, chosen_shapes, parse_shape


def test_a_shape_is_read_as_its_sizes():
    assert parse_shape("crf", "32,40,9") == Shape("crf", (32, 40, 9))
    assert parse_shape("pairs", "16, 40, 128, 6") == Shape("pairs", (16, 40, 128, 6))
    assert parse_shape("pairs", "16,40,128,6").name == "16x40x128x6"


def test_a_wrong_shape_is_refused_by_the_name_of_its_option():
    for text in ("", "32,40", "32,40,9,1", "32,0,9", "32,-1,9", "32,x,9", "32,4.5,9", "32x40x9", "3,4,²"):
        with pytest.raises(UsageError) as caught:
            parse_shape("crf", text)
        assert str(caught.value) == f"--crf: found {text!r}, wanted 3 whole numbers from 1, B,L,K"
    with pytest.raises(UsageError, match=r"^--pairs: found '32,40,9', wanted 4 whole numbers from 1, B,N,D,R$"):
        parse_shape("pairs", "32,40,9")


def test_without_any_shape_all_nine_are_measured_and_with_one_only_that():
    assert chosen_shapes([], []) == [*CRF_SHAPES, *PAIR_SHAPES, *LSTM_SHAPES]
    assert len(chosen_shapes([], [])) == 9
    assert chosen_shapes([], ["2,3,4,5", "2,3,4,5"]) == [Shape("pairs", (2, 3, 4, 5))]
    assert [shape.kind for shape in chosen_shapes(["2,3,4"], ["2,3,4,5"])] == ["crf", "pairs"]
    assert chosen_shapes([], [], ["8,4,3,2"]) == [Shape("lstm", (8, 4, 3, 2))]


def test_a_wrong_shape_is_told_before_anything_heavy_is_loaded():
    program = "import sys, cman.speed.shapes; print([m for m in ('torch', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "[]"

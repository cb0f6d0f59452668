"""The shapes that the operations are measured at, and how they are written on the command line.

`--crf B,L,K` is a batch of B sentences of up to L tokens with K tags; `--pairs B,N,D,R` a batch of B sentences of up to
N tokens with D hidden units and R relation labels; `--lstm B,L,D,H` a batch of B sentences of L tokens, D numbers
each, for an LSTM with H units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cman.errors import UsageError

Kind = Literal["crf", "pairs", "lstm"]

SIZES: dict[Kind, str] = {"crf": "B,L,K", "pairs": "B,N,D,R", "lstm": "B,L,D,H"}


@dataclass(frozen=True)
class Shape:
    """Sizes of one input: (B, L, K) of a CRF, (B, N, D, R) of the pair scores or (B, L, D, H) of an LSTM."""

    kind: Kind
    sizes: tuple[int, ...]

    @property
    def name(self) -> str:
        """The sizes as the CSV and the figure write them, such as 32x40x9."""
        return "x".join(map(str, self.sizes))


CRF_SHAPES = tuple(Shape("crf", sizes) for sizes in ((32, 40, 9), (256, 64, 9), (256, 128, 17), (32, 512, 32)))
PAIR_SHAPES = tuple(Shape("pairs", sizes) for sizes in ((16, 40, 128, 6), (64, 64, 128, 6), (4, 256, 128, 12)))
LSTM_SHAPES = tuple(Shape("lstm", sizes) for sizes in ((8, 32, 256, 128), (64, 32, 256, 128)))


def parse_shape(kind: Kind, text: str) -> Shape:
    """Return the shape that the value of `--crf`, `--pairs` or `--lstm` says.

    Raises:
        UsageError: it is not the right number of whole numbers from 1.
    """
    sizes, count = text.split(","), SIZES[kind].count(",") + 1
    if len(sizes) != count or not all(size.strip().isdecimal() and int(size) > 0 for size in sizes):
        raise UsageError(f"--{kind}: found {text!r}, wanted {count} whole numbers from 1, {SIZES[kind]}")
    return Shape(kind, tuple(int(size) for size in sizes))


def chosen_shapes(crf: Sequence[str], pairs: Sequence[str], lstm: Sequence[str] = ()) -> list[Shape]:
    """Return the shapes given on the command line; if none is given at all, the nine that are always measured."""
    given: dict[Kind, Sequence[str]] = {"crf": crf, "pairs": pairs, "lstm": lstm}
    shapes = [parse_shape(kind, text) for kind, texts in given.items() for text in texts]
    return list(dict.fromkeys(shapes)) or [*CRF_SHAPES, *PAIR_SHAPES, *LSTM_SHAPES]

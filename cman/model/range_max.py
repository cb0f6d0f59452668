"""Maxima of token vectors over ranges, by a doubling table: two look-ups a range, whatever its length.

Level k of the table holds the maxima over windows of 2^k tokens. A range of n tokens is covered by the two windows of
the largest 2^k <= n at its ends; that they overlap does not matter to a maximum.
"""

import torch
from torch import Tensor


def range_maxima(x: Tensor, sentence: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Return the maximum over tokens start to end - 1 of a sentence for each of M ranges; differentiable.

    Args:
        x: (B, L, D).
        sentence, start, end: (M,); no range is empty.

    Returns:
        (M, D)
    """
    if not len(start):
        return x.new_zeros(0, x.shape[2])
    lengths = end - start
    level = torch.floor(torch.log2(lengths.double())).long()
    table = [x]
    for doubling in range(int(level.max())):
        width = 2**doubling
        longer = torch.maximum(table[-1][:, :-width], table[-1][:, width:])
        table.append(torch.nn.functional.pad(longer, (0, 0, 0, width)))  # past the end nothing is ever looked up
    windows = torch.stack(table)  # (levels, B, L, D)
    left, right = windows[level, sentence, start], windows[level, sentence, end - 2**level]
    return torch.maximum(left, right)

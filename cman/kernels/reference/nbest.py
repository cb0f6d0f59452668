"""The n best paths of a linear-chain CRF: Viterbi with n candidates for each tag instead of one."""

import torch
from torch import Tensor

from cman.kernels.reference.messages import Crf, step


def decode_nbest(crf: Crf, nbest: int) -> tuple[Tensor, Tensor]:
    """Return tags (B, nbest, L) and scores (B, nbest), best first; see `crf_decode`.

    The best n paths into a tag go through the best n paths into some tag before it, so n candidates a tag are enough.
    """
    emissions, transitions, start, end, lengths = crf
    batch, length, tags = emissions.shape
    forbidden = float("-inf")
    if length == 0:
        scores = emissions.new_full((batch, nbest), forbidden)
        scores[:, 0] = 0
        return lengths.new_empty((batch, nbest, 0)), scores
    best = emissions.new_full((batch, nbest, tags), forbidden)  # of the paths that end in each tag
    best[:, 0] = start + emissions[:, 0]
    stay = torch.arange(nbest * tags, device=emissions.device).view(nbest, tags).expand(batch, nbest, tags)
    pointers = [stay]  # (B, n, K): index n' * K + k' of the candidate before
    for t in range(1, length):
        moves = step(transitions, t)  # (K, K) or (B, K, K)
        moved = best.unsqueeze(3) + (moves if moves.dim() == 2 else moves.unsqueeze(1))  # (B, n, K, K)
        scores, indices = moved.flatten(1, 2).topk(nbest, 1)  # (B, n, K)
        going_on = (t < lengths)[:, None, None]
        best = torch.where(going_on, scores + emissions[:, t].unsqueeze(1), best)
        pointers.append(torch.where(going_on, indices, stay))
    scores, index = (best + end).flatten(1).topk(min(nbest, nbest * tags), 1)
    path = lengths.new_empty((batch, nbest, length))
    for t in range(length - 1, -1, -1):
        path[:, :, t] = index % tags
        index = pointers[t].flatten(1).gather(1, index)
    empty = lengths == 0
    scores = scores.masked_fill(empty.unsqueeze(1), forbidden)
    scores[:, 0] = scores[:, 0].masked_fill(empty, 0)
    outside = torch.arange(length, device=emissions.device) >= lengths.unsqueeze(1)
    return path.masked_fill(outside.unsqueeze(1) | (scores == forbidden).unsqueeze(2), -1), scores

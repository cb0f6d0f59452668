"""Which tokens may be ends of a relation, told from decoded tags: no others are scored at inference.

A relation whose end lies in no predicted entity is never reported, so its score need not be known. With `rel.decode:
any_token` every token of an entity is a candidate; with `last_token` only the one that `rel.anchor` names.
"""

import torch
from torch import Tensor

from cman.config.settings import Rel


class Candidates:
    """Finds candidates of batches of tags.

    Args:
        tags: the tag set, in the order of the ids, `O` first.
    """

    def __init__(self, tags: tuple[str, ...], settings: Rel) -> None:
        self.settings = settings
        ids = {tag: index for index, tag in enumerate(tags)}
        # The tag that continues the entity of a token with this tag: I of the same type; -2, which no token has, for O.
        self.onward = torch.tensor([ids.get(f"I-{tag.partition('-')[2]}", -2) for tag in tags])

    def __call__(self, tags: Tensor) -> Tensor:
        """Return the candidates' (sentence, token), (M, 2), sorted; `tags` is (B, L) with -1 in the padding."""
        inside = tags > 0
        if self.settings.decode == "any_token":
            return inside.nonzero()
        onward = self.onward.to(tags.device)[tags.clamp(min=0)]  # (B, L)
        goes_on = torch.zeros_like(inside)  # does the next token continue this one's entity?
        goes_on[:, :-1] = tags[:, 1:] == onward[:, :-1]
        if self.settings.anchor == "last":
            return (inside & ~goes_on).nonzero()
        continued = torch.zeros_like(inside)
        continued[:, 1:] = goes_on[:, :-1]
        return (inside & ~continued).nonzero()

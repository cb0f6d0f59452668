"""Multi-head attention and the two basic units built on it: BSA (equation 8) and BLA (equations 12 and 14).

BSA lets each token look at all tokens of its sentence; BLA lets each token look at all labels of its sentence, whose
contribution the label gate (equations 10 and 11) controls. Equation 7 prints LayerNorm(T + Q).
"""

import torch
from torch import Tensor, nn

from cman.config.settings import Attention, Settings
from cman.model.dropout import Dropout
from cman.model.label_gate import LabelGate
from cman.model.linear import Linear
from cman.model.recurrent import Recurrent


class MultiHeadAttention(nn.Module):
    """Equations 4-7: LayerNorm(T + Q), with a projection of Q where its size is not the model's.

    Args:
        query: size of the queries.
        model: size of the keys, the values and the output; `settings.heads` must divide it.
    """

    def __init__(self, query: int, model: int, settings: Attention) -> None:
        super().__init__()
        if model % settings.heads:
            raise ValueError(f"attn.heads: got {settings.heads}, wanted a divisor of the model's size {model}")
        self.heads = settings.heads
        self.scale = (model // settings.heads if settings.scale == "head" else model) ** -0.5
        self.query = Linear(query, model, bias=False)
        self.key = Linear(model, model, bias=False)
        self.value = Linear(model, model, bias=False)
        self.out = Linear(model, model, bias=False)
        project = settings.residual_proj == "always" or query != model
        self.residual = Linear(query, model, bias=False) if project else nn.Identity()
        self.norm = nn.LayerNorm(model)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """Attend from `query` (B, L, Q) to `memory` (B, L, D) where `mask` (B, L) is true; return (B, L, D)."""
        q, k, v = (self._split(x) for x in (self.query(query), self.key(memory), self.value(memory)))
        attended = nn.functional.scaled_dot_product_attention(q, k, v, mask[:, None, None, :], scale=self.scale)
        joined = self.out(attended.transpose(1, 2).flatten(2))  # equation 6
        result: Tensor = self.norm(joined + self.residual(query))
        return result

    def _split(self, x: Tensor) -> Tensor:  # (B, L, D) -> (B, heads, L, D / heads)
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class BSA(nn.Module):
    """BiLSTM-enhanced self-attention: H = BiLSTM(X), then attention of H to itself."""

    def __init__(self, size: int, settings: Settings) -> None:
        super().__init__()
        width = 2 * settings.lstm.hidden
        self.recurrent = Recurrent(size, settings.lstm.hidden, settings.lstm)
        self.dropout = Dropout(settings.dropout.recurrent)
        self.attention = MultiHeadAttention(width, width, settings.attn) if settings.bsa.self_attention else None

    def forward(self, x: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        h: Tensor = self.dropout(self.recurrent(x, lengths))
        return h if self.attention is None else self.attention(h, h, mask)


class BLA(nn.Module):
    """BiLSTM-enhanced label-attention: from tokens to gated, BiLSTM-encoded labels.

    The label BiLSTM and the gate are given, because two units may share them (`bla.share_label_lstm`, `gate.shared`).
    """

    def __init__(self, query: int, encoder: "LabelEncoder", gate: LabelGate | None, settings: Settings) -> None:
        super().__init__()
        self.encoder, self.gate = encoder, gate
        self.gate_by_query = settings.gate.source == "query"
        self.attention = MultiHeadAttention(query, 2 * settings.lstm.hidden, settings.attn)

    def forward(self, query: Tensor, self_aware: Tensor, labels: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        """Return label-aware tokens (B, L, 2d).

        Args:
            query: (B, L, 2d) token features that attend.
            self_aware: (B, L, 2d) the features X^m that open the gate.
            labels: (B, L, d_l) label embeddings.
        """
        encoded = self.encoder(labels, lengths)  # (B, L, 2d)
        if self.gate is not None:
            encoded = self.gate(query if self.gate_by_query else self_aware, encoded)
        result: Tensor = self.attention(query, encoded, mask)
        return result


class LabelEncoder(nn.Module):
    """BiLSTM over label embeddings, (B, L, d_l) -> (B, L, 2d), with the dropout of every recurrent output."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.recurrent = Recurrent(settings.label.emb, settings.lstm.hidden, settings.lstm)
        self.dropout = Dropout(settings.dropout.recurrent)

    def forward(self, labels: Tensor, lengths: Tensor) -> Tensor:
        result: Tensor = self.dropout(self.recurrent(labels, lengths))
        return result


def token_mask(lengths: Tensor, longest: int) -> Tensor:
    """Return (B, L), true at tokens and false in the padding."""
    return torch.arange(longest, device=lengths.device) < lengths.unsqueeze(1)

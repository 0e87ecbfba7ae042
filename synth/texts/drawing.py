"""How the texts of one block are drawn: piece after piece, by inverse CDF, nothing copied at length.

Each row has one uniform number for each piece. Among the most likely pieces that reach `top_p` together, the row's
number picks one; where it would go on a run that a train text has, it is left out and the same number picks again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synth.models.text_pretrained import Pretrained
from synth.models.text_writer import Writer
from synth.texts.copies import Copies
from synth.texts.model_folder import Vocabulary
from synth.texts.pieces import Pieces

Numbers = NDArray[np.float64]


class Drawing:
    """Draws blocks of texts from a fitted writer."""

    def __init__(
        self, writer: Writer | Pretrained, pieces: Pieces | Vocabulary, allowed: Tensor, copies: Copies, top_p: float
    ) -> None:
        """`allowed` bool (pieces + 1,): nothing else is ever drawn."""
        self.writer, self.pieces, self.copies, self.top_p = writer, pieces, copies, top_p
        self.end = len(pieces)
        self.barred = torch.where(allowed, 0.0, -torch.inf)
        blank = torch.tensor([not pieces.decode([piece]).strip() for piece in range(len(pieces))] + [True])
        self.barred_first = self.barred.masked_fill(blank, -torch.inf)  # so that no text is empty

    def texts(self, told: Tensor, uniforms: Numbers, temperature: float) -> list[str]:
        """A text as each vector tells (B, W), by the uniform numbers float64 (B, context)."""
        memory: Any = self.writer.begin(told)
        written, last = [b""] * len(told), None
        is_over = np.zeros(len(told), bool)
        for at in range(self.writer.shape.context):
            logits = self.writer.next(memory, last) / temperature + (self.barred if at else self.barred_first)
            chances, order = logits.double().softmax(1).sort(dim=1, descending=True, stable=True)
            chosen = np.full(len(told), self.end)
            for row in np.flatnonzero(~is_over):
                piece = self._chosen(chances[row].numpy(), order[row].numpy(), uniforms[row, at], written[row])
                chosen[row] = piece
                is_over[row] = piece == self.end
                written[row] += b"" if piece == self.end else self.pieces.written[piece]
            if is_over.all():
                break
            last = torch.from_numpy(chosen)
        return [text.decode("utf-8", "ignore").strip() for text in written]

    def _chosen(self, chances: Numbers, order: NDArray[np.int64], uniform: float, before: bytes) -> int:
        """The piece that the uniform number picks; chances fall, `order` names their pieces."""
        there = int((chances > 0).sum())
        kept = min(there, int(np.searchsorted(np.cumsum(chances), self.top_p)) + 1)
        left = chances[:kept].copy()
        while left.any():
            sums = np.cumsum(left)
            place = min(int(np.searchsorted(sums, uniform * sums[-1], side="right")), kept - 1)
            if self._may_be(before, int(order[place])):
                return int(order[place])
            left[place] = 0.0
        rest = (int(piece) for piece in order[kept:there] if self._may_be(before, int(piece)))
        return next(rest, self.end)

    def _may_be(self, before: bytes, piece: int) -> bool:
        """Whether a text may go on with a piece: neither a run nor the whole is a train text's."""
        if piece == self.end:
            return not self.copies.has_whole(before.decode("utf-8", "ignore"))
        return not self.copies.has_run(before, self.pieces.written[piece])

"""Codes between neighbours of one label: what generators that interpolate share (SMOTE of Chawla et al. 2002, moved
into a latent as by DeVries, Taylor 2017).

The codes of the train rows (the first `stored` of them) are kept, and each new code lies between one of them and one of
its nearest neighbours of the same label.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from synth.models import Sums

DRAWS = 3  # columns of noise: which row, which neighbour, how far between


class Between(nn.Module):
    """Codes of train rows, sorted by label; before these are known, codes are N(0, I)."""

    codes: Tensor
    near: Tensor
    first: Tensor
    count: Tensor

    def __init__(self, labels: int, width: int, stored: int, neighbours: int, furthest: float) -> None:
        """`furthest` is how far towards the neighbour a code may lie; 1 = as far as the neighbour itself."""
        super().__init__()
        self.stored, self.neighbours, self.furthest = stored, neighbours, furthest
        self.noise_width = max(DRAWS, width)
        self.register_buffer("codes", torch.zeros(stored, width))
        self.register_buffer("near", torch.zeros(stored, neighbours, dtype=torch.int64))  # places in codes
        self.register_buffer("first", torch.zeros(labels, dtype=torch.int64))  # place of each label's first code
        self.register_buffer("count", torch.zeros(labels, dtype=torch.int64))  # 0 = unknown as yet

    def tabled(self, codes: Tensor, label: Tensor, index: Tensor) -> Sums:
        """Write each early row's code into its own slot of a table: tables of several batches add up to the whole."""
        early = index < self.stored
        table = torch.zeros(self.stored, 1 + codes.shape[1], dtype=torch.float64, device=label.device)
        table[index[early], 0] = label[early].double() + 1  # 0 = empty slot
        table[index[early], 1:] = codes[early]
        return {"table": table}

    def update(self, sums: Sums) -> bool:
        """Sort the codes by label and find their neighbours: the only round."""
        label, codes = sums["table"][:, 0].long() - 1, sums["table"][:, 1:]
        at = 0
        for each in range(len(self.count)):
            mine = codes[label == each]
            self.first[each], self.count[each] = at, len(mine)
            if len(mine):
                self.codes[at : at + len(mine)] = mine.to(self.codes.dtype)
                self.near[at : at + len(mine)] = at + nearest(mine, self.neighbours)
            at += len(mine)
        return True

    def draw(self, noise: Tensor, condition: Tensor, temperature: float = 1.0) -> Tensor:
        """Codes (N, width) of these labels; labels without codes get N(0, I)."""
        known = (self.count[condition] > 0)[:, None]
        free = temperature * noise[:, : self.codes.shape[1]]
        return torch.where(known, self._between(noise, condition, temperature), free)

    def _between(self, noise: Tensor, condition: Tensor, temperature: float) -> Tensor:
        uniform = torch.special.ndtr(noise[:, :DRAWS].double())
        count = self.count[condition]
        row = self.first[condition] + torch.minimum((uniform[:, 0] * count).long(), (count - 1).clamp_min(0))
        choice = (uniform[:, 1] * self.neighbours).long().clamp_max(self.neighbours - 1)
        share = (temperature * self.furthest * uniform[:, 2:]).to(self.codes.dtype)
        return torch.lerp(self.codes[row], self.codes[self.near[row, choice]], share)


def nearest(rows: Tensor, neighbours: int) -> Tensor:
    """Places of each row's nearest others (N, neighbours); repeated where there are fewer, itself where it is alone."""
    distance = torch.cdist(rows, rows)
    distance.fill_diagonal_(torch.inf)
    found = min(neighbours, max(1, len(rows) - 1))
    places = distance.topk(found, largest=False).indices
    return places.repeat(1, -(-neighbours // found))[:, :neighbours]

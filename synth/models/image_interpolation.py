"""Rows between neighbours of one label, in the latent of a variational autoencoder (SMOTE of Chawla et al. 2002, moved
into a latent as by DeVries, Taylor 2017).

After training, the codes of the train rows (the first `stored_rows` of them) are kept in the checkpoint, and each made
row lies between one of them and one of its nearest neighbours of the same label. What is gained is rows that stay near
real ones; what is given up is variety beyond them, and that checkpoints hold codes of real rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from synth.models import Batch, Phase, Sums
from synth.models.autoencoder import Autoencoder, AutoencoderConfig

DRAWS = 3  # columns of noise: which row, which neighbour, how far between


@dataclass(frozen=True)
class Config(AutoencoderConfig):
    """The autoencoder's, and how neighbours are joined."""

    stored_rows: int = 8192
    neighbours: int = 5
    furthest: float = 0.8  # towards the neighbour; 1 = as far as the neighbour itself


PRESETS = {"standard": Config()}


def build(config: Config, channels: int, height: int, width: int, labels: int) -> ImageInterpolation:
    """Make an untrained autoencoder for images of this size."""
    return ImageInterpolation(config, (channels, height, width), labels)


class ImageInterpolation(nn.Module):
    """An autoencoder and codes of train rows, sorted by label; before these are known, codes are N(0, I)."""

    balanced = False

    codes: Tensor
    near: Tensor
    first: Tensor
    count: Tensor

    def __init__(self, config: Config, shape: tuple[int, int, int], labels: int) -> None:
        super().__init__()
        self.config, self.average_decay = config, config.average_decay
        self.autoencoder = Autoencoder(config, shape, labels)
        self.noise_width = max(DRAWS, config.latent)
        stored = config.stored_rows
        self.register_buffer("codes", torch.zeros(stored, config.latent))
        self.register_buffer("near", torch.zeros(stored, config.neighbours, dtype=torch.int64))  # places in codes
        self.register_buffer("first", torch.zeros(labels, dtype=torch.int64))  # place of each label's first code
        self.register_buffer("count", torch.zeros(labels, dtype=torch.int64))  # 0 = unknown as yet

    def phases(self) -> list[Phase]:
        """One."""
        return [self.autoencoder.phase()]

    def accumulate(self, batch: Batch) -> Sums:
        """Write each early row's code into its own slot of a table: tables of several batches add up to the whole."""
        early = batch["index"] < self.config.stored_rows
        index, label = batch["index"][early], batch["label"][early]
        table = torch.zeros(self.config.stored_rows, 1 + self.config.latent, dtype=torch.float64, device=label.device)
        table[index, 0] = label.double() + 1  # 0 = empty slot
        table[index, 1:] = self.autoencoder.encode(batch["image"][early], label)
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
                self.near[at : at + len(mine)] = at + nearest(mine, self.config.neighbours)
            at += len(mine)
        return True

    def sample(self, noise: Tensor, condition: Tensor, temperature: float = 1.0) -> Tensor:
        """Make images; labels without codes get N(0, I)."""
        known = (self.count[condition] > 0)[:, None]
        free = temperature * noise[:, : self.config.latent]
        code = torch.where(known, self._between(noise, condition, temperature), free)
        return self.autoencoder.decode(code, condition)

    def _between(self, noise: Tensor, condition: Tensor, temperature: float) -> Tensor:
        uniform = torch.special.ndtr(noise[:, :DRAWS].double())
        count = self.count[condition]
        row = self.first[condition] + torch.minimum((uniform[:, 0] * count).long(), (count - 1).clamp_min(0))
        choice = (uniform[:, 1] * self.config.neighbours).long().clamp_max(self.config.neighbours - 1)
        share = (temperature * self.config.furthest * uniform[:, 2:]).to(self.codes.dtype)
        return torch.lerp(self.codes[row], self.codes[self.near[row, choice]], share)


def nearest(rows: Tensor, neighbours: int) -> Tensor:
    """Places of each row's nearest others (N, neighbours); repeated where there are fewer, itself where it is alone."""
    distance = torch.cdist(rows, rows)
    distance.fill_diagonal_(torch.inf)
    found = min(neighbours, max(1, len(rows) - 1))
    places = distance.topk(found, largest=False).indices
    return places.repeat(1, -(-neighbours // found))[:, :neighbours]

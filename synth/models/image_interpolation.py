"""Rows between neighbours of one label, in the latent of a variational autoencoder.

After training, the codes of the train rows (the first `stored_rows` of them) are kept in the checkpoint, and each made
row lies between one of them and one of its nearest neighbours of the same label. What is gained is rows that stay near
real ones; what is given up is variety beyond them, and that checkpoints hold codes of real rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from synth.models import Batch, Phase, Sums
from synth.models.autoencoder import Autoencoder, AutoencoderConfig
from synth.models.between import Between


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


class ImageInterpolation(Between):
    """An autoencoder and codes of train rows."""

    balanced = False

    def __init__(self, config: Config, shape: tuple[int, int, int], labels: int) -> None:
        super().__init__(labels, config.latent, config.stored_rows, config.neighbours, config.furthest)
        self.config, self.average_decay = config, config.average_decay
        self.autoencoder = Autoencoder(config, shape, labels)

    def phases(self) -> list[Phase]:
        """One."""
        return [self.autoencoder.phase()]

    def accumulate(self, batch: Batch) -> Sums:
        """The codes of a batch, as their neighbours are found from."""
        codes = self.autoencoder.encode(batch["image"], batch["label"])
        return self.tabled(codes, batch["label"], batch["index"])

    def sample(self, noise: Tensor, condition: Tensor, temperature: float = 1.0) -> Tensor:
        """Make images."""
        return self.autoencoder.decode(self.draw(noise, condition, temperature), condition)

"""A variational autoencoder of texts, given their label: a code for each text, and a writer that tells a text from it.

Codes to write from come from one of three places, `codes`: a mixture of normal distributions for each label, fitted
after the training to the codes of the train rows (`mixture`); between the codes of two train rows of one label that are
near each other (`between`), which are then part of the checkpoint; or the standard normal distribution (`prior`), which
codes of so few texts follow least.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from synth.models import Batch, Phase, Sums
from synth.models.between import Between
from synth.models.gaussian_mixture import GaussianMixture, MixtureConfig
from synth.models.text_autoencoder import Autoencoder, AutoencoderConfig
from synth.models.text_writer import Shape, Writer, check


@dataclass(frozen=True)
class Config(AutoencoderConfig):
    """The autoencoder's, and where codes to write from come from."""

    codes: Literal["mixture", "between", "prior"] = "mixture"
    mixture: MixtureConfig = field(default_factory=lambda: MixtureConfig(components_per_label=20, prior_rows=5.0))
    stored_rows: int = 8192
    neighbours: int = 5
    furthest: float = 1.0  # towards the neighbour; 1 = as far as the neighbour itself


PRESETS = {
    "standard": Config(),
    "between": Config(codes="between"),
    "fast": Config(layers=1, least_steps=250, epochs=12.0),
}


def build(config: Config, shape: Shape) -> TextVae:
    """Make an untrained model. Raises ValueError for sizes that do not go together."""
    check(config)
    return TextVae(config, shape)


class TextVae(nn.Module):
    """An autoencoder, and what draws its codes; before that is fitted, codes are N(0, I)."""

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.config, self.average_decay, self.balanced = config, config.average_decay, config.balanced
        self.autoencoder = Autoencoder(config, shape)
        self.drawn: GaussianMixture | Between | None = None
        self.noise_width = config.code
        if config.codes == "mixture":
            self.drawn = GaussianMixture(config.mixture, shape.labels, config.code)
        elif config.codes == "between":
            kept = (config.stored_rows, config.neighbours, config.furthest)
            self.drawn = Between(shape.labels, config.code, *kept)
        if self.drawn is not None:
            self.noise_width = self.drawn.noise_width

    @property
    def writer(self) -> Writer:
        """Who writes."""
        return self.autoencoder

    def phases(self) -> list[Phase]:
        """One."""
        return [self.autoencoder.phase()]

    def accumulate(self, batch: Batch) -> Sums:
        """Sum over the codes of a batch what drawing needs."""
        if self.drawn is None:
            return {}
        codes = self.autoencoder.encode(batch["tokens"], batch["label"])
        add = self.drawn.tabled if isinstance(self.drawn, Between) else self.drawn.accumulate
        return add(codes, batch["label"], batch["index"])

    def update(self, sums: Sums) -> bool:
        """Finish a round of fitting what draws codes."""
        return self.drawn is None or self.drawn.update(sums)

    def told(self, label: Tensor, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """What texts are to be (B, W), by labels (B,) and standard normal noise (B, noise_width)."""
        code = temperature * noise if self.drawn is None else self.drawn.draw(noise, label, temperature)
        return self.autoencoder.told(label, code.float())

    def held_out(self, batch: Batch) -> float:
        """Nats by which a piece of these texts surprises who knows its code."""
        return self.autoencoder.held_out(batch)

    def variety(self, batch: Batch) -> float:
        """Codes are drawn as the train rows' are: 1."""
        return 1.0

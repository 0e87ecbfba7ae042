"""A class-conditional variational autoencoder (Kingma, Welling 2014; Sohn, Lee, Yan 2015).

Trained on reconstruction plus a KL term that warms up (Bowman et al. 2016), so that the latent is used before it is
tidied. The codes of one label's rows are then not N(0, I): after training, a Gaussian mixture over them is fitted for
each label by sums, and sampling draws from that (Dai, Wipf 2019, §4; Ghosh et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from synth.models import Batch, Phase, Sums
from synth.models.autoencoder import Autoencoder, AutoencoderConfig
from synth.models.gaussian_mixture import GaussianMixture, MixtureConfig


@dataclass(frozen=True)
class Config(AutoencoderConfig):
    """The autoencoder's, and that of the mixture over its codes."""

    mixture: MixtureConfig = field(default_factory=lambda: MixtureConfig(components_per_label=20, prior_rows=5.0))


PRESETS = {"standard": Config()}


def build(config: Config, channels: int, height: int, width: int, labels: int) -> ImageVae:
    """Make an untrained autoencoder for images of this size."""
    return ImageVae(config, (channels, height, width), labels)


class ImageVae(nn.Module):
    """An autoencoder, and a mixture per label over its codes; before that is fitted, codes are N(0, I)."""

    balanced = False

    def __init__(self, config: Config, shape: tuple[int, int, int], labels: int) -> None:
        super().__init__()
        self.average_decay = config.average_decay
        self.autoencoder = Autoencoder(config, shape, labels)
        self.mixture = GaussianMixture(config.mixture, labels, config.latent)
        self.noise_width = self.mixture.noise_width

    def phases(self) -> list[Phase]:
        """One."""
        return [self.autoencoder.phase()]

    def accumulate(self, batch: Batch) -> Sums:
        """Sum over the codes of a batch what the mixture needs."""
        return self.mixture.accumulate(
            self.autoencoder.encode(batch["image"], batch["label"]), batch["label"], batch["index"]
        )

    def update(self, sums: Sums) -> bool:
        """Finish a round of fitting the mixture."""
        return self.mixture.update(sums)

    def sample(self, noise: Tensor, condition: Tensor, temperature: float = 1.0) -> Tensor:
        """Make images."""
        return self.autoencoder.decode(self.mixture.draw(noise, condition, temperature), condition)

    def reconstruct(self, image: Tensor, label: Tensor) -> Tensor:
        """Encode and decode images (N, C, H, W); their distance to the originals is the reconstruction error."""
        return self.autoencoder.decode(self.autoencoder.encode(image, label), label)

"""A class-conditional variational autoencoder: what `image_vae` and `image_interpolation` share.

The decoder's variance is the one that fits best (Rybkin, Daniilidis, Levine 2021), so that reconstruction and KL term
balance themselves whatever the images' size and contrast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.models import Batch, Phase
from synth.models.generators import LABEL_WIDTH, MAX_CHANNELS, SLOPE, ModulatedGenerator, doublings

MIN_MSE = 1e-5  # on the scale of [-1, 1]: a decoder that fits better than this gains nothing by it


@dataclass(frozen=True)
class AutoencoderConfig:
    """Architecture, losses, and the training that they want."""

    latent: int = 24
    channels: int = 32  # at half the image's size, doubled at each halving
    hidden: int = 256
    kl_weight: float = 1.0  # after its warm-up
    warm_up: float = 0.3  # share of the steps over which the KL term grows to its full weight
    learning_rate: float = 2e-3
    decay: float = 0.5
    average_decay: float = 0.995
    max_steps: int = 2000
    batch_size: int = 128


class Encoder(nn.Module):
    """Image and label to mean and log variance of the latent."""

    def __init__(self, shape: tuple[int, int, int], labels: int, latent: int, channels: int, hidden: int) -> None:
        super().__init__()
        times = max(1, doublings(*shape[1:]))
        layers: list[nn.Module] = []
        before, (height, width) = shape[0], shape[1:]
        for step in range(times):
            after = min(channels << step, MAX_CHANNELS)
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(SLOPE)]
            before, height, width = after, height // 2, width // 2
        self.maps = nn.Sequential(*layers, nn.Flatten())
        self.embed = nn.Embedding(labels, LABEL_WIDTH)
        self.dense = nn.Linear(before * height * width + LABEL_WIDTH, hidden)
        self.latent = nn.Linear(hidden, 2 * latent)

    def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W), (N,) -> mean and log variance, both (N, latent)."""
        seen = torch.cat([self.maps(image), self.embed(label)], 1)
        mean, log_variance = self.latent(functional.leaky_relu(self.dense(seen), SLOPE)).chunk(2, 1)
        return mean, log_variance.clamp(-10, 4)


class Autoencoder(nn.Module):
    """Encoder and decoder."""

    def __init__(self, config: AutoencoderConfig, shape: tuple[int, int, int], labels: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(shape, labels, config.latent, config.channels, config.hidden)
        self.decoder = ModulatedGenerator(shape, labels, config.latent, config.channels)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The negative evidence lower bound per pixel (Kingma, Welling 2014, equation 3), its KL term warmed up."""
        image, label = batch["image"], batch["label"]
        mean, log_variance = self.encoder(image, label)
        noise = torch.randn(mean.shape).to(mean.device)
        mse = (self.decoder(mean + (log_variance / 2).exp() * noise, label) - image).square().mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        pixels = math.prod(image.shape[1:])
        warmth = (batch["progress"] / self.config.warm_up).clamp(max=1) if self.config.warm_up else 1.0
        loss = 0.5 * mse.clamp_min(MIN_MSE).log() + warmth * self.config.kl_weight * kl / pixels
        return {"loss": loss, "mse": mse, "kl": kl}

    def phase(self) -> Phase:
        """The one phase of its training."""
        return Phase("autoencoder", self, self.config.learning_rate, decay=self.config.decay)

    @torch.no_grad()
    def encode(self, image: Tensor, label: Tensor) -> Tensor:
        """The mean code of each row, (N, latent) float64."""
        return self.encoder(image, label)[0].double()

    @torch.no_grad()
    def decode(self, code: Tensor, label: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1]."""
        return self.decoder(code.to(self.decoder.dense.weight.dtype), label)

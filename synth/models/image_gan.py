"""A class-conditional generative adversarial network (Goodfellow et al. 2014), from 8 to 128 px.

Two presets: `hinge`, the good one, and `dcgan`, the classic (Radford, Metz, Chintala 2016), kept as a yardstick.
What makes `hinge` cover its labels in few steps: noise and label modulate every normalisation of the generator; the
critic sees how rows of one label differ within its batch, so that it can tell too little variety, and a diversity
term tells the generator the same without a detour; the critic also learns to recognise labels, and the generator to
be recognised; and rows are augmented by chance, so that few real ones last longer.

Depth follows from size: rows are halved until 4 to 7 pixels are left. Normalisation never looks across rows when
sampling: group norm in `hinge`, running statistics of batch norm in `dcgan`. Random draws come from torch's global
CPU generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth.models import Batch, Phase
from synth.models.critics import Critic, without_gradients
from synth.models.diff_augment import augmented
from synth.models.generators import ClassicGenerator, ModulatedGenerator
from synth.models.losses import critic_loss, diversity_loss, generator_loss, gradient_penalty

Loss = Literal["minimax", "non_saturating", "hinge", "wgan_gp"]


@dataclass(frozen=True)
class Config:
    """Architecture, losses, and the training that they want."""

    loss: Loss = "hinge"
    architecture: Literal["modulated", "classic"] = "modulated"
    noise_width: int = 64
    generator_channels: int = 48  # at half the image's size, doubled at each halving; classic: at a quarter
    critic_channels: int = 32  # at half the image's size, doubled at each halving
    augment_chance: float = 0.5  # of each row the critic sees; few real rows need more of it, many learn slower with it
    diversity: float = 1.0  # weight of the diversity term
    recognition: float = 0.3  # weight, for the generator, of being recognised (Odena, Olah, Shlens 2017)
    gradient_penalty: float = 10.0  # weight, for wgan_gp (Gulrajani et al. 2017)
    critic_repeats: int = 1
    learning_rate: float = 1e-3
    critic_learning_rate: float = 1e-3
    beta1: float = 0.0
    beta2: float = 0.99
    decay: float = 0.3
    average_decay: float = 0.998
    max_steps: int = 3000
    batch_size: int = 100


PRESETS = {
    "hinge": Config(),
    "dcgan": Config(
        loss="non_saturating", architecture="classic", noise_width=100, generator_channels=256, critic_channels=64,
        augment_chance=0.0, diversity=0.0, recognition=0.0, learning_rate=2e-4, critic_learning_rate=2e-4, beta1=0.5,
        beta2=0.999, decay=0.0, average_decay=0.0,
    ),
    "wgan_gp": Config(loss="wgan_gp", critic_repeats=3, diversity=0.0, learning_rate=2e-4, critic_learning_rate=2e-4),
}  # fmt: skip


def build(config: Config, channels: int, height: int, width: int, labels: int) -> ImageGan:
    """Make an untrained network for images of this size."""
    return ImageGan(config, channels, height, width, labels)


class ImageGan(nn.Module):
    """Generator and critic."""

    balanced = True

    def __init__(self, config: Config, channels: int, height: int, width: int, labels: int) -> None:
        super().__init__()
        self.config, self.noise_width, self.average_decay = config, config.noise_width, config.average_decay
        classic = config.architecture == "classic"
        shape = (channels, height, width)
        sizes = (config.noise_width, config.generator_channels)
        self.generator = (ClassicGenerator if classic else ModulatedGenerator)(shape, labels, *sizes)
        lipschitz = not classic and config.loss != "wgan_gp"  # the penalty does what spectral norm does
        self.critic = Critic(
            shape,
            labels,
            config.critic_channels,
            spectral=lipschitz,
            spread=lipschitz,
            dropout=0.3 if classic else 0.0,
            halvings=2 if classic else None,
        )

    def phases(self) -> list[Phase]:
        """Critic, then generator."""
        config = self.config
        betas = (config.beta1, config.beta2)
        critic = CriticStep(self.critic, self.generator, config)
        generator = GeneratorStep(self.generator, self.critic, config)
        return [
            Phase("critic", critic, config.critic_learning_rate, betas, 0.0, config.critic_repeats, config.decay),
            Phase("generator", generator, config.learning_rate, betas, decay=config.decay),
        ]

    @torch.no_grad()
    def sample(self, noise: Tensor, condition: Tensor, temperature: float = 1.0) -> Tensor:
        """Make images; puts the model in evaluation mode."""
        self.eval()
        return self.generator(temperature * noise, condition)


class CriticStep(nn.Module):
    """The critic's loss; the generator is reached outside the module tree."""

    def __init__(self, critic: Critic, generator: nn.Module, config: Config) -> None:
        super().__init__()
        self.critic, self.config = critic, config
        self.others = (generator,)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        label = batch["label"]
        with torch.no_grad():
            fake = made(self.others[0], self.config, label)
        rows = augmented(torch.cat([batch["image"], fake]), self.config.augment_chance)
        scores, logits = self.critic(rows, torch.cat([label, label]), groups=2)
        real_score, fake_score = scores.chunk(2)
        told = {"real_score": real_score.mean(), "fake_score": fake_score.mean()}
        told["recognition"] = functional.cross_entropy(logits[: len(label)], label)
        loss = critic_loss(self.config.loss, real_score, fake_score) + told["recognition"]
        if self.config.loss == "wgan_gp":
            real, fake = rows.chunk(2)
            loss = loss + self.config.gradient_penalty * gradient_penalty(
                lambda between: self.critic(between, label)[0], real, fake
            )
        return {"loss": loss} | told


class GeneratorStep(nn.Module):
    """The generator's loss; the critic is reached outside the module tree, its gradients off."""

    def __init__(self, generator: nn.Module, critic: Critic, config: Config) -> None:
        super().__init__()
        self.generator, self.config = generator, config
        self.others = (critic,)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        label = batch["label"]
        fake = made(self.generator, self.config, label)
        seen = augmented(fake, self.config.augment_chance)
        with without_gradients(self.others[0]):
            scores, logits = self.others[0](seen, label)
        told = {"adversarial": generator_loss(self.config.loss, scores)}
        loss = told["adversarial"]
        if self.config.recognition:
            told["recognition"] = functional.cross_entropy(logits, label)
            loss = loss + self.config.recognition * told["recognition"]
        if self.config.diversity:
            told["diversity"] = diversity_loss(fake, batch["image"], label, logits.shape[1])
            loss = loss + self.config.diversity * told["diversity"]
        return {"loss": loss} | told


def made(generator: nn.Module, config: Config, label: Tensor) -> Tensor:
    """Rows of these labels, from noise of the global CPU generator."""
    return generator(torch.randn(len(label), config.noise_width).to(label.device), label)

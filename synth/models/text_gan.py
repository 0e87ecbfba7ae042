"""A generative adversarial network of texts, over an autoencoder's codes (Goodfellow et al. 2014; Zhao et al. 2018).

Pieces are drawn one by one, and no gradient goes through a draw; codes are numbers, and one does. An autoencoder of
texts learns first. Then a generator learns to make codes of a label from noise, against a critic that sees codes of
train rows beside them; the writer tells texts from codes as before. All go on together, as the autoencoder's rate
falls, so that what is kept is the moment at which codes are told well and made well.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from synth.models import Batch, Phase
from synth.models.critics import deviations, without_gradients
from synth.models.losses import critic_loss, diversity_loss, generator_loss
from synth.models.text_autoencoder import Autoencoder, AutoencoderConfig
from synth.models.text_writer import Shape, Writer, check

SLOPE = 0.2  # of leaky ReLU below zero
HELD_OUT_SEED = 1
DRAWS = 8  # made codes for each held-out one
LEAST_VARIANCE = 1e-4


@dataclass(frozen=True)
class Config(AutoencoderConfig):
    """The autoencoder's, and that of the two nets over its codes."""

    noise_width: int = 32
    net: int = 128
    begin: float = 0.25  # share of the steps after which generator and critic begin
    critic_repeats: int = 2
    codes_learning_rate: float = 1e-3
    diversity: float = 1.0  # weight of the diversity term
    recognition: float = 0.3  # weight, for the generator, of being recognised (Odena, Olah, Shlens 2017)
    epochs: float = 30.0
    least_steps: int = 700


PRESETS = {"standard": Config(), "fast": Config(layers=1, least_steps=350, epochs=15.0)}


def build(config: Config, shape: Shape) -> TextGan:
    """Make an untrained model. Raises ValueError for sizes that do not go together."""
    check(config)
    return TextGan(config, shape)


class CodeGenerator(nn.Module):
    """From noise and label to a code."""

    def __init__(self, config: Config, labels: int) -> None:
        super().__init__()
        self.label = nn.Embedding(labels, config.noise_width)
        self.net = nn.Sequential(
            nn.Linear(2 * config.noise_width, config.net), nn.LayerNorm(config.net), nn.LeakyReLU(SLOPE),
            nn.Linear(config.net, config.net), nn.LayerNorm(config.net), nn.LeakyReLU(SLOPE),
            nn.Linear(config.net, config.code),
        )  # fmt: skip

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        """(N, code) of noise (N, noise_width) and labels (N,)."""
        return self.net(torch.cat([noise, self.label(label)], 1))


class CodeCritic(nn.Module):
    """From codes to scores, to which the label's vector projects (Miyato, Koyama 2018), and to the labels themselves.

    Rows also carry how their features deviate among those of their label (Karras et al. 2018).
    """

    def __init__(self, config: Config, labels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            spectral_norm(nn.Linear(config.code, config.net)), nn.LeakyReLU(SLOPE),
            spectral_norm(nn.Linear(config.net, config.net)), nn.LeakyReLU(SLOPE),
        )  # fmt: skip
        self.recognise = nn.Linear(config.net, labels)
        self.score = nn.Linear(2 * config.net, 1)
        self.label = nn.Embedding(labels, 2 * config.net)
        nn.init.normal_(self.label.weight, std=(2 * config.net) ** -0.5)

    def forward(self, codes: Tensor, label: Tensor, groups: int = 1) -> tuple[Tensor, Tensor]:
        """Scores (N,) and logits of labels (N, labels); rows are compared within their part of `groups` equal ones."""
        features = self.net(codes)
        logits = self.recognise(features)
        labels = logits.shape[1]
        group = torch.arange(groups, device=label.device).repeat_interleave(len(label) // groups)
        spread = deviations(features, label + labels * group, groups * labels)
        seen = torch.cat([features, spread], 1)
        return self.score(seen)[:, 0] + (self.label(label) * seen).sum(1), logits


class TextGan(nn.Module):
    """An autoencoder, and generator and critic of its codes."""

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        self.config, self.average_decay, self.balanced = config, config.average_decay, config.balanced
        self.noise_width = config.noise_width
        self.autoencoder = Autoencoder(config, shape)
        self.generator = CodeGenerator(config, shape.labels)
        self.critic = CodeCritic(config, shape.labels)

    @property
    def writer(self) -> Writer:
        """Who writes."""
        return self.autoencoder

    def phases(self) -> list[Phase]:
        """Autoencoder, critic, generator."""
        config, betas = self.config, (0.0, 0.99)
        critic = CriticStep(self.critic, self.generator, self.autoencoder, config)
        generator = GeneratorStep(self.generator, self.critic, self.autoencoder, config)
        rate = config.codes_learning_rate
        return [
            self.autoencoder.phase(),
            Phase("critic", critic, rate, betas, repeats=config.critic_repeats, mixed_precision=False),
            Phase("generator", generator, rate, betas, mixed_precision=False),
        ]

    def told(self, label: Tensor, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """What texts are to be (B, W), by labels (B,) and standard normal noise (B, noise_width)."""
        return self.autoencoder.told(label, self.generator(temperature * noise, label))

    def held_out(self, batch: Batch) -> float:
        """Nats by which a piece of these texts surprises who knows its code, and how far made codes are from theirs."""
        gaps = [float(energy_distance(made, real)) for made, real in self._codes(batch)]
        return self.autoencoder.held_out(batch) + sum(gaps) / len(gaps)

    def variety(self, batch: Batch) -> float:
        """The spread of made codes within a label as a share of that of these texts' codes, 1 at most."""
        shares = [_variance(made) / (_variance(real) + LEAST_VARIANCE) for made, real in self._codes(batch)]
        return min(1.0, float(torch.stack(shares).mean().sqrt()))

    @torch.no_grad()
    def _codes(self, batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """(made, real) codes of each label of these texts."""
        label, draw, found = batch["label"], torch.Generator().manual_seed(HELD_OUT_SEED), []
        mean, log_spread = self.autoencoder.read(batch["tokens"], label)
        real = mean + log_spread.exp() * torch.randn(mean.shape, generator=draw).to(mean.device)
        for each in label.unique():
            mine = real[label == each]
            noise = torch.randn(DRAWS * len(mine), self.noise_width, generator=draw).to(mean.device)
            found.append((self.generator(noise, each.repeat(len(noise))), mine))
        return found


class CriticStep(nn.Module):
    """The critic's loss; generator and autoencoder are reached outside the module tree."""

    def __init__(self, critic: CodeCritic, generator: nn.Module, autoencoder: Autoencoder, config: Config) -> None:
        super().__init__()
        self.critic, self.config = critic, config
        self.others = (generator, autoencoder)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Nothing to lower before the autoencoder has begun to tell texts apart."""
        label = batch["label"]
        with torch.no_grad():
            real = real_codes(self.others[1], batch)
            fake = made_codes(self.others[0], self.config, label)
        scores, logits = self.critic(torch.cat([real, fake]), torch.cat([label, label]), groups=2)
        real_score, fake_score = scores.chunk(2)
        recognition = functional.cross_entropy(logits[: len(label)], label)
        loss = critic_loss("hinge", real_score, fake_score) + recognition
        told = {"real_score": real_score.mean(), "fake_score": fake_score.mean(), "recognition": recognition}
        return {"loss": loss * has_begun(batch, self.config), **told}


class GeneratorStep(nn.Module):
    """The generator's loss; critic and autoencoder are reached outside the module tree."""

    def __init__(self, generator: nn.Module, critic: CodeCritic, autoencoder: Autoencoder, config: Config) -> None:
        super().__init__()
        self.generator, self.config = generator, config
        self.others = (critic, autoencoder)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Nothing to lower before the autoencoder has begun to tell texts apart."""
        label, config = batch["label"], self.config
        fake = made_codes(self.generator, config, label)
        with torch.no_grad():
            real = real_codes(self.others[1], batch)
        with without_gradients(self.others[0]):
            scores, logits = self.others[0](fake, label)
        told = {
            "adversarial": generator_loss("hinge", scores),
            "recognition": functional.cross_entropy(logits, label),
            "diversity": diversity_loss(fake, real, label, logits.shape[1]),
        }
        loss = told["adversarial"] + config.recognition * told["recognition"] + config.diversity * told["diversity"]
        return {"loss": loss * has_begun(batch, config), **told}


def has_begun(batch: Batch, config: Config) -> Tensor:
    """1 where generator and critic learn, 0 before."""
    return (batch["progress"] >= config.begin).float()


def real_codes(autoencoder: Autoencoder, batch: Batch) -> Tensor:
    """Codes (N, code) of train rows, each drawn among those that it may have."""
    mean, log_spread = autoencoder.read(batch["tokens"], batch["label"])
    return mean + log_spread.exp() * torch.randn(mean.shape).to(mean.device)


def made_codes(generator: nn.Module, config: Config, label: Tensor) -> Tensor:
    """Codes of these labels, from noise of the global CPU generator."""
    return generator(torch.randn(len(label), config.noise_width).to(label.device), label)


def energy_distance(one: Tensor, other: Tensor) -> Tensor:
    """How far two sets of codes are from each other, in a number's own unit (Székely, Rizzo 2013); 0 where alike."""
    across, within = torch.cdist(one, other).mean(), [torch.cdist(each, each).mean() for each in (one, other)]
    return (2 * across - sum(within)).clamp(min=0) / one.shape[1] ** 0.5


def _variance(codes: Tensor) -> Tensor:
    """Mean over a code's numbers of their variance."""
    return codes.var(0, correction=0).mean()

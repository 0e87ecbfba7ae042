"""A causal language model of your own, from a folder in Hugging Face's form, that writes on after a prompt.

`folder` holds config.json, tokenizer.json and weights as safetensors; nothing is fetched, and no code of the folder is
run. Where `tuned` is true it learns the train rows for a while, all of its weights at a small rate, and held-out rows
decide when it is best; else it only writes. It knows a language already, which generators that begin with nothing must
learn from the train rows. What is given up: its weights are copied into the checkpoint, and what it learnt from before,
nobody here can check; test rows may be among it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from synth.models import Batch, Phase, cosine_phase
from synth.models.text_writer import Shape

BLOCK = 16  # rows at a time, where there is no gradient


@dataclass(frozen=True)
class Config:
    """Where the model lies, how it is asked, tuned, and how texts are drawn."""

    folder: str = ""  # below the recipe's data, where relative
    prompt: str = "{label}:"  # what stands before a text
    tuned: bool = True
    context: int = 128  # pieces of a text; a longer one is learnt up to there
    epochs: float = 3.0
    least_steps: int = 60  # of a tuning by epochs
    max_steps: int = 0  # 0: by epochs
    balanced: bool = True  # each label is seen equally often
    batch_size: int = 8
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warm_up_steps: int = 10
    top_p: float = 0.9  # each piece is drawn among the most likely ones that have this probability together
    longest_copy: int = 48  # characters that a made text may have in a row as a train text has them


PRESETS = {"standard": Config()}


@dataclass(frozen=True)
class Asked:
    """What the model is asked, in its own pieces: a prompt for each label, and the piece that ends a text."""

    prompts: Sequence[Sequence[int]]
    end: int
    pieces: int


def build(config: Config, shape: Shape, net: nn.Module, asked: Asked) -> Pretrained:
    """Put a loaded net behind the contract of generators of texts."""
    return (Tuned if config.tuned else Pretrained)(config, shape, net, asked)


class Prompted:
    """What the net remembers of what was written so far, rows of one label together."""

    def __init__(self, labels: Tensor) -> None:
        """Begin texts of these labels (B,)."""
        self.rows = [torch.nonzero(labels == label)[:, 0] for label in labels.unique()]
        self.labels = labels.unique().tolist()
        self.past: list[Any] = [None] * len(self.rows)


class Pretrained(nn.Module):
    """A net that writes. Our number for the end of a text is the number of its pieces; its own is `asked.end`."""

    noise_width = 0

    def __init__(self, config: Config, shape: Shape, net: nn.Module, asked: Asked) -> None:
        super().__init__()
        self.config, self.shape, self.net, self.asked = config, shape, net, asked
        self.end = asked.pieces

    @property
    def writer(self) -> Pretrained:
        """Who writes."""
        return self

    def told(self, label: Tensor, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """What texts are to be: their labels (B,)."""
        return label

    def begin(self, told: Tensor) -> Prompted:
        """Ready to write texts of these labels (B,)."""
        return Prompted(told)

    @torch.no_grad()
    def next(self, memory: Prompted, pieces: Tensor | None) -> Tensor:
        """Logits (B, pieces + 1) of what comes next, after `pieces` (B,), which are remembered; None at the start."""
        found = torch.empty(sum(map(len, memory.rows)), self.end + 1)
        for place, rows in enumerate(memory.rows):
            if pieces is None:
                shown = self._prompt(memory.labels[place]).expand(len(rows), -1)
            else:
                shown = self._own(pieces[rows])[:, None]
            told = self.net(input_ids=shown, cache=memory.past[place], use_cache=True)
            memory.past[place] = told.cache
            found[rows] = self._ours(told.logits[:, -1].float())
        return found

    def surprise(self, tokens: Tensor, label: Tensor) -> Tensor:
        """Nats (B, T) of each piece, 0 after the end of a text."""
        prompts = [self._prompt(each).to(tokens.device) for each in label.tolist()]
        rows = [torch.cat([prompt, self._own(row)]) for prompt, row in zip(prompts, tokens, strict=True)]
        ids = pad_sequence(rows, batch_first=True, padding_value=self.asked.end)
        logits = self.net(input_ids=ids[:, :-1], use_cache=False).logits.float()
        nats = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(len(ids), -1)
        own = [row[len(prompt) - 1 :][: tokens.shape[1]] for row, prompt in zip(nats, prompts, strict=True)]
        return torch.stack(own) * self.counts(tokens)

    def counts(self, tokens: Tensor) -> Tensor:
        """float (B, T): 1 up to and with the end of a text, then 0."""
        ended = (tokens == self.end).cumsum(1)
        return ((ended == 0) | ((ended == 1) & (tokens == self.end))).float()

    @torch.no_grad()
    def held_out(self, batch: Batch) -> float:
        """Nats by which a piece of these texts surprises."""
        parts = zip(batch["tokens"].split(BLOCK), batch["label"].split(BLOCK), strict=True)
        total = sum(float(self.surprise(*part).double().sum()) for part in parts)
        return total / max(float(self.counts(batch["tokens"]).double().sum()), 1.0)

    def variety(self, batch: Batch) -> float:
        """It does not collapse: 1."""
        return 1.0

    def _prompt(self, label: int) -> Tensor:
        return torch.tensor(self.asked.prompts[label])

    def _own(self, pieces: Tensor) -> Tensor:
        """Our pieces as the net's: the end of a text is another number."""
        return torch.where(pieces == self.end, self.asked.end, pieces)

    def _ours(self, logits: Tensor) -> Tensor:
        """The net's logits (B, pieces) as ours (B, pieces + 1)."""
        return torch.cat([logits, logits[:, self.asked.end : self.asked.end + 1]], 1)


class Tuned(Pretrained):
    """A net that learns the train rows before it writes."""

    average_decay = 0.0

    def __init__(self, config: Config, shape: Shape, net: nn.Module, asked: Asked) -> None:
        super().__init__(config, shape, net, asked)
        self.balanced = config.balanced

    def phases(self) -> list[Phase]:
        """One."""
        return [cosine_phase("likelihood", Likelihood(self), self.config)]


class Likelihood(nn.Module):
    """The one phase: the next piece, after the prompt."""

    def __init__(self, model: Pretrained) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Mean negative log likelihood of a piece, in nats."""
        nats = self.model.surprise(batch["tokens"], batch["label"])
        return {"loss": nats.sum() / self.model.counts(batch["tokens"]).sum()}

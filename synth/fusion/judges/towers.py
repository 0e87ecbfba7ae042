"""Two towers that meet: a small convolutional net sees the image, averaged embeddings of hashed words read the text.

What they say is laid side by side with its products, from which one layer tells the label: a bilinear form of learned
features, where `joint` has one of measured features. Every judge takes the effort's steps, and its last weights count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from synth.encode import to_tensor
from synth.fusion.rows import Judge, Numbers, Payload, Rows, count, taken
from synth.judges import Effort, Images
from synth.judges.cnn import DROPOUT, LEARNING_RATE, WEIGHT_DECAY, SmallNet, batches, schedule
from synth.judges.repeatable import one_way
from synth.texts.judges.bag import pieces_of

WIDTH = 64  # of what either tower says
BUCKETS = 1 << 12  # that pieces of words are hashed into
MAX_SIDE = 24  # pixels: larger images are averaged down to at most this
BLOCK = 512


class Towers(nn.Module):
    """An image tower, a text tower, and one layer over both and their products."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.image, self.classes = SmallNet(*shape, classes).features, classes
        hidden = next(layer.out_features for layer in reversed(self.image) if isinstance(layer, nn.Linear))
        self.seen = nn.Linear(hidden, WIDTH)
        self.embed = nn.EmbeddingBag(BUCKETS, WIDTH, mode="mean")
        self.read = nn.Linear(WIDTH, WIDTH)
        self.classify = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(3 * WIDTH, classes))
        nn.init.normal_(self.embed.weight, std=WIDTH**-0.5)

    def forward(self, images: Tensor, pieces: Sequence[np.ndarray]) -> Tensor:
        """(N, C, H, W) in [-1, 1] and N lists of pieces -> logits (N, classes)."""
        starts = np.concatenate([[0], np.cumsum([len(each) for each in pieces])[:-1]]).astype(np.int64)
        words = self.embed(torch.from_numpy(np.concatenate(pieces)), torch.from_numpy(starts))
        seen, read = self.seen(self.image(images)).tanh(), self.read(words).tanh()
        return self.classify(torch.cat([seen, read, seen * read * WIDTH**0.5], 1))


@dataclass(frozen=True)
class TowersJudge:
    """Trained towers."""

    net: Towers
    threads: int

    def predict(self, payload: Payload) -> Numbers:
        """float64[N, classes]."""
        said = [np.zeros((0, self.net.classes))]
        with one_way(self.threads), torch.inference_mode():
            for at in range(0, count(payload), BLOCK):
                images, texts = (payload[name][at : at + BLOCK] for name in ("image", "text"))
                logits = self.net(to_tensor(small(images)), [_pieces(text) for text in texts])
                said.append(logits.double().softmax(1).numpy())
        return np.concatenate(said)


def small(images: Images) -> Images:
    """Images averaged down by whole factors until no side is beyond MAX_SIDE."""
    _, height, width, channels = images.shape
    factor = -(-max(height, width) // MAX_SIDE)
    if factor == 1 or not len(images):
        return images
    size = (max(8, width // factor), max(8, height // factor))
    seen = [cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(*size[::-1], channels) for image in images]
    return np.stack(seen)


def _pieces(text: str) -> np.ndarray:
    return pieces_of(text) % BUCKETS


def fit_towers(rows: Rows, effort: Effort, seed: int) -> Judge:
    """Train for exactly `effort.steps` steps. Raises ValueError for rows without image and text."""
    if not {"image", "text"} <= set(rows.payload):
        raise ValueError(f"towers see an image and a text, and rows hold {', '.join(rows.payload)}")
    images, known = small(rows.payload["image"]), tuple(_pieces(text) for text in rows.payload["text"])
    shares = torch.from_numpy(rows.shares).float()
    with one_way(effort.threads, seed):
        net = Towers(images.shape[1:], len(rows.question.classes)).train()
        optimiser = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        for step, places in enumerate(batches(len(rows), effort, seed)):
            logits = net(to_tensor(images[places]), taken(known, places))
            loss = nn.functional.cross_entropy(logits, shares[torch.from_numpy(places)])
            for group in optimiser.param_groups:
                group["lr"] = LEARNING_RATE * schedule((step + 0.5) / effort.steps)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"a judge's loss is {float(loss)} after {effort.steps} steps on {len(rows)} rows")
    return TowersJudge(net.eval(), effort.threads)

"""The classic small nets, plain: what the literature's small-data figures on MNIST were measured with.

LeNet-5 (LeCun et al. 1998) with ReLU and maximum pooling, and the wider one that Caffe made known under the same name.
Adam at its usual rate, no dropout, no schedule. The shipped judge `cnn` has both, and so makes fewer errors on few real
rows; against it a cut of the errors is a harder test.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

LEARNING_RATE = 1e-3
BATCH_ROWS = 128  # as the recipe's own judges have


def lenet_5(classes: int) -> nn.Sequential:
    """(N, 1, 28, 28) -> logits (N, classes), 62 thousand weights."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes),
    )  # fmt: skip


def lenet_wide(classes: int) -> nn.Sequential:
    """(N, 1, 28, 28) -> logits (N, classes), 431 thousand weights."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, classes),
    )  # fmt: skip


NETS = {"LeNet-5": lenet_5, "wide LeNet": lenet_wide}


def error(
    kind: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.int64],
    steps: int,
    seed: int,
) -> float:
    """Error in % of one of NETS on the test rows after exactly `steps` steps; the last one counts.

    Images are uint8[N, 28, 28, 1].
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    net = NETS[kind](int(labels.max()) + 1)
    optimiser = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    random = np.random.default_rng(seed)
    waiting = np.zeros(0, np.int64)
    for _ in range(steps):
        while len(waiting) < BATCH_ROWS:
            waiting = np.concatenate([waiting, random.permutation(len(labels))])
        places, waiting = waiting[:BATCH_ROWS], waiting[BATCH_ROWS:]
        loss = functional.cross_entropy(net(_tensor(images[places])), torch.from_numpy(labels[places]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        said = [net(_tensor(test_images[at : at + 1000])).argmax(1) for at in range(0, len(test_labels), 1000)]
    return 100 * float((torch.cat(said).numpy() != test_labels).mean())


def _tensor(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 255.0

"""What both stages of LCMem share: the loop over pairs of latents, and how it is validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
import torch

from memscan import decode
from memscan.detectors import siamese, training
from memscan.detectors.ahead import ahead, workers
from memscan.detectors.identities import Members
from memscan.detectors.lcmem_recipe import Objective, Schedule
from memscan.detectors.siamese import Siamese
from memscan.detectors.training import Checkpoints, Figures, Run
from memscan.records import Progress

Pairs = List[Tuple[int, int]]

VALIDATION_DRAWS = 8
"""How often each identity is validated, in pairs drawn once for all epochs."""

_SAME_EACH_TIME = 0x7A11D


class Draw(NamedTuple):
    """The pairs of rows of a batch, and the seed of whatever else is drawn for it."""

    pairs: Pairs
    seed: int


class Batch(NamedTuple):
    """Latents of pairs of identities that are distinct; ``shift`` makes other pairs of them."""

    first: torch.Tensor
    second: torch.Tensor
    shift: int


Make = Callable[[Draw], Batch]
"""What makes a batch; called by other threads, and depends on the draw alone."""


@dataclass(frozen=True)
class Options:
    """What does not change the weights, but for the device."""

    device: str = "auto"
    max_pixels: int = decode.MAX_PIXELS
    jobs: int | None = None
    progress: Progress | None = None
    on_epoch: Callable[[Run], None] | None = None


AS_IT_IS = Options()
"""The best device, all defaults."""


@dataclass(frozen=True)
class Learning:
    """A network with all that its training needs."""

    network: Siamese
    schedule: Schedule
    objective: Objective
    where: torch.device
    options: Options

    def fit(
        self, make: Make, members: Members, checked: Sequence[Batch], checkpoints: Checkpoints
    ) -> Run:
        """Train on pairs of ``members``, of which ``make`` makes batches."""
        schedule = self.schedule
        optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
        )
        threads = workers(self.options.jobs, self.where)

        def batches(rng: np.random.Generator) -> Iterator[Batch]:
            return ahead(make, _draws(members, rng, schedule.batch, schedule.steps), threads)

        return training.fit(
            self.network,
            optimiser,
            batches,
            lambda batch: self._loss(batch)[0],
            lambda: self._validation(checked),
            schedule.plan(),
            device=self.where,
            checkpoints=checkpoints,
            progress=self.options.progress,
            on_epoch=self.options.on_epoch,
        )

    def _loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The loss of a batch, and its embeddings."""
        first, second = self.network(batch.first.to(self.where), batch.second.to(self.where))
        return (
            siamese.loss(
                self.network,
                (first, second),
                batch.shift,
                self.objective.entropy,
                self.objective.temperature,
            ),
            first,
            second,
        )

    def _validation(self, checked: Sequence[Batch]) -> Figures:
        """The loss, and the area under the ROC curve of all pairs within batches."""
        losses, right, others = [], [], []
        for batch in checked:
            loss, first, second = self._loss(batch)
            logits = self.network.all_logits(first, second)
            diagonal = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
            losses.append(float(loss))
            right.append(logits[diagonal])
            others.append(logits[~diagonal])
        return {"loss": float(np.mean(losses)), "auc": auc(torch.cat(right), torch.cat(others))}


def drawn_once(make: Make, members: Members, batch: int) -> list[Batch]:
    """The batches that validate all epochs alike."""
    rng = np.random.default_rng(_SAME_EACH_TIME)
    rounds = -(-VALIDATION_DRAWS * len(members.rows) // min(batch, len(members.rows)))
    return [make(draw) for draw in _draws(members, rng, batch, rounds)]


def auc(right: torch.Tensor, others: torch.Tensor) -> float:
    """How often a right pair scores higher than another; half of the equal ones count."""
    ranked = others.sort().values
    below = torch.searchsorted(ranked, right.contiguous())
    up_to = torch.searchsorted(ranked, right.contiguous(), right=True)
    return float((below + up_to).cpu().double().mean() / (2 * len(others)))


def _draws(members: Members, rng: np.random.Generator, batch: int, count: int) -> Iterator[Draw]:
    size = min(batch, len(members.rows))
    for pairs in members.batches(rng, size, count):
        yield Draw(pairs, int(rng.integers(1 << 62)))

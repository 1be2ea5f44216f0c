"""One step is the textbook's step, however the batch is cut."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nextword.model.fused_loss import IGNORED
from nextword.model.llama import Llama
from nextword.train.step import Batch, NextTokenLoss, TrainingStep, document_mask

ROWS, T = 4, 24


@pytest.fixture
def batch(tiny_config) -> Batch:
    tokens = torch.randint(
        0, tiny_config.vocab_size, (ROWS, T + 1), generator=torch.Generator().manual_seed(1)
    )
    return Batch(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())


@pytest.fixture
def trainer(tiny_config):
    """A fresh model and its step, AdamW or (rate 0) gradients only, kept for a look."""

    def make(**how) -> tuple[Llama, TrainingStep]:
        model = Llama(tiny_config)
        model.initialise(seed=0)
        return model, TrainingStep(NextTokenLoss(model), Kept(model), **{"clip": 0.0, **how})

    return make


class Kept:
    """SGD that remembers the gradients it was given."""

    def __init__(self, model: Llama, rate: float = 0.05) -> None:
        self.model, self.rate = model, rate
        self.gradients: list[torch.Tensor] = []

    def step(self) -> None:
        self.gradients = [parameter.grad.clone() for parameter in self.model.parameters()]
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter -= self.rate * parameter.grad

    def zero_grad(self) -> None:
        self.model.zero_grad()


def textbook(config, batch):
    model = Llama(config)
    model.initialise(seed=0)
    mask = None if batch.documents is None else document_mask(batch.documents)
    logits = model(batch.inputs, mask=mask)
    loss = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED)
    return loss.item(), torch.autograd.grad(loss, list(model.parameters()))


def distance(ours, theirs) -> float:
    return max(((a - b).norm() / b.norm()).item() for a, b in zip(ours, theirs, strict=True))


def test_in_fp32_loss_and_gradients_are_the_textbooks(trainer, batch, tiny_config):
    _, step = trainer(precision="fp32")
    result = step.step(batch)
    loss, gradients = textbook(tiny_config, batch)
    assert result.loss.item() == pytest.approx(loss, abs=1e-5)
    assert distance(step.optimiser.gradients, gradients) < 1e-4


def test_in_bf16_they_are_close(trainer, batch, tiny_config):
    _, step = trainer(precision="bf16")
    result = step.step(batch)
    loss, gradients = textbook(tiny_config, batch)
    assert result.loss.item() == pytest.approx(loss, abs=5e-3)
    assert distance(step.optimiser.gradients, gradients) < 0.05


@pytest.mark.parametrize("pieces", [2, 3, 4])
def test_a_batch_in_pieces_gives_the_whole_batchs_gradient(trainer, batch, pieces):
    batch.targets[0, 3:] = IGNORED  # so that pieces do not weigh the same
    (_, whole), (_, cut) = trainer(precision="fp32"), trainer(precision="fp32", accumulation=pieces)
    losses = whole.step(batch).loss, cut.step(batch).loss
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-5)
    assert distance(cut.optimiser.gradients, whole.optimiser.gradients) < 1e-4


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_documents_are_kept_apart(trainer, batch, tiny_config, precision):
    documents = (torch.arange(T) >= 10).long().expand(ROWS, T)
    apart = Batch(batch.inputs, batch.targets, documents)
    _, step = trainer(precision=precision)
    result = step.step(apart)
    loss, gradients = textbook(tiny_config, apart)
    assert loss != textbook(tiny_config, batch)[0]
    assert result.loss.item() == pytest.approx(loss, abs=1e-5 if precision == "fp32" else 5e-3)
    assert distance(step.optimiser.gradients, gradients) < (1e-4 if precision == "fp32" else 0.05)


def test_clipping_shortens_the_gradient_to_the_length_allowed_and_reports_what_it_was(trainer, batch):
    (_, free), (_, clipped) = trainer(), trainer(clip=0.01)
    before, after = free.step(batch), clipped.step(batch)
    assert after.gradient_norm.item() == pytest.approx(before.gradient_norm.item(), rel=1e-5)
    length = torch.nn.utils.get_total_norm(clipped.optimiser.gradients)
    assert length.item() == pytest.approx(0.01, rel=1e-3)


def test_the_same_steps_twice_are_the_same_to_the_last_bit(trainer, batch):
    ends = []
    for _ in range(2):
        model, step = trainer()
        losses = [step.step(batch).loss for _ in range(3)]
        ends.append([*losses, *model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_steps_on_one_batch_learn_it(trainer, batch):
    _, step = trainer()
    losses = [step.step(batch).loss.item() for _ in range(20)]
    assert losses[-1] < losses[0] - 0.1


def test_a_loss_that_is_not_a_number_is_reported_as_such(trainer, batch):
    model, step = trainer()
    with torch.no_grad():
        model.model.norm.weight[0] = float("nan")
    assert step.step(batch).loss.isnan()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Inductor warns about what is not ours
def test_compiled_it_learns_the_same(trainer, batch, need):
    need("g++")
    (_, plain), (_, compiled) = trainer(), trainer(compile=True)
    for _ in range(3):
        one, other = plain.step(batch).loss, compiled.step(batch).loss
        assert other.item() == pytest.approx(one.item(), abs=5e-3)
    assert distance(compiled.optimiser.gradients, plain.optimiser.gradients) < 0.05

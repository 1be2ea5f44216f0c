"""One reward model put together: comparisons, trunk and head, step and loop, and its looks."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from nextword.common.dialogue import read_comparisons
from nextword.common.errors import BadInput
from nextword.common.progress import Progress
from nextword.model.scalar_head import ScalarLlama, save_scalar
from nextword.train.assistant import Assistant, fingerprint
from nextword.train.branches import Packed, Tree, merged, pack_trees
from nextword.train.calibration import Calibration, Verdict, calibration, draw_calibration
from nextword.train.comparisons import Compared, PromptDraws, compared
from nextword.train.curves import Panel, draw_curves
from nextword.train.distributed import Processes
from nextword.train.loop import Loop
from nextword.train.objective import Objective, ObjectiveStep
from nextword.train.preference_losses import bradley_terry
from nextword.train.reward import RewardResult, RewardSettings
from nextword.train.run_folder import learnt_from
from nextword.train.sequence_logprobs import hidden_states, in_pieces
from nextword.train.stage import Stage, mean_tokens

MEASURED = 512
"""Held-out pairs, at most, that a look along the way measures; the last one measures all."""

PANELS = (
    Panel("Loss", ("loss",), ("loss",)),
    Panel("Accuracy", ("accuracy",), ("accuracy",)),
    Panel("Rewards", ("chosen_reward", "rejected_reward")),
)


class RewardRun:
    """What stays the same from the first to the last step."""

    def __init__(
        self,
        settings: RewardSettings,
        assistant: Path,
        comparisons: Sequence[Path],
        out: Path,
        processes: Processes,
    ) -> None:
        self.settings, self.out = settings, out
        self.assistant = Assistant.open(assistant, processes.device)
        read = chain.from_iterable(map(read_comparisons, comparisons))
        self.kept = compared(read, self.assistant.chat, self.assistant.context, settings.held_out)
        if not self.kept.train:
            raise BadInput(
                f"no comparison to learn from ({self.kept.told() or 'none that is not held out'})",
                where=", ".join(map(str, comparisons)),
                do="give comparisons with two different answers",
            )
        trunk, facts = fingerprint(self.assistant.model), learnt_from(assistant, comparisons)
        records = [*self.kept.train, *self.kept.held_out]
        self.stage = Stage.begin(settings, out, processes, assistant, trunk, records, **facts)
        self.model = ScalarLlama.on(self.assistant.model, settings.seed)
        prompts = [pair.prompt for pair in self.kept.train]
        self.draws = PromptDraws(prompts, settings.batch, settings.seed)

    def train(self, progress: Progress, began: float) -> RewardResult:
        """Resume if there is something to resume, train, and take a last look."""
        if told := self.kept.told():
            progress.say(f"reward: {told}")
        loop = self._loop(progress, began)
        self.stage.resume(loop, progress)
        loop.run(progress)
        found = calibration(self.verdicts(self.kept.held_out)) if self.kept.held_out else None
        if found is not None:
            draw_calibration(found, self.out / "calibration.png")
        result = self._result(loop, found)
        self.stage.finish(result)
        return result

    def objective(self, numbers: Sequence[int]) -> Objective:
        """The mean loss of these training pairs."""
        pairs = [self.kept.train[number] for number in numbers]
        trees, answers = merged([pair.tree for pair in pairs])
        packed = pack_trees(trees).to(self.stage.processes.device)
        rewards = answer_rewards(self.model, packed, self.stage.dtype)
        chosen, rejected = rewards[answers].view(-1, 2).unbind(1)
        margin = torch.tensor([pair.margin for pair in pairs], device=chosen.device) * self.settings.margin
        loss = bradley_terry(chosen, rejected, margin, self.settings.centre).mean()
        facts = {
            "accuracy": (chosen > rejected).float().mean(),
            "margin": (chosen - rejected).detach().mean(),
            "chosen_reward": chosen.detach().mean(),
            "rejected_reward": rejected.detach().mean(),
        }
        return Objective(loss, packed.tokens, facts)

    def verdicts(self, pairs: Sequence[Compared]) -> list[Verdict]:
        """What the model says of pairs."""
        rewards = tree_rewards(self.model, [pair.tree for pair in pairs], self.stage.dtype)
        lengths = [[sum(branch.mask) for branch in pair.tree.branches] for pair in pairs]
        sides = zip(rewards[::2], rewards[1::2], lengths, strict=True)
        return [Verdict(chosen, rejected, *tokens) for chosen, rejected, tokens in sides]

    def _loop(self, progress: Progress, began: float) -> Loop:
        optimiser = self.stage.optimiser(self.model)
        trainer = ObjectiveStep(self.objective, list(self.model.parameters()), optimiser, self.settings.clip)
        return self.stage.loop(
            self.stage.horizon(self.model.config, self.draws.n),
            self.model,
            trainer,
            optimiser,
            self.draws,
            config=self.model.config,
            tokens=mean_tokens([pair.tree.tokens for pair in self.kept.train], self.draws.records),
            write_model=lambda to: save_scalar(self.model, to, self.assistant.pad, self.assistant.folder),
            look=lambda step, steps: self._look(step, steps, progress),
            began=began,
        )

    def _look(self, step: int, steps: int, progress: Progress) -> None:
        self.stage.show_model(step)
        if self.kept.held_out:
            verdicts = self.verdicts(self.kept.held_out[:MEASURED])
            found = calibration(verdicts)
            margins = torch.tensor([one.chosen - one.rejected for one in verdicts])
            loss = float(bradley_terry(margins, torch.zeros_like(margins)).mean())
            facts = {"accuracy": found.accuracy, "loss": loss, "calibration_error": found.error}
            self.stage.metrics.append("evaluation", step, **facts)
            progress.say(f"after {100 * step / steps:.0f} %: {found.accuracy:.0%} of held-out pairs right")
        draw_curves(self.stage.metrics, PANELS, self.out / "curves.png", "Learning what people prefer")

    def _result(self, loop: Loop, found: Calibration | None) -> RewardResult:
        steps = list(self.stage.metrics.lines("step"))
        return RewardResult(
            model=self.out / "model",
            records=len(self.kept.train),
            held_out=len(self.kept.held_out),
            left_out=dict(self.kept.left_out),
            steps=loop.step,
            loss=statistics.fmean(line["loss"] for line in steps[-max(1, len(steps) // 20) :]),
            accuracy=found.accuracy if found else None,
            calibration_error=found.error if found else None,
            length_correlation=found.length_correlation if found else None,
            longer_wrong_accuracy=found.longer_wrong_accuracy if found else None,
            mean=found.mean if found else None,
            spread=found.spread if found else None,
            seconds=loop.seconds,
        )


def answer_rewards(model: ScalarLlama, packed: Packed, dtype: torch.dtype | None) -> Tensor:
    """Each sequence's reward, read at its last token: (S,) fp32."""
    return model.values(hidden_states(model, packed, dtype)[packed.ends])


@torch.no_grad()
def tree_rewards(model: ScalarLlama, trees: Sequence[Tree], dtype: torch.dtype | None = None) -> list[float]:
    """Rewards of all answers, tree by tree, branch by branch."""
    forest, numbers = merged(trees)
    found: list[float] = []
    for piece in in_pieces(forest, 16_384):
        packed = pack_trees(piece).to(model.frequencies.device)
        found += answer_rewards(model, packed, dtype).tolist()
    return [found[number] for number in numbers]

"""One run of reinforcement learning put together: prompts, reward, models, step and loop, and its looks."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nextword.common.dialogue import conversation_record, read_conversations
from nextword.common.errors import BadInput, Failure
from nextword.common.progress import Progress
from nextword.common.records import Conversation, read_records, write_records
from nextword.common.terminal import printable
from nextword.train.answer_rewards import ByFunction, ByModel, Score, critic
from nextword.train.assistant import Assistant, fingerprint
from nextword.train.bounds import Hacked
from nextword.train.curves import Panel, draw_curves
from nextword.train.distributed import Processes
from nextword.train.loop import Loop
from nextword.train.plain_text import plain_text
from nextword.train.policy import PolicyResult, PolicySettings, Reward, facts_of
from nextword.train.policy_losses import AdaptiveKL
from nextword.train.policy_step import Learners, PolicyStep
from nextword.train.prompts import PromptBatches, prompts_of
from nextword.train.rollout import EngineRollout, Rollout
from nextword.train.stage import Stage

PANELS = (
    Panel("Reward", ("reward",)),
    Panel("KL to the reference (nats an answer)", ("kl",)),
    Panel("Entropy (nats a token)", ("entropy",)),
    Panel("Tokens of an answer", ("length",)),
    Panel("Share clipped, ended, dropped", ("clipped", "stopped", "dropped")),
)
CRITIC = (
    Panel("Share clipped, ended", ("clipped", "stopped")),
    Panel("Explained variance of the critic", ("explained_variance",)),
)


class PolicyRun:
    """What stays the same from the first to the last step."""

    def __init__(
        self,
        settings: PolicySettings,
        assistant: Path,
        prompts: Sequence[Conversation] | Path,
        reward: Reward | Path,
        tokens: Path | None,
        out: Path,
        processes: Processes,
        rollout: Rollout | None,
    ) -> None:
        self.settings, self.out = settings, out
        self.assistant = Assistant.open(assistant, processes.device)
        self.reference = copy.deepcopy(self.assistant.model).requires_grad_(False)
        self.prompts = self._prompts(prompts)
        self.score: Score
        self.score = ByModel.open(reward, self.assistant) if isinstance(reward, Path) else ByFunction(reward)
        text = plain_text(tokens, settings, self.assistant)
        asked = [prompt.messages for prompt in self.prompts.kept]
        trunk, facts = fingerprint(self.reference), facts_of(assistant, prompts, reward, tokens)
        self.stage = Stage.begin(settings, out, processes, assistant, trunk, asked, **facts)
        is_ppo = settings.method == "ppo"
        value = critic(self.score, self.assistant, settings.seed) if is_ppo else None
        self.learners = Learners(self.assistant.model, value)
        self.rollout = rollout or EngineRollout(self.assistant.chat, settings.answer_tokens)
        control = AdaptiveKL(settings.kl_coef, settings.kl_target)
        self.batches = PromptBatches(len(self.prompts.kept), settings.batch, settings.seed, control, text)

    def train(self, progress: Progress, began: float) -> PolicyResult:
        """Resume if there is something to resume, and train to the end or to where the reward is hacked."""
        if told := self.prompts.told():
            progress.say(f"{self.settings.method}: {told}")
        loop = self._loop(progress, began)
        self.stage.resume(loop, progress)
        stopped = ""
        try:
            if loop.step == 0:
                loop.save()  # so that there is a good model to go back to from the first step on
            loop.run(progress)
        except Hacked as found:
            stopped = str(found)
            self._back_to_good(loop, found, progress)
        result = self._result(loop, stopped)
        self.stage.finish(result)
        return result

    # Parts

    def _prompts(self, prompts: Sequence[Conversation] | Path) -> Any:
        conversations = read_conversations(prompts) if isinstance(prompts, Path) else prompts
        room = self.settings.answer_tokens
        found = prompts_of(conversations, self.assistant.chat, self.assistant.context, room)
        if not found.kept:
            raise BadInput(
                f"no prompt to answer ({found.told() or 'none was given'})",
                where=prompts if isinstance(prompts, Path) else None,
                do="give shorter questions, or fewer answer_tokens",
            )
        return found

    def _loop(self, progress: Progress, began: float) -> Loop:
        settings, assistant = self.settings, self.assistant
        optimiser = self.stage.optimiser(self.learners)
        self.step = PolicyStep(
            settings,
            assistant,
            self.reference,
            self.learners,
            optimiser,
            self.prompts.kept,
            self.prompts.written,
            self.score,
            self.rollout,
            self.batches,
        )
        length = statistics.fmean(self.prompts.lengths) + settings.answer_tokens / 2
        return self.stage.loop(
            self.stage.horizon(assistant.model.config, len(self.prompts.kept)),
            self.learners,
            self.step,
            optimiser,
            self.batches,
            config=assistant.model.config,
            tokens=round(length * settings.batch * settings.samples),
            write_model=lambda folder: assistant.save(self.learners.policy, folder),
            look=lambda step, steps: self._look(step, steps, progress),
            began=began,
        )

    # Along the way

    def _look(self, step: int, steps: int, progress: Progress) -> None:
        self.stage.show_model(step)
        if self.step.seen:  # not when a resumed run makes up for a look
            conversation, reward = max(self.step.seen, key=lambda pair: pair[1])
            self._keep_sample(step, conversation, reward)
            said = str(conversation.messages[-1].content)
            progress.say(printable(f"after {100 * step / steps:.0f} %, reward {reward:.2f}: {said:.200}"))
        self._draw("Rewarded")
        self.stage.metrics.append("evaluation", step)

    def _draw(self, what: str) -> None:
        method = self.settings.method
        panels = (*PANELS[:-1], *CRITIC) if method == "ppo" else PANELS
        draw_curves(self.stage.metrics, panels, self.out / "curves.png", f"{what}: {method}")

    def _keep_sample(self, step: int, conversation: Conversation, reward: float) -> None:
        path = self.out / "samples.jsonl"
        earlier = [one for one in read_records(path) if one["step"] < step] if path.exists() else []
        write_records(path, [*earlier, {"step": step, "reward": reward, **conversation_record(conversation)}])

    def _back_to_good(self, loop: Loop, found: Hacked, progress: Progress) -> None:
        """Make the last model that was within bounds the result: the newest checkpoint was found out of them.

        The answers that were out of bounds came from the policy after step `loop.step`.
        """
        good = self.stage.checkpoints.newest(at_most=loop.step - 1)
        if good is None:  # the very first answers, of a model that has learnt nothing yet
            do = "choose bounds that the assistant itself is within"
            raise Failure(found.what, where=self.out, do=do) from found
        self._draw("Stopped")
        self.stage.checkpoints.drop_after(good)
        self.stage.show_model(good)
        loop.step = good
        progress.say(f"stopped: {found}; the model of step {good} is kept")

    def _result(self, loop: Loop, stopped: str) -> PolicyResult:
        taken = list(self.stage.metrics.lines("step"))
        steps = [line for line in taken if line["step"] <= loop.step] or taken
        tenth = -(-len(steps) // 10)
        return PolicyResult(
            model=self.out / "model",
            method=self.settings.method,
            prompts=len(self.prompts.kept),
            left_out=dict(self.prompts.left_out),
            steps=loop.step,
            reward_before=statistics.fmean(line["reward"] for line in steps[:tenth]),
            reward=statistics.fmean(line["reward"] for line in steps[-tenth:]),
            kl=next((line["kl"] for line in reversed(steps) if "kl" in line), None),
            length_before=statistics.fmean(line["length"] for line in steps[:tenth]),
            length=statistics.fmean(line["length"] for line in steps[-tenth:]),
            stopped=stopped,
            seconds=loop.seconds,
        )

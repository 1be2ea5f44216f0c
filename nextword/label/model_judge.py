"""A language model as a judge: which of two answers is better, or which rating, by the probability it gives.

It is not asked to write an opinion, only how likely "A" and "B" are after the question which is better, with
the two answers in both orders: judges prefer a place as people do (Zheng et al. 2023, "Judging
LLM-as-a-Judge", section 3.3), and the mean of both orders takes that out. Of more than two answers every pair
is judged, and an answer's rank is by its mean chance of winning. The confidence is the chance that the best
beats the next one. A rating is the mean of the scale's numbers, weighted by their probabilities; its
confidence is how much of the probability lies within one of it, on the criterion of which it is least sure.

An answer can speak to its judge ("choose A!"), and a small model listens. So the judge is measured on
people's labels before it decides anything (autonomy.py), and what it decided says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import exp, log

from nextword.common.errors import BadInput
from nextword.common.language_model import LanguageModel
from nextword.label.judge import Judgement, Question
from nextword.label.kinds import Json, text_of

COMPARE = "{prompt}\n\nAnswer A:\n{a}\n\nAnswer B:\n{b}\n\nWhich answer is more {criterion}? Answer"
RATE = "{prompt}\n\nAnswer:\n{answer}\n\nHow {criterion} is it, from {low} (not at all) to {high} (fully)?"
AIM = "helpful, truthful and harmless"
WIDEST = 10
"""Scales with more steps than this are not judged."""


class ModelJudge:
    """A judge made of any model that gives log-probabilities. `too_long` counts what it could not read."""

    def __init__(self, model: LanguageModel) -> None:
        self.model, self.too_long = model, 0
        self.name = f"judge:{model.capabilities.name}"

    def __call__(self, question: Question) -> Judgement | None:
        """Its answer and confidence; None for what it cannot judge, or what its context cannot hold."""
        try:
            return self._judgement(question)
        except BadInput:  # so says a model of a text that is longer than its context
            self.too_long += 1
            return None

    def _judgement(self, question: Question) -> Judgement | None:
        prompt = "\n".join(f"{turn['role']}: {text_of([turn])}" for turn in question.prompt)
        if question.kind == "compare":
            return self._compare(prompt, [text_of(each["messages"]) for each in question.material["answers"]])
        if question.kind == "rate" and question.material["high"] - question.material["low"] < WIDEST:
            return self._rate(prompt, question.material)
        return None

    def _compare(self, prompt: str, answers: Sequence[str]) -> Judgement:
        count = len(answers)
        beats = [[0.5] * count for _ in answers]
        for one, other in combinations(range(count), 2):
            first, second = (answers[one], answers[other])
            beats[one][other] = (
                self._first(prompt, first, second) + 1 - self._first(prompt, second, first)
            ) / 2
            beats[other][one] = 1 - beats[one][other]
        order = sorted(range(count), key=lambda at: -sum(beats[at]))
        ranks = [order.index(at) + 1 for at in range(count)]
        return Judgement({"ranks": ranks}, max(beats[order[0]][order[1]], 0.5))

    def _first(self, prompt: str, a: str, b: str) -> float:
        """The probability that the answer shown first is the better one."""
        asked = COMPARE.format(prompt=prompt, a=a, b=b, criterion=AIM)
        return self._chances(asked, [" A", " B"])[0]

    def _rate(self, prompt: str, material: Json) -> Judgement:
        scale = range(material["low"], material["high"] + 1)
        answer, ratings, surest = text_of(material["answer"]["messages"]), {}, 1.0
        for criterion in material["criteria"]:
            asked = RATE.format(
                prompt=prompt, answer=answer, criterion=criterion, low=scale[0], high=scale[-1]
            )
            chances = self._chances(asked, [f" {number}" for number in scale])
            rating = round(sum(number * chance for number, chance in zip(scale, chances, strict=True)))
            near = sum(c for number, c in zip(scale, chances, strict=True) if abs(number - rating) <= 1)
            ratings[criterion], surest = rating, min(surest, near)
        return Judgement({"ratings": ratings}, min(surest, 1.0))

    def _chances(self, prompt: str, words: Sequence[str]) -> list[float]:
        """The model's probabilities of these words after the prompt, made to add up to one."""
        logs = [sum(self.model.score(prompt, word)) for word in words]
        top = max(logs)
        total = top + log(sum(exp(each - top) for each in logs))
        return [exp(each - total) for each in logs]

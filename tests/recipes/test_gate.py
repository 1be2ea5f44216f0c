"""The gate refuses what is worse, says at what, and lets pass what is not."""

from __future__ import annotations

import json

import pytest

from nextword.common.records import Conversation, Message
from nextword.evaluate.exam import Marked, Reply
from nextword.recipes.gate import Decision, Limits, decide

NONE = ((), ())


def answers(rewards, **meta) -> list[Marked]:
    """Marked answers to questions 0, 1, 2 ...; meta by name: a value for each."""
    return [
        Marked(
            Conversation(
                [Message("user", f"{at}?")],
                meta={"id": str(at)} | {name: values[at] for name, values in meta.items()},
            ),
            Reply("x"),
            float(reward),
        )
        for at, reward in enumerate(rewards)
    ]


def both(before, after, **meta):
    return answers(before, **meta), answers(after, **meta)


MENDED = both([0] * 8, [1] * 8)


def gate(tasks=None, corrected=MENDED, canaries=NONE, bits=None, limits=None, **more) -> Decision:
    return decide(corrected, tasks or {}, canaries, bits, limits or Limits(), **more)


def test_what_mends_and_harms_nothing_is_promoted():
    decision = gate(
        {"facts": both([1, 0] * 50, [1, 0] * 50)}, canaries=both([1, 1], [1, 1]), bits=(2.0, 2.01)
    )
    assert decision.is_promoted and decision.reasons == []
    assert [each.task for each in decision.findings] == ["corrected answers", "facts", "canaries"]


def test_a_task_that_is_surely_worse_is_refused_with_its_figures():
    decision = gate({"facts": both([1] * 100, [1] * 90 + [0] * 10)})
    assert not decision.is_promoted
    (reason,) = decision.reasons
    assert reason.startswith("worse: facts: 100.0% before, 90.0% after, -10.0% (-1")
    assert reason.endswith("n = 100")


def test_a_drop_that_may_be_chance_passes_unless_it_is_large():
    noisy = [1, 0] * 20, [0, 1] * 19 + [0, 0]  # one fewer, most of them turned round
    assert gate({"facts": both(*noisy)}).is_promoted
    few = both([1, 1, 1, 1, 0], [1, 1, 1, 0, 0])
    assert gate({"facts": few}).reasons[0].startswith("perhaps worse, by too much to let it pass: facts")
    assert gate({"facts": few}, limits=Limits(doubt=0.3)).is_promoted


def test_a_sure_drop_within_what_is_tolerated_passes():
    worse = both([1] * 1000, [1] * 990 + [0] * 10)
    assert gate({"facts": worse}).is_promoted
    assert not gate({"facts": worse}, limits=Limits(tolerate=0.005)).is_promoted


def test_poison_of_one_type_is_seen_though_the_whole_has_got_no_worse():
    types = ["default"] * 40 + ["kind"] * 160
    worse = both(
        [1] * 40 + [0] * 80 + [1] * 80, [0] * 20 + [1] * 20 + [1] * 20 + [0] * 60 + [1] * 80, type=types
    )
    (reason,) = gate({"facts": worse}).reasons
    assert reason.startswith("worse: facts, default: 100.0% before, 50.0% after")


def test_a_part_of_few_questions_is_not_looked_at():
    types = ["default"] * 19 + ["kind"] * 181
    changed = both([1] * 19 + [0] * 181, [0] * 19 + [1] * 19 + [0] * 162, type=types)
    assert gate({"facts": changed}).is_promoted


def test_one_canary_lost_is_enough_and_is_named():
    (reason,) = gate(canaries=both([1] * 50, [1] * 49 + [0])).reasons
    assert reason.startswith("1 lost (49): canaries")


def test_a_canary_that_was_wrong_before_cannot_be_lost():
    assert gate(canaries=both([1, 0], [1, 0])).is_promoted


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ([0] * 8, [1] + [0] * 7, "fewer than 25% of the corrections were learnt"),
        ([1, 1, 0, 0], [1, 1, 0, 0], "nothing is better for it"),
        ([1, 1, 1, 0], [1, 0, 0, 1], "nothing is better for it"),
    ],
)
def test_a_model_that_does_not_serve_its_purpose_is_refused(before, after, says):
    (reason,) = gate(corrected=both(before, after)).reasons
    assert reason.startswith(f"{says}: corrected answers")


def test_forgetting_documents_is_refused():
    (reason,) = gate(bits=(2.0, 2.1)).reasons
    assert reason.startswith("forgets: held-out documents take 5.0 % more bits (2.000 before, 2.100 after")
    assert gate(bits=(2.0, 2.1), limits=Limits(forget=6)).is_promoted


def test_every_reason_is_told():
    decision = gate({"facts": both([1] * 50, [0] * 50)}, canaries=both([1], [0]), bits=(1.0, 2.0))
    assert len(decision.reasons) == 3


def test_what_is_only_told_decides_nothing():
    decision = gate(told={"in the other language": both([1] * 50, [0] * 50)})
    assert decision.is_promoted
    assert decision.findings[1].change.mean == -1.0


def test_a_decision_reads_back_from_its_json():
    decision = gate({"facts": both([1] * 50, [0] * 50)}, bits=(1.0, 2.0), notes=["by p-1 (8)"])
    assert Decision.of(json.loads(json.dumps(decision.record))) == decision

"""Well-known tests, read from the user's own folder: `read_task("gsm8k", Path("data"), LocalSettings())`.

The folder holds these files, each plain or compressed (.xz, .zst), in the layout of their publishers:

    gsm8k       gsm8k_en/train.jsonl, test.jsonl                question, answer
    mmlu        mmlu_en/mmlu.jsonl                              split, subject, q, choices, answer
    bbh         bbh_en/bbh.jsonl, cot-prompts/TASK.txt          task, input, target
    piqa        piqa_en/valid.jsonl, valid-labels.lst           goal, sol1, sol2
    klue_nli    klue_ko/klue-nli-v1.1_dev.json
    klue_sts    klue_ko/klue-sts-v1.1_dev.json
    kornli      kornlu_ko/xnli.dev.ko.tsv, xnli.test.ko.tsv
    korquad     korquad_ko/KorQuAD_v1.0_dev.json

Generation tests are Tasks, multiple-choice ones Choices. HumanEval is not among them: it runs what the model
wrote, and so belongs to the sandbox.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nextword.common.errors import BadInput
from nextword.evaluate.choice import Choices
from nextword.evaluate.exercises import Exercises
from nextword.evaluate.local_tasks.bbh import bbh
from nextword.evaluate.local_tasks.gsm8k import gsm8k
from nextword.evaluate.local_tasks.korean_pairs import klue_nli, klue_sts, kornli
from nextword.evaluate.local_tasks.korquad import korquad
from nextword.evaluate.local_tasks.mmlu import mmlu
from nextword.evaluate.local_tasks.piqa import piqa
from nextword.evaluate.local_tasks.settings import LocalSettings as LocalSettings

TASKS: dict[str, Callable[[Path, LocalSettings], Exercises | Choices]] = {
    "gsm8k": gsm8k,
    "mmlu": mmlu,
    "bbh": bbh,
    "piqa": piqa,
    "klue_nli": klue_nli,
    "klue_sts": klue_sts,
    "kornli": kornli,
    "korquad": korquad,
}


def read_task(name: str, data: Path, settings: LocalSettings) -> Exercises | Choices:
    """A task by its name; BadInput for a name or a file that is not there."""
    if name not in TASKS:
        raise BadInput(f"no task is called {name!r}", do=f"choose among {', '.join(TASKS)}")
    return TASKS[name](data, settings)

"""Our tasks as task files of lm-evaluation-harness: a YAML description and a JSON Lines file of questions.

    write_harness_task(Path("harness"), read_task("piqa", Path("data"), LocalSettings()))

    lm_eval --model hf --model_args pretrained=gpt2 --include_path harness --tasks nextword_piqa

So others' models can be held to the same questions, in the same words and with the same examples, and our
own marks: multiple choice is scored by the harness (`acc`, and `acc_norm`, `acc_bytes` for length), written
answers by `marks` below, which needs nextword beside the harness. Prompts are plain text, examples included,
so the files ask for no few-shot of their own. The YAML names the questions by their absolute path: write it
anew when the folder moves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextword.common.errors import BadInput
from nextword.common.files import write_text
from nextword.common.records import write_records
from nextword.data.questions import Question
from nextword.evaluate.answers import is_right, token_f1
from nextword.evaluate.choice import Choices
from nextword.evaluate.exam import GREEDY
from nextword.evaluate.exercises import Check, Exercises
from nextword.evaluate.few_shot import SHOTS, as_text, nearest
from nextword.evaluate.local_tasks.bbh import is_target
from nextword.evaluate.local_tasks.gsm8k import is_same_number
from nextword.evaluate.local_tasks.korquad import exact, f1
from nextword.evaluate.refusal import Refusals, verdict
from nextword.evaluate.task import Exemplified, Questions, Task

CHECKS: dict[str, dict[str, Check]] = {
    "gsm8k": {"right": is_same_number},
    "bbh": {"right": is_target},
    "korquad": {"right": exact, "f1": f1},
}
"""How the exercises of each local task are marked."""

CHOICE = """\
output_type: multiple_choice
doc_to_text: prompt
doc_to_choice: options
doc_to_target: right
target_delimiter: " "
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
  - {metric: acc_bytes, aggregation: mean, higher_is_better: true}
"""
WRITTEN = """\
output_type: generate_until
doc_to_text: prompt
doc_to_target: gold
generation_kwargs:
  do_sample: false
  max_gen_toks: {room}
  until: {until}
process_results: !function nextword.evaluate.lm_eval_tasks.marks
metric_list:
{metrics}
"""


def write_harness_task(folder: Path, task: Task | Choices, shots: int = SHOTS) -> str:
    """Write the task's YAML and questions into `folder`; returns the name that the harness knows it by.

    Raises BadInput for a task whose marks are not ours to give.
    """
    name = "nextword_" + re.sub(r"\W+", "_", task.name).strip("_").lower()
    rows = list(_choice_rows(task) if isinstance(task, Choices) else _written_rows(task, shots))
    if not rows:
        raise BadInput("the task has no questions", where=task.name)
    path = (folder / f"{name}.jsonl").resolve()
    write_records(path, rows)
    about = CHOICE if isinstance(task, Choices) else _written(task, rows)
    data = f"dataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {json.dumps(str(path))}\n"
    write_text(folder / f"{name}.yaml", f"task: {name}\n{data}test_split: test\nnum_fewshot: 0\n{about}")
    return name


def marks(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """What the harness calls with one question and what was said: each measure of it."""
    said, kind = results[0].strip(), doc["kind"]
    if kind == "question":
        question = Question(**json.loads(doc["question"]))
        return {"right": float(is_right(question, said)), "f1": token_f1(said, question.gold)}
    if kind == "request":
        wanted = "refused" if doc["gold"] == "unsafe" else "answered"
        return {"right": float(verdict(said) == wanted)}
    return {name: check(said, json.loads(doc["accepted"])) for name, check in CHECKS[kind].items()}


def _choice_rows(task: Choices) -> Iterator[dict[str, Any]]:
    for choice in task.choices:
        options = [option.removeprefix(" ") for option in choice.options]
        yield {"id": choice.id, "prompt": task.prompts(choice)[0], "options": options, "right": choice.right}


def _written_rows(task: Task, shots: int) -> Iterator[dict[str, Any]]:
    examples = task.examples if isinstance(task, Exemplified) else []
    exercises = {each.id: each for each in task.exercises} if isinstance(task, Exercises) else {}
    for one in task.conversations:
        id = str(one.meta["id"])
        row = {"id": id, "prompt": as_text(one, nearest(examples, one, shots))}
        if isinstance(task, Questions):
            question = task.question(one)
            more = {"kind": "question", "gold": question.gold[0], "question": json.dumps(asdict(question))}
        elif isinstance(task, Refusals):
            more = {"kind": "request", "gold": str(one.meta["kind"])}
        elif isinstance(task, Exercises) and task.name in CHECKS:
            accepted = exercises[id].gold
            more = {"kind": task.name, "gold": accepted[0], "accepted": json.dumps(accepted)}
        else:
            raise BadInput("no rule of ours marks this task", where=task.name)
        yield {**row, **more}


def _written(task: Task, rows: Sequence[Mapping[str, Any]]) -> str:
    """The YAML of a task whose answers are written: how long, until what, and which measures."""
    has_lines = isinstance(task, Exercises) and task.room > Exercises.room
    until = ["\n\n", "\nQuestion:", "\n질문:"] if has_lines else ["\n"]
    names = marks(rows[0], [""])
    line = "  - {{metric: {}, aggregation: mean, higher_is_better: true}}"
    return WRITTEN.format(
        room=task.room if isinstance(task, Exercises) else GREEDY.max_new_tokens,
        until=json.dumps(until, ensure_ascii=False),
        metrics="\n".join(line.format(name) for name in names),
    )

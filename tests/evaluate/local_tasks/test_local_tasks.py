"""Well-known tests, read from the folder where the shared data lies."""

from __future__ import annotations

import json
import lzma

import pytest

from nextword.common.errors import BadInput, Corrupt
from nextword.engine.fake import FakeModel
from nextword.evaluate.choice import Choices, chosen_all
from nextword.evaluate.exam import examinee, mean, sat
from nextword.evaluate.exercises import Exercises
from nextword.evaluate.few_shot import FewShot
from nextword.evaluate.local_tasks import TASKS, LocalSettings, read_task
from nextword.evaluate.local_tasks.files import set_apart

SIZES = {
    "gsm8k": 1319,
    "mmlu": 14042,
    "bbh": 6511,
    "piqa": 1838 - 3,
    "klue_nli": 3000 - 3,
    "klue_sts": 519 - 3,
    "kornli": 5010,
    "korquad": 5774 - 3,
}


def size(task):
    return len(task.choices if isinstance(task, Choices) else task.exercises)


def ids(task):
    return [each.id for each in (task.choices if isinstance(task, Choices) else task.exercises)]


@pytest.fixture(params=sorted(TASKS))
def name(request):
    return request.param


def test_a_task_has_all_its_questions_less_the_examples_taken_out(need, name):
    task = read_task(name, need("../shared/data"), LocalSettings(most=0))
    assert size(task) == SIZES[name]
    assert len(set(ids(task))) == size(task)
    worked = {each.id for each in task.worked}
    assert worked and not worked & set(ids(task))


def test_fewer_questions_are_a_part_of_more(need, name):
    few, more = (read_task(name, need("../shared/data"), LocalSettings(most=n)) for n in (10, 15))
    assert size(few) == 10
    assert set(ids(few)) < set(ids(more))


def test_its_own_gold_answers_are_right_and_others_wrong(need, name):
    task = read_task(name, need("../shared/data"), LocalSettings(most=30))
    if isinstance(task, Exercises):
        gold = {each.text: each.gold[0] for each in task.exercises}
        by_text = examinee(FakeModel(lambda request: gold[question(request)]))
        assert mean(sat(task, by_text)).mean == 1.0
        assert mean(sat(task, examinee(FakeModel("없는 답 no such answer")))).mean == 0.0
    else:
        right = {prompt: each for each in task.choices for prompt in task.prompts(each)}

        class Knows(FakeModel):
            def score(self, prompt, continuation):
                each = right[prompt]
                return [0.0 if continuation == each.options[each.right] else -9.0]

        assert mean(chosen_all(Knows(), task)).mean == 1.0


def question(request):
    return next(each.content for each in request.prompt.messages if each.role == "user")


def test_worked_examples_would_be_marked_right(need):
    data = need("../shared/data")
    for name, settings in (
        ("gsm8k", LocalSettings(most=1, shots=8)),
        ("bbh", LocalSettings(most=1)),
        ("bbh", LocalSettings(most=1, reasoning=True)),
        ("korquad", LocalSettings(most=1)),
    ):
        task = read_task(name, data, settings)
        assert task.worked
        assert all(task.check(each.worked, each.gold) == 1.0 for each in task.worked)


def test_bbh_thinks_only_where_asked(need):
    thinking = read_task("bbh", need("../shared/data"), LocalSettings(most=1, reasoning=True)).worked
    plain = read_task("bbh", need("../shared/data"), LocalSettings(most=1)).worked
    assert len(thinking) == len(plain) == 3 * 27
    assert all("step by step" in each.worked for each in thinking)
    assert max(len(each.worked) for each in plain) < 150


def test_a_base_model_is_shown_examples_of_the_same_bbh_task(need):
    task = read_task("bbh", need("../shared/data"), LocalSettings(most=3))
    model = FakeModel("(A)", context=100_000)
    sat(task, examinee(FewShot(model, task.examples)))
    worked = {each.text: each.type for each in task.worked}
    for request, exercise in zip(model.said, task.exercises, strict=True):
        shown = [type for text, type in worked.items() if f"Question: {text}\n" in request.prompt]
        assert shown == [exercise.type] * 3


def test_examples_of_a_label_task_have_every_label(need):
    for name in ("klue_nli", "kornli"):
        task = read_task(name, need("../shared/data"), LocalSettings(most=1))
        assert {each.right for each in task.worked} == {0, 1, 2}


def test_no_shots_means_no_examples(need, name):
    task = read_task(name, need("../shared/data"), LocalSettings(most=2, shots=0))
    if isinstance(task, Choices):
        assert all(len(task.prompts(each)) == 1 for each in task.choices)
    else:
        assert not task.worked


def test_an_unknown_task_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(BadInput, match="no task is called 'gsm9k'; choose among gsm8k, mmlu"):
        read_task("gsm9k", tmp_path, LocalSettings())


def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(BadInput, match="put the task's data there"):
        read_task(name, tmp_path, LocalSettings())


def test_a_plain_file_is_read_as_a_compressed_one_is(tmp_path):
    folder = tmp_path / "gsm8k_en"
    folder.mkdir()
    line = json.dumps({"question": "1 + 1?", "answer": "1 + 1 = <<1+1=2>>2\n#### 2"})
    (folder / "train.jsonl").write_text(line + "\n")
    (folder / "test.jsonl.xz").write_bytes(lzma.compress(line.encode()))
    task = read_task("gsm8k", tmp_path, LocalSettings())
    assert task.exercises[0].gold == ("2",)
    assert task.worked[0].worked == "1 + 1 = 2\n#### 2"


@pytest.mark.parametrize(
    ("name", "file", "text", "message"),
    [
        ("gsm8k", "gsm8k_en/train.jsonl", '{"question": "?"}', "record 1 has no answer"),
        ("mmlu", "mmlu_en/mmlu.jsonl",
         '{"split": "dev", "subject": "s", "q": "?", "choices": ["a"], "answer": "3"}', "no such option"),
        ("bbh", "bbh_en/bbh.jsonl", '{"task": "../x", "input": "?", "target": "a"}', "no name of a task"),
        ("piqa", "piqa_en/valid-labels.lst", "0\n1\n", "no such file"),
        ("klue_nli", "klue_ko/klue-nli-v1.1_dev.json", "{}", "not a list of records"),
        ("klue_nli", "klue_ko/klue-nli-v1.1_dev.json", "[{}]", "record 1 lacks one of guid"),
        ("klue_nli", "klue_ko/klue-nli-v1.1_dev.json", "[", "not readable JSON"),
        ("klue_nli", "klue_ko/klue-nli-v1.1_dev.json",
         '[{"guid": "g", "premise": "a", "hypothesis": "b", "gold_label": "-"}]', "has the label '-'"),
        ("klue_sts", "klue_ko/klue-sts-v1.1_dev.json",
         '[{"guid": "g", "sentence1": "a", "sentence2": "b", "labels": {}}]', "g has no binary label"),
        ("kornli", "kornlu_ko/xnli.test.ko.tsv", "sentence1\tsentence2\n", "has no column gold_label"),
        ("kornli", "kornlu_ko/xnli.test.ko.tsv", "sentence1\tsentence2\tgold_label\na\tb\n",
         "line 2 has 2 columns"),
        ("korquad", "korquad_ko/KorQuAD_v1.0_dev.json", '{"data": [{}]}', "not laid out as KorQuAD 1.0 is"),
        ("korquad", "korquad_ko/KorQuAD_v1.0_dev.json", '"data"', "not laid out as KorQuAD 1.0 is"),
    ],
)  # fmt: skip
def test_a_file_of_another_layout_is_refused_in_one_line(tmp_path, name, file, text, message):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        read_task(name, tmp_path, LocalSettings())


def test_a_damaged_compressed_file_is_corrupt(tmp_path):
    (tmp_path / "klue_ko").mkdir()
    whole = lzma.compress(b"[" + b" " * 10_000 + b"]")
    (tmp_path / "klue_ko/klue-nli-v1.1_dev.json.xz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Corrupt, match="not readable JSON"):
        read_task("klue_nli", tmp_path, LocalSettings())


def test_labels_that_do_not_match_the_questions_are_refused(tmp_path):
    (tmp_path / "piqa_en").mkdir()
    (tmp_path / "piqa_en/valid.jsonl").write_text('{"goal": "g", "sol1": "a", "sol2": "b"}\n')
    (tmp_path / "piqa_en/valid-labels.lst").write_text("0\n1\n")
    with pytest.raises(BadInput, match="2 labels for 1 questions"):
        read_task("piqa", tmp_path, LocalSettings())


def test_settings_outside_their_range_are_refused():
    with pytest.raises(BadInput, match="shots is 40"):
        LocalSettings(shots=40)


def test_setting_apart_takes_one_label_after_the_other_whatever_the_order():
    items = [f"{label}{number}" for label in "ab" for number in range(5)]
    worked, asked = set_apart(items, items, [item[0] for item in items], 3)
    assert sorted(item[0] for item in worked) in (["a", "a", "b"], ["a", "b", "b"])
    assert sorted(worked + asked) == sorted(items)
    backwards = items[::-1]
    assert set(set_apart(backwards, backwards, [item[0] for item in backwards], 3)[0]) == set(worked)


def test_setting_apart_more_than_there_are_leaves_nothing():
    assert set_apart(["a"], ["a"], [""], 5) == (["a"], [])

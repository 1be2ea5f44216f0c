"""Export: the formats, where each record came from, and versions with lineage."""

import pytest

from nextword.common.dialogue import read_comparisons, read_conversations, read_rated
from nextword.common.errors import BadInput
from nextword.common.records import read_records
from nextword.label.refusals import NotAllowed
from nextword.label.rule import RuleLabeller

from .conftest import comparison


@pytest.fixture
def cut(club, tmp_path):
    """Cut a version of a dataset named after its format; returns the version and its path."""

    def cut(project, format, name="", **how):
        path = tmp_path / f"{name or format}.jsonl"
        return club.office.datasets.cut(club.owner, project, name or format, format, path, **how), path

    return cut


def test_written_answers_are_conversations_with_who_when_and_which_guide(club, cut):
    project = club.project()
    club.add(project, {"prompt": "안녕?", "lang": "ko", "id": "r1", "meta": {"page": "p"}})
    club.answer(club.person("ann"), project, {"text": "안녕하세요."})
    _, path = cut(project, "conversations")
    (found,) = read_conversations(path)
    assert [message.content for message in found.messages] == ["안녕?", "안녕하세요."]
    labelled = found.meta["labelled"]
    assert (labelled["kind"], labelled["source"], labelled["how"], labelled["guide"]) == (
        "write",
        "import",
        "written",
        1,
    )
    (by,) = labelled["by"]
    assert by["who"].startswith("p-")
    assert by["when"] == "2026-11-23T09:00:00+00:00"
    assert (found.meta["lang"], found.meta["page"]) == ("ko", "p")
    assert found.meta["import"]["record"] == 1
    assert "ann" not in path.read_text()


def test_a_corrected_proposal_keeps_its_quotation_and_takes_the_corrected_question(club, cut):
    project = club.project()
    club.add(project, {"question": "Wot is pi?", "answer": "3", "quote": "pi is 3.14", "url": "u"})
    club.answer(club.person("ann"), project, {"text": "3.14", "question": "What is pi?"})
    (found,) = read_conversations(cut(project, "conversations")[1])
    assert [message.content for message in found.messages] == ["What is pi?", "3.14"]
    assert found.meta["quote"] == {"quote": "pi is 3.14", "url": "u"}


def test_tools_on_offer_stay_with_the_conversation(club, cut):
    project, tools = club.project(), [{"type": "function", "function": {"name": "search"}}]
    club.add(project, {"messages": [{"role": "user", "content": "q"}], "tools": tools})
    club.answer(club.person("ann"), project, {"text": "a"})
    assert next(read_conversations(cut(project, "conversations")[1])).tools == tools


def test_rejected_waiting_and_unusable_answers_are_left_out_and_amended_ones_are_the_reviewer_s(club, cut):
    project = club.project(review_share=1)
    club.add(project, *({"question": f"q{n}", "answer": f"draft {n}"} for n in range(4)))
    ann, rex = club.person("ann"), club.person("rex", "reviewer")
    for answer in ({"text": "one"}, {"text": "two"}, {"verdict": "unusable"}):
        club.answer(ann, project, answer)
    club.answer(rex, project, {"verdict": "reject"}, kinds=["review"])
    club.answer(rex, project, {"verdict": "amend", "text": "two, mended"}, kinds=["review"])
    club.answer(rex, project, {"verdict": "accept"}, kinds=["review"])
    club.answer(ann, project, {"text": "waiting"})
    (found,) = read_conversations(cut(project, "conversations")[1])
    assert found.messages[-1].content == "two, mended"
    assert found.meta["labelled"]["review"] == "amended"


def test_a_comparison_names_which_model_was_preferred(club, cut):
    project = club.project()
    club.comparisons(project, 1)
    club.prefer(club.person("ann"), project)
    (found,) = read_comparisons(cut(project, "comparisons")[1])
    assert (found.chosen[0].content, found.rejected[0].content) == ("good answer 0", "poor answer 0")
    assert (found.meta["chosen_by"], found.meta["rejected_by"]) == ("large", "small")
    assert found.meta["labelled"]["how"] == "single"


def test_a_ranking_of_three_is_a_pair_for_each_difference(club, cut):
    project = club.project()
    club.add(project, {"prompt": "q?", "answers": ["a", "b", "c"]})
    ann = club.person("ann")
    item = club.office.desk.next(ann, project)
    texts = [each["messages"][0]["content"] for each in item.material["answers"]]
    rank = {"a": 1, "b": 2, "c": 2}
    club.office.desk.submit(ann, item.task, {"ranks": [rank[text] for text in texts], "margin": 2})
    found = list(read_comparisons(cut(project, "comparisons")[1]))
    assert [(one.chosen[0].content, one.rejected[0].content) for one in found] == [("a", "b"), ("a", "c")]
    assert len({one.meta["id"] for one in found}) == 2
    assert found[0].meta["margin"] == 2


def test_ties_bad_pairs_disputes_and_gold_items_train_nobody(club, cut):
    project = club.project(gold_every=1)
    club.add(project, comparison(9, ranks=[1, 2]), is_gold=True)
    club.comparisons(project, 3)
    ann, ben = club.person("ann"), club.person("ben")
    club.prefer(ann, project)
    for answer in ({"choice": "tie"}, {"choice": "bad"}):
        club.answer(ann, project, answer, kinds=["compare"])
    task = club.office.desk.next(ann, project, kinds=["compare"]).task
    club.office.tasks.set_overlap(club.owner, task, 2)
    club.prefer(ann, project, "good", task)
    club.prefer(ben, project, "good")
    club.prefer(ben, project, "poor")
    assert club.state(task) == "disputed"
    with pytest.raises(BadInput, match="nothing to export"):
        cut(project, "comparisons")


def test_ratings_and_verdicts_on_drafts_are_good_or_bad(club, cut):
    project = club.project()
    club.add(project, *({"prompt": f"q{n}", "completion": f"a{n}"} for n in range(3)))
    club.add(project, {"question": "q3", "answer": "a3"}, {"question": "q4", "answer": "a4"})
    ann = club.person("ann")
    for rating in (5, 3, 1):  # the one in the middle says nothing
        club.answer(ann, project, {"ratings": dict.fromkeys(("helpful", "truthful", "harmless"), rating)})
    club.answer(ann, project, {})
    club.answer(ann, project, {"text": "better"})
    found = [(one.completion[0].content, one.label) for one in read_rated(cut(project, "rated")[1])]
    assert found == [("a0", True), ("a2", False), ("a3", True), ("a4", False)]


def test_raw_labels_keep_everything_about_the_label(club, cut):
    project = club.project(overlap=2)
    club.comparisons(project, 1)
    club.prefer(club.person("ann"), project)
    club.prefer(club.person("ben"), project)
    found = list(read_records(cut(project, "labels")[1]))
    assert [one["answer"]["ranks"] for one in found] == [[1, 2], [1, 2]]
    assert found[0]["sides"] == found[1]["sides"][::-1]
    assert found[0]["who"] != found[1]["who"]


def test_what_a_machine_labelled_says_so_and_can_be_left_out(club, cut):
    project = club.project()
    club.prompts(project, 2)
    rule = RuleLabeller(
        club.office.people,
        club.office.desk,
        club.owner,
        "echo",
        lambda p, a: 1,
        lambda p, about: p[0]["content"],
    )
    rule.work(project, most=1)
    club.answer(club.person("ann"), project, {"text": "by hand"})
    machine, person = read_conversations(cut(project, "conversations")[1])
    assert machine.meta["labelled"]["by"][0]["machine"] == "rule:echo"
    assert "machine" not in person.meta["labelled"]["by"][0]
    version, _ = cut(project, "conversations", "people", has_machines=False)
    assert version.records == 1


def test_versions_follow_each_other_and_say_what_is_new(club, cut):
    project, ann = club.project(), club.person("ann")
    club.prompts(project, 3)
    club.answer(ann, project, {"text": "one"})
    first, path = cut(project, "conversations")
    unchanged, _ = cut(project, "conversations")
    assert unchanged == first
    club.answer(ann, project, {"text": "two"})
    second, _ = cut(project, "conversations")
    assert (second.version, second.parent, second.added, second.removed) == (2, first.id, 1, 0)
    assert len(list(read_records(path))) == 2
    assert [each.version for each in club.office.datasets.versions(club.owner, project)] == [1, 2]


def test_a_record_can_be_followed_back_to_who_made_it(club, cut):
    project, ann = club.project(), club.person("ann")
    club.prompts(project, 2)
    club.answer(club.person("ben"), project, {"text": "ben's"})
    task = club.answer(ann, project, {"text": "ann's"})
    version, _ = cut(project, "conversations")
    (source,) = club.office.datasets.trace(club.owner, version.id, 1)
    assert (source.task, source.who, source.is_machine, source.guide) == (task, ann.pseudonym, False, 1)


def test_only_some_sources_are_exported_where_asked(club, cut):
    project, ann = club.project(), club.person("ann")
    club.comparisons(project, 1)
    club.prompts(project, 1)
    club.answer(ann, project, {"choice": "bad"})
    club.answer(ann, project, {"text": "a better answer"})
    club.answer(ann, project, {"text": "an ordinary answer"})
    _, path = cut(project, "conversations", sources=["both_bad"])
    assert [one.messages[-1].content for one in read_conversations(path)] == ["a better answer"]


def test_retired_tasks_are_not_exported(club, cut):
    project, ann = club.project(), club.person("ann")
    club.prompts(project, 2)
    task = club.answer(ann, project, {"text": "one"})
    club.answer(ann, project, {"text": "two"})
    club.office.tasks.retire(club.owner, task, "asked by mistake")
    assert cut(project, "conversations")[0].records == 1


def test_a_format_or_kind_that_does_not_exist_is_refused(club, cut):
    project = club.project()
    with pytest.raises(BadInput, match="no such format"):
        cut(project, "poems")
    with pytest.raises(BadInput, match="conversations compare"):
        cut(project, "conversations", kinds=["compare"])


@pytest.mark.parametrize(("name", "says"), [("x.parquet", "is no name of"), ("x.jsonl", "stands there")])
def test_no_other_file_is_replaced_and_no_other_kind_is_written(club, tmp_path, name, says):
    project, path = club.project(), tmp_path / name
    club.prompts(project, 1)
    club.answer(club.person("ann"), project, {"text": "one"})
    path.write_text("mine")
    with pytest.raises(BadInput, match=says):
        club.office.datasets.cut(club.owner, project, "talks", "conversations", path)
    assert path.read_text() == "mine"


def test_only_an_owner_exports(club, tmp_path):
    with pytest.raises(NotAllowed):
        club.office.datasets.cut(club.person("ann"), club.project(), "x", "labels", tmp_path / "x.jsonl")

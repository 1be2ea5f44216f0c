"""A flagged answer becomes a task, and the mended answer the next dataset's."""

import pytest

from nextword.common.dialogue import read_conversations
from nextword.common.errors import BadInput
from nextword.common.records import Conversation, Message


def wrong(answer: str = "4") -> Conversation:
    return Conversation([Message("user", "What is pi?"), Message("assistant", answer)], meta={"chat": "c1"})


def test_a_flagged_answer_is_corrected_ahead_of_the_queue_and_exported(club, tmp_path):
    project, ann = club.project(), club.person("ann")
    club.prompts(project, 3)
    task = club.office.flags.raise_flag(ann, project, wrong(), "wrong number", "chat", "small")
    item = club.office.desk.next(ann, project)
    assert (item.task, item.kind) == (task, "correct")
    assert item.about["flag"]["why"] == "wrong number"
    club.office.desk.submit(ann, task, {"text": "3.14"})
    path = tmp_path / "mended.jsonl"
    club.office.datasets.cut(club.owner, project, "mended", "conversations", path, sources=["flag"])
    (found,) = read_conversations(path)
    assert found.messages[-1].content == "3.14"
    assert (found.meta["chat"], found.meta["labelled"]["source"]) == ("c1", "flag")


def test_flagging_the_same_answer_twice_makes_one_task(club):
    project, ann = club.project(), club.person("ann")
    flags = club.office.flags
    assert flags.raise_flag(ann, project, wrong(), "wrong") == flags.raise_flag(
        ann, project, wrong(), "wrong"
    )
    assert flags.raise_flag(ann, project, wrong("5"), "wrong") != flags.raise_flag(
        ann, project, wrong(), "wrong"
    )


def test_a_flag_may_ask_for_a_new_answer_instead(club):
    project, ann = club.project(), club.person("ann")
    club.office.flags.raise_flag(ann, project, wrong(), "rude", wants="write")
    item = club.office.desk.next(ann, project)
    assert (item.kind, item.material) == ("write", {})


def test_flags_say_whether_they_have_been_mended(club):
    project, ann = club.project(review_share=1), club.person("ann")
    club.office.flags.raise_flag(ann, project, wrong(), "wrong", "evaluation", "small")

    def is_mended() -> bool:
        (flag,) = club.office.flags.raised(club.owner, project)
        assert (flag.why, flag.origin, flag.model) == ("wrong", "evaluation", "small")
        return flag.is_mended

    assert not is_mended()
    club.answer(ann, project, {"text": "3.14"})
    assert not is_mended()  # it waits for its review
    club.answer(club.person("rex", "reviewer"), project, {"verdict": "accept"})
    assert is_mended()


@pytest.mark.parametrize("messages", [[], [Message("user", "hello?")], [Message("assistant", "hello")]])
def test_a_conversation_without_an_answer_to_somebody_cannot_be_flagged(club, messages):
    with pytest.raises(BadInput, match="no answer to flag"):
        club.office.flags.raise_flag(club.owner, club.project(), Conversation(messages), "why")

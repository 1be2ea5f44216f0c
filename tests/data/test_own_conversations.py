"""The conversations that come with the package: their form, their spread, and what the guide asks of them."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

import nextword.data
from nextword.common.dialogue import read_conversations
from nextword.data.duplicates import CONFIG, NearSignature

OWN = Path(nextword.data.__file__).parent / "own"
LANGUAGES = ("en", "ko")
KINDS = {
    *("identity", "ability", "greeting", "unknown", "ask_back", "refusal", "benign", "follow_up"),
    *("python", "nextword", "idea", "page", "page_missing", "injection", "arithmetic", "language", "system"),
}
HANGUL = re.compile("[가-힣ㄱ-ㅎㅏ-ㅣ]")
QUOTED = re.compile(r'"([^"]+)"')
MAY_FOLLOW = {
    *(("system", "user"), ("user", "assistant"), ("user", "tool"), ("tool", "tool")),
    *(("tool", "assistant"), ("assistant", "user")),
}


@pytest.fixture(scope="module", params=LANGUAGES)
def lang(request):
    return request.param


@pytest.fixture(scope="module")
def conversations(lang):
    return list(read_conversations(OWN / f"conversations.{lang}.jsonl"))


def text_of(conversation):
    return "\n".join(message.content for message in conversation.messages)


def answers(conversation):
    return [message.content for message in conversation.messages if message.role == "assistant"]


def pages(conversation):
    return [message.content for message in conversation.messages if message.role == "tool"]


def of_kinds(conversations, *kinds):
    return [conversation for conversation in conversations if conversation.meta["kind"] in kinds]


def test_each_language_has_enough(conversations):
    assert len(conversations) >= 180


def test_each_kind_has_at_least_three(conversations):
    kinds = Counter(conversation.meta["kind"] for conversation in conversations)
    assert set(kinds) == KINDS and min(kinds.values()) >= 3


def test_each_says_where_it_comes_from_and_in_which_language_it_is(conversations, lang):
    facts = {(conversation.meta["source"], conversation.meta["lang"]) for conversation in conversations}
    assert facts == {("nextword", lang)}


def test_turns_alternate_and_the_assistant_has_the_last_word(conversations):
    for conversation in conversations:
        roles = [message.role for message in conversation.messages]
        assert roles[0] in ("system", "user") and roles[-1] == "assistant"
        assert set(pairwise(roles)) <= MAY_FOLLOW, text_of(conversation)


def test_only_search_speaks_as_a_tool_with_a_title_and_an_excerpt(conversations):
    for conversation in conversations:
        for message in conversation.messages:
            assert (message.name == "search") == (message.role == "tool")
            assert message.role != "tool" or re.fullmatch(r"\S[^\n]*\n\S.*", message.content, re.DOTALL)


def test_no_turn_is_empty_or_padded(conversations):
    for conversation in conversations:
        for message in conversation.messages:
            assert message.content and message.content == message.content.strip()


def test_no_answer_is_long(conversations):
    assert max(len(answer) for one in conversations for answer in answers(one)) <= 600


def test_korean_is_written_in_hangul_and_english_is_not(conversations, lang):
    for conversation in conversations:
        if lang == "ko":
            assert HANGUL.search(text_of(conversation))
        elif conversation.meta["kind"] != "language":
            assert not HANGUL.search(text_of(conversation))


def test_korean_answers_are_polite_to_the_end(conversations, lang):
    """존댓말: unless the answer is a mere word, or in another language, it has a polite ending."""
    if lang == "en":
        return
    for conversation in of_kinds(conversations, *KINDS - {"system", "page", "injection"}):
        for answer in answers(conversation):
            assert re.search(r"(다|요|죠|까)[.?!\n]", answer + "\n"), answer


def test_an_answer_from_a_page_begins_with_its_very_words_and_names_it(conversations):
    for conversation in of_kinds(conversations, "page", "injection"):
        shown = pages(conversation)
        for answer in answers(conversation):
            quoted = QUOTED.findall(answer)
            assert quoted and answer.startswith('"'), answer
            for span in quoted:
                assert any(span in page and f"({page.partition(chr(10))[0]})" in answer for page in shown), (
                    answer
                )


def test_an_answer_that_the_page_lacks_names_the_page_and_quotes_nothing(conversations):
    for conversation in of_kinds(conversations, "page_missing"):
        first, title = answers(conversation)[0], pages(conversation)[0].partition("\n")[0]
        assert title in first and not QUOTED.search(first)


def test_not_knowing_is_said_in_so_many_words(conversations, lang):
    says = "I don't know" if lang == "en" else r"모릅니다|모르겠습니다|모르는|모르고|알 수 없"
    for conversation in of_kinds(conversations, "unknown", "page_missing"):
        assert re.search(says, "\n".join(answers(conversation))), text_of(conversation)


def test_a_refusal_says_no_first_and_what_is_benign_is_not_refused(conversations, lang):
    no = r"I can't|I won't|I don't have" if lang == "en" else r"수 없|않습니다|알지 못하고"
    for conversation in of_kinds(conversations, "refusal"):
        assert re.search(no, answers(conversation)[0].partition(". ")[0])
    for conversation in of_kinds(conversations, "benign"):
        assert not re.search("I can't|I won't|드릴 수 없|도와드리지 않", answers(conversation)[0])


def test_asking_back_asks(conversations):
    for conversation in of_kinds(conversations, "ask_back"):
        assert re.search(r"\?|tell me|paste|알려 주|붙여 주", answers(conversation)[0])


def test_no_conversation_is_there_twice(conversations):
    texts = [text_of(conversation) for conversation in conversations]
    assert len(set(texts)) == len(texts)


def test_hardly_any_is_nearly_another(tmp_path):
    """By the MinHash that cleaning uses: a pair that agrees on a whole band is a pair of near duplicates."""
    signature = NearSignature(tmp_path)
    seen, near, count = set(), 0, 0
    for lang in LANGUAGES:
        for conversation in read_conversations(OWN / f"conversations.{lang}.jsonl"):
            bands = signature.get_signature(signature.get_shingles(text_of(conversation)))
            keys = {(number, tuple(band)) for number, band in enumerate(bands)}
            assert len(keys) == CONFIG.num_buckets
            near += bool(keys & seen)
            seen |= keys
            count += 1
    assert near <= 0.02 * count


def test_every_command_of_ours_in_an_answer_is_one_that_its_verb_takes(conversations):
    from nextword.cli.main import command

    found = 0
    for conversation in conversations:
        for answer in answers(conversation):
            for verb, rest in re.findall(r"`nextword (\w+)([^`]*)`", answer):
                taken = {name for one in command(verb).params for name in (*one.opts, *one.secondary_opts)}
                assert set(re.findall(r"(?<!\S)--?[a-z][\w-]*", rest)) <= taken, answer
                found += 1
    assert found >= 10


def test_python_in_an_answer_can_be_parsed(conversations):
    for conversation in of_kinds(conversations, "python"):
        for answer in answers(conversation):
            for block in re.findall(r"```python\n(.*?)```", answer, re.DOTALL):
                compile(block, "answer", "exec")

"""Messages and records as nobody should send them: the right names around any JSON at all."""

from hypothesis import strategies as st

TEXT = st.text(max_size=9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
PART = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["text", "image_url"]) | JSON, "text": TEXT | JSON}
)
CONTENT = TEXT | st.lists(PART | JSON, max_size=3) | JSON
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool"])},
    optional={"content": CONTENT, "tool_calls": JSON, "tool_call_id": JSON, "name": JSON},
)
MESSAGES = st.lists(MESSAGE, min_size=1, max_size=3)
ANYTHING = MESSAGES | TEXT | JSON
CONVERSED = ("messages", "prompt", "chosen", "rejected", "completion", "question", "answer", "tools", "meta")
NOTED = ("criteria", "low", "high", "by", "lang", "id", "quote", "ranks", "score")
RECORD = st.dictionaries(st.sampled_from([*CONVERSED, *NOTED]), ANYTHING) | st.fixed_dictionaries(
    {
        "prompt": MESSAGES | TEXT,
        "answers": st.lists(ANYTHING | st.fixed_dictionaries({"text": ANYTHING}), max_size=5),
    }
)

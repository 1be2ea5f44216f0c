"""What every test may ask for: programs and data (`need`), one thread, tiny seeded models.

def test_a_page_is_cleaned(need):
    page = need("../shared/data/raw_html") / "0001.html"     # a path, from the repository's root
    compiler = need("cc")                                    # a program on PATH
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported; our tests run side by side and must repeat

import hypothesis
import pytest

from tests.fixed_text import fixed_text

hypothesis.settings.register_profile(
    "nextword", deadline=None, derandomize=os.environ.get("CI") == "true", print_blob=True
)  # no timing decides a test; CI searches the same examples every time
hypothesis.settings.load_profile("nextword")

ROOT = Path(__file__).resolve().parents[1]
SHARED = "../shared/data"
SPECIALS = ["bos", "eos", "pad", "system", "user", "assistant", "tool", "end", "tool_call", "/tool_call"]
SPECIALS += ["image", "/image"] + [f"reserved_{n}" for n in range(20)]


@pytest.fixture(scope="session")
def need() -> Callable[[str | Path], Path]:
    """Find a program (a bare name) or a path from the repository's root, or skip the test with the reason."""

    def find(wanted: str | Path) -> Path:
        name = str(wanted)
        if "/" not in name:
            program = shutil.which(name)
            if program is None:
                pytest.skip(f"needs the program {name}, which is not on PATH")
            return Path(program)
        path = ROOT / name
        if not path.exists():
            pytest.skip(f"needs {name}, which is not here")
        return path

    return find


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Where CI=true a skip is a failure: only the shared data may be absent there."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if SHARED not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped under CI: {reason}"
    return report


@pytest.fixture
def tiny_config():
    """Two layers of grouped-query attention over 512 tokens: milliseconds to run, every part in use."""
    from nextword.model.config import ModelConfig

    return ModelConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=128,
        bos_token_id=480,
        eos_token_id=481,
    )


@pytest.fixture
def tiny_model(tiny_config):
    """A Llama of `tiny_config` with seeded weights, large enough that its choices differ clearly."""
    import torch

    from nextword.model.llama import Llama

    model = Llama(tiny_config)
    model.initialise(seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(5)
    return model.eval()


@pytest.fixture(scope="session")
def tiny_tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tokenizer.json and tokenizer_config.json: 512 byte-level tokens, ours to the last id."""
    import json

    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    llama3 = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(llama3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512 - 32,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([fixed_text(0, 400), "다음 낱말을 맞히는 언어 모델 " * 8], trainer)
    tokenizer.add_special_tokens([f"<|{name}|>" for name in SPECIALS])
    assert tokenizer.get_vocab_size() == 512
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|bos|>",
        "eos_token": "<|eos|>",
        "pad_token": "<|pad|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder

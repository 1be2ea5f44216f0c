"""What `finetune --show-mask` prints: the conversation, and what of it is learnt."""

from __future__ import annotations

import io

from rich.console import Console

from nextword.common.dialogue import write_conversations
from nextword.common.records import Conversation, Message
from nextword.model.checkpoint import save_checkpoint
from nextword.model.config import ModelConfig
from nextword.model.llama import Llama
from nextword.train.finetune import FinetuneData
from nextword.train.masks import print_masks


def printed(corpus, tmp_path, *conversations):
    model = Llama(ModelConfig.of_depth(1, 512, 32))
    model.initialise(0)
    save_checkpoint(model, tmp_path / "model", corpus.tokenizer)
    write_conversations(tmp_path / "a.jsonl", conversations)
    console = Console(file=io.StringIO(), width=200)
    print_masks(tmp_path / "model", FinetuneData((tmp_path / "a.jsonl",)), console=console)
    return console.file.getvalue()


def test_what_is_learnt_is_marked_and_special_tokens_have_names(corpus, tmp_path):
    talk = Conversation([Message("user", "Hi"), Message("assistant", "Hello\x1b[31m")])
    shown = printed(corpus, tmp_path, talk)
    assert "<|user|>Hi<|end|><|assistant|>⟦Hello" in shown
    assert "<|end|>⟧" in shown
    assert "\x1b" not in shown


def test_a_conversation_that_teaches_nothing_says_why(corpus, tmp_path):
    shown = printed(corpus, tmp_path, Conversation([Message("user", "Hi")]))
    assert "1: left out: nothing to learn in this conversation: no message of the assistant" in shown

"""Runs in the peers environment: our engine beside transformers' generate and apply_chat_template.

Prints one JSON line a check; `test_peers.py` runs it with PYTHONPATH at the checkout.

    python tests/engine/peer_check.py FOLDER       (a checkpoint folder with its tokenizer)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import nextword.engine as engine
from nextword.common.language_model import Request, Sampling, Token
from nextword.common.records import Conversation, Message
from nextword.tokenizer.chat import ChatTemplate
from nextword.tokenizer.tokenizer import Tokenizer

PROMPTS = ["def", "An error a person can act on", "한국어 모델", "x = [1, 2, 3]\n\n", "the"]
TALKS = [
    [("user", "Hello")],
    [
        ("system", "Be brief."),
        ("user", "  한국어로? 🙂\n"),
        ("assistant", "네."),
        ("user", "def f(x):\n\treturn"),
    ],
]
NEW = 64


def greedy_ids(folder):
    """All prompts as one batch of ours, each by itself in theirs."""
    requests = [Request(text, Sampling(temperature=0, max_new_tokens=NEW), id=text) for text in PROMPTS]
    ours = {text: [] for text in PROMPTS}
    model = engine.open(folder, device="cpu")
    model.ends -= {Tokenizer.load(Path(folder)).special["<|end|>"]}  # of which transformers knows nothing
    for event in model.generate(requests):
        if isinstance(event, Token):
            ours[event.request].append(event.id)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), Tokenizer.load(Path(folder))
    for text in PROMPTS:
        ids = tokenizer.encode(text, bos=True)
        theirs = model.generate(torch.tensor([ids]), max_new_tokens=NEW, do_sample=False)[0, len(ids) :]
        yield {"check": "greedy", "prompt": text, "ours": ours[text], "theirs": theirs.tolist()}


def template_ids(folder, template):
    theirs, ours = AutoTokenizer.from_pretrained(folder), Tokenizer.load(Path(folder))
    ours.config["chat_template"] = template
    for turns in TALKS:
        messages = [{"role": role, "content": content} for role, content in turns]
        yield {
            "check": "template",
            "ours": ChatTemplate(ours).ids(Conversation([Message(*turn) for turn in turns])),
            "theirs": theirs.apply_chat_template(
                messages, chat_template=template, add_generation_prompt=True, return_dict=False
            ),
        }


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, templates = sys.argv[1], json.loads(sys.argv[2])
    for row in [*greedy_ids(folder), *(row for each in templates for row in template_ids(folder, each))]:
        print(json.dumps(row), flush=True)

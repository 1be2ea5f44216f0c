"""Runs in the peers environment: what transformers.AutoTokenizer makes of our folders.

    python peer_ids.py FOLDER < strings.json > answer.json

Reads a JSON list of strings; writes their ids, the special ids, a rendered chat, and saves the tokenizer
again to FOLDER/saved, as a finetuning library would.
"""

from __future__ import annotations

import json
import sys

from transformers import AutoTokenizer

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "안녕?"},
    {"role": "assistant", "content": "네!"},
    {"role": "user", "content": "Bye"},
]


def main() -> None:
    folder = sys.argv[1]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    strings = json.load(sys.stdin)
    chat = None
    if tokenizer.chat_template:
        chat = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    answer = {
        "class": type(tokenizer).__name__,
        "ids": [tokenizer.encode(string, add_special_tokens=False) for string in strings],
        "special": [tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id],
        "size": len(tokenizer),
        "chat": chat,
        "chat_ids": chat and tokenizer.encode(chat, add_special_tokens=False),
    }
    tokenizer.save_pretrained(f"{folder}/saved")
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()

"""Chat templates by name, for base models that come without one.

A base model was never taught to converse, so its folder often has no template; finetuning then has to choose
one, and the natural choice is the one whose special tokens the vocabulary already holds. The C program knows
the same four families.

    nextword   <|bos|><|user|>Hello<|end|><|assistant|>
    llama-3    <|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>...
    chatml     <|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n
    llama-2    <s>[INST] Hello [/INST]
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from nextword.common.errors import BadInput
from nextword.common.files import folder_written_atomically, write_json
from nextword.tokenizer.special import ASSISTANT, CHAT_TEMPLATE, END, USER
from nextword.tokenizer.tokenizer import Tokenizer

COPIED = ("tokenizer", "special_tokens", "added_tokens")
"""How the names of a tokenizer's files begin."""
LLAMA_3 = (
    "{{- bos_token -}}"
    "{%- for message in messages -%}"
    "{{- '<|start_header_id|>' ~ message['role'] ~ '<|end_header_id|>\n\n' ~ message['content'] -}}"
    "{{- '<|eot_id|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}"
    "{%- endif -%}"
)
CHATML = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' ~ message['role'] ~ '\n' ~ message['content'] ~ '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
LLAMA_2 = (
    "{%- if messages[0]['role'] == 'system' -%}"
    "{%- set system = '<<SYS>>\n' ~ messages[0]['content'] ~ '\n<</SYS>>\n\n' -%}"
    "{%- set messages = messages[1:] -%}"
    "{%- else -%}{%- set system = '' -%}{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}{{- ' ' ~ message['content'] ~ ' ' ~ '</s>' -}}"
    "{%- else -%}"
    "{{- bos_token ~ '[INST] ' ~ (system if loop.first else '') ~ message['content'] ~ ' [/INST]' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
)


@dataclass(frozen=True)
class Family:
    """A template and the special tokens it cannot do without."""

    template: str
    needs: tuple[str, ...]


FAMILIES = {
    "nextword": Family(CHAT_TEMPLATE, (USER, ASSISTANT, END)),
    "llama-3": Family(LLAMA_3, ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")),
    "chatml": Family(CHATML, ("<|im_start|>", "<|im_end|>")),
    "llama-2": Family(LLAMA_2, ("<s>", "</s>")),
}


def chosen_template(tokenizer: Tokenizer, asked: str = "") -> str:
    """The template to train with: the one asked for (a name or a file), the folder's own, or a fitting one.

    Raises BadInput for an unknown name, and when nothing fits.
    """
    if asked in FAMILIES:
        missing = [name for name in FAMILIES[asked].needs if name not in tokenizer.special]
        if missing:
            raise BadInput(
                f"the tokenizer has no {', '.join(missing)}, which the {asked} template needs",
                where=tokenizer.where,
                do=f"choose among: {', '.join(_fitting(tokenizer)) or 'a file of your own'}",
            )
        return FAMILIES[asked].template
    if asked:
        path = Path(asked)
        if not path.is_file():
            raise BadInput(f"no template {asked!r}", do=f"name a Jinja file, or {', '.join(FAMILIES)}")
        return path.read_text(encoding="utf-8")
    if tokenizer.chat_template is not None:
        return tokenizer.chat_template
    fitting = _fitting(tokenizer)
    if not fitting:
        raise BadInput(
            "has no chat template, and none of ours fits its special tokens",
            where=tokenizer.where,
            do="give one with --template FILE",
        )
    return FAMILIES[fitting[0]].template


def with_template(tokenizer: Path, template: str, out: Path) -> Path:
    """A copy of a tokenizer's folder, in `out`, whose chat template is this one; returns `out`."""
    with folder_written_atomically(out, ("tokenizer_config.json", *(f"{name}*" for name in COPIED))) as part:
        for file in tokenizer.iterdir():
            if file.is_file() and file.name.startswith(COPIED):
                shutil.copyfile(file, part / file.name)
        path = part / "tokenizer_config.json"
        config = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        write_json(path, {**config, "chat_template": template})
    return out


def _fitting(tokenizer: Tokenizer) -> list[str]:
    return [
        name
        for name, family in FAMILIES.items()
        if all(needed in tokenizer.special for needed in family.needs)
    ]

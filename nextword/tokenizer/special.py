"""The tokens that are not text: where a document begins, who speaks, where a tool call or an image stands.

All of them are reserved before the first token is trained, twenty of them without a meaning yet, so that
chat, tools and images can come later without changing the size of the vocabulary. They take the last ids:
the ids below them are then exactly the ranks of the merges, which is what `tiktoken` and GGUF expect.

Text from outside never becomes one of these by being spelled like one; see `Tokenizer.encode`.
"""

from __future__ import annotations

BOS, EOS, PAD = "<|bos|>", "<|eos|>", "<|pad|>"
SYSTEM, USER, ASSISTANT, TOOL, END = "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>"
TOOL_CALL, END_TOOL_CALL = "<|tool_call|>", "<|/tool_call|>"
IMAGE, END_IMAGE = "<|image|>", "<|/image|>"

NAMED = (
    *(BOS, EOS, PAD),
    *(SYSTEM, USER, ASSISTANT, TOOL, END),
    *(TOOL_CALL, END_TOOL_CALL),
    *(IMAGE, END_IMAGE),
)
SPECIALS = (*NAMED, *(f"<|reserved_{number}|>" for number in range(32 - len(NAMED))))
"""All special tokens in the order of their ids."""

CHAT_TEMPLATE = (
    "{{- bos_token -}}"
    "{%- for message in messages -%}"
    "{{- '<|' ~ message['role'] ~ '|>' ~ message['content'] ~ '<|end|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)
"""How a conversation becomes text, in Jinja: `<|bos|><|user|>Hello<|end|><|assistant|>`."""

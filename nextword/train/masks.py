"""A conversation as the model sees it, coloured by what it must say: look at your data before you train.

Green is learnt, the stop token included; the rest is only read. Special tokens are shown by name.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from rich.console import Console
from rich.text import Text

from nextword import engine
from nextword.common.dialogue import read_conversations
from nextword.common.errors import BadInput
from nextword.common.terminal import printable
from nextword.tokenizer.chat import ChatTemplate, Masked
from nextword.tokenizer.templates import chosen_template
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.train.finetune import FinetuneData

SHOWN = 5


def print_masks(base: Path, data: FinetuneData, template: str = "", console: Console | None = None) -> None:
    """Print the first few conversations of the data, coloured by mask."""
    console = console or Console(highlight=False)
    tokenizer = Tokenizer.load(engine.model_folder(base))
    tokenizer.config = {**tokenizer.config, "chat_template": chosen_template(tokenizer, template)}
    chat = ChatTemplate(tokenizer)
    chat.check()
    conversations = (one for file in data.train for one in read_conversations(file))
    for number, conversation in enumerate(itertools.islice(conversations, SHOWN), 1):
        try:
            masked = chat.masked(conversation)
        except BadInput as error:
            console.print(f"{number}: left out: {error.what}", style="yellow", markup=False)
            continue
        learnt = sum(masked.mask)
        console.print(f"{number}: {len(masked.ids)} tokens, {learnt} learnt", style="dim", markup=False)
        console.print(coloured(masked, tokenizer), soft_wrap=True)


def coloured(masked: Masked, tokenizer: Tokenizer) -> Text:
    """The conversation's text; what must be said is green, or between ⟦ ⟧ where there are no colours."""
    text = Text()
    pairs = zip(masked.ids, masked.mask, strict=True)
    for on, run in itertools.groupby(pairs, key=lambda pair: pair[1]):
        shown = printable(tokenizer.decode([id for id, _ in run], special=True))
        text.append(f"⟦{shown}⟧" if on else shown, style="bold green" if on else "dim")
    return text

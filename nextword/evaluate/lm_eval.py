"""Any LanguageModel as an `LM` of EleutherAI's lm-evaluation-harness (`pip install nextword[lm-eval]`).

    from nextword.evaluate.lm_eval import harness_model, run_harness

    run_harness(engine.open("runs/python-docs"), ["hellaswag"], limit=100)      # its own tasks need its hub
    run_harness(model, ["nextword_piqa"], include=Path("harness"))              # ours: lm_eval_tasks.py

The harness asks for three things, and the port has two of them; where they do not meet:

1. `loglikelihood` wants to know whether the continuation is also what greedy decoding would say. The port's
   `score` does not tell, so it is generated, but only where it is in doubt: a token of more than one half is
   certainly the likeliest. Multiple choice never looks at it; `greedy=False` leaves it out.
2. Spaces at the end of a context belong to the continuation, as in the harness's own models: tokens begin
   with a space and do not end with one.
3. A prompt that is too long is cut from the left, as theirs is, and counted in `cut`; for a model that is not
   on this machine we cannot tell where to cut, and it fails.
4. `loglikelihood_rolling` reads a text in blocks, each after as much of the text before it (recall.py).
   Theirs reads windows of the whole context, each after one token, save the last: the two differ a little.
5. With `--apply_chat_template` the harness wants a string and gives it back as the context. A conversation
   must not become a string, or a message could spell special tokens; so the string is the conversation in
   JSON behind a mark that no text has, and becomes a conversation again here.

The package is imported only when an adapter is made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nextword.common.dialogue import messages_of
from nextword.common.errors import BadInput, Missing
from nextword.common.language_model import Failed, LanguageModel, Request, Sampling, Token
from nextword.common.records import Conversation
from nextword.engine.local import LocalModel
from nextword.engine.prompt import prompt_ids
from nextword.evaluate.recall import page_bits

MARK = "\ufdd1conversation:"
"""What a conversation begins with that had to be a string; U+FDD1 is a noncharacter."""
MAX_NEW_TOKENS = 256
"""What the harness assumes where a task does not say."""

Text = str | list[int]


class Harness:
    """The harness's three questions, in plain types."""

    def __init__(self, model: LanguageModel, greedy: bool = True) -> None:
        self.model, self.greedy, self.cut = model, greedy, 0

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        """(log-probability in nats, whether greedy decoding says the same) of each context's continuation."""
        split = [self._pair(context, continuation) for context, continuation in pairs]
        scores = [self.model.score(prompt, continuation) for prompt, continuation in split]
        likeliest = self._likeliest(split, scores) if self.greedy else [False] * len(scores)
        return [(sum(some), is_greedy) for some, is_greedy in zip(scores, likeliest, strict=True)]

    def loglikelihood_rolling(self, texts: Sequence[str]) -> list[float]:
        """Log-probability in nats of each whole text."""
        return [-page_bits(self.model, text) * math.log(2) if text else 0.0 for text in texts]

    def generate_until(self, asked: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
        """What the model says after each context, up to a stop string. Raises what the model fails with."""
        heard = self._heard([self._request(context, dict(options)) for context, options in asked])
        return ["".join(token.text for token in tokens) for tokens in heard]

    def _pair(self, context: str, continuation: str) -> tuple[Text, Text]:
        """Prompt and continuation as they are scored; as ids where we know how, so that they can be cut."""
        if context.startswith(MARK):
            return self._ids(conversation_of(context)), continuation
        kept = context.rstrip()
        continuation = context[len(kept) :] + continuation
        if not isinstance(self.model, LocalModel):
            return kept, continuation
        after = self.model.vocabulary.encode(continuation)
        return self._fitted(prompt_ids(kept, self.model.vocabulary), len(after)), after

    def _request(self, context: str, options: dict[str, Any]) -> Request:
        until = options.get("until") or []
        most = int(options.get("max_gen_toks") or MAX_NEW_TOKENS)
        drawn = bool(options.get("do_sample")) and float(options.get("temperature", 1.0)) > 0
        sampling = Sampling(
            float(options.get("temperature", 1.0)) if drawn else 0.0,
            int(options.get("top_k", 0)),
            float(options.get("top_p", 1.0)),
            max_new_tokens=most,
        )
        prompt: Text | Conversation = conversation_of(context) if context.startswith(MARK) else context
        if isinstance(self.model, LocalModel):
            prompt = self._fitted(prompt_ids(prompt, self.model.vocabulary), most)
        stop = (until,) if isinstance(until, str) else tuple(until)
        return Request(prompt, sampling, stop, seed=int(options.get("seed", 0)))

    def _ids(self, conversation: Conversation) -> list[int]:
        if not isinstance(self.model, LocalModel):
            raise BadInput("only a model on this machine can score after a conversation")
        return prompt_ids(conversation, self.model.vocabulary)

    def _fitted(self, ids: list[int], room: int) -> list[int]:
        """The last of these ids that leave room for so many more."""
        left = max(1, self.model.capabilities.context - room)
        self.cut += len(ids) > left
        return ids[-left:]

    def _likeliest(self, split: Sequence[tuple[Text, Text]], scores: Sequence[list[float]]) -> list[bool]:
        found = [all(score > math.log(0.5) for score in some) for some in scores]
        doubtful = [at for at, is_sure in enumerate(found) if not is_sure]
        requests = [Request(split[at][0], Sampling(0.0, max_new_tokens=len(scores[at]))) for at in doubtful]
        for at, heard in zip(doubtful, self._heard(requests), strict=True):
            wanted = split[at][1]
            said = (
                "".join(token.text for token in heard) if isinstance(wanted, str) else [t.id for t in heard]
            )
            found[at] = said == wanted
        return found

    def _heard(self, requests: Sequence[Request]) -> list[list[Token]]:
        tokens: dict[str, list[Token]] = {request.id: [] for request in requests}
        for event in self.model.generate(requests):
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Token):
                tokens[event.request].append(event)
        return list(tokens.values())


def conversation_of(text: str) -> Conversation:
    """A conversation that was made a string; BadInput when a task has put something behind it."""
    try:
        return Conversation(messages_of(json.loads(text.removeprefix(MARK))))
    except ValueError as error:
        raise BadInput(
            f"the task goes on after the chat template ({error})", do="leave gen_prefix out"
        ) from error


def harness_model(model: LanguageModel, greedy: bool = True) -> Any:
    """An `lm_eval.api.model.LM` over this model; Missing where the harness is not installed."""
    _needed()
    from lm_eval.api.model import LM

    class NextwordLM(LM):  # type: ignore[misc]
        """Passes the harness's requests on in plain types."""

        def __init__(self) -> None:
            super().__init__()
            self.harness = Harness(model, greedy)

        def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
            return self.harness.loglikelihood([request.args for request in requests])

        def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
            return self.harness.loglikelihood_rolling([request.args[0] for request in requests])

        def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
            return self.harness.generate_until([request.args for request in requests])

        def apply_chat_template(
            self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
        ) -> str:
            return MARK + json.dumps(chat_history, ensure_ascii=False)

        @property
        def tokenizer_name(self) -> str:
            return model.capabilities.name.replace("/", "__")

    return NextwordLM()


def run_harness(
    model: LanguageModel,
    tasks: Sequence[str],
    *,
    include: Path | None = None,
    limit: int | None = None,
    shots: int | None = None,
    chat: bool = False,
) -> dict[str, dict[str, Any]]:
    """The harness's results by task. `include` is a folder of task files, `chat` asks in conversations."""
    _needed()
    import lm_eval
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(include), include_defaults=False) if include else None
    found = lm_eval.simple_evaluate(
        model=harness_model(model),
        tasks=list(tasks),
        task_manager=manager,
        limit=limit,
        num_fewshot=shots,
        apply_chat_template=chat,
        bootstrap_iters=1000,
    )
    results: dict[str, dict[str, Any]] = found["results"]
    return results


def _needed() -> None:
    try:
        import lm_eval  # noqa: F401
    except ImportError as error:
        do = "pip install 'nextword[lm-eval]'"
        raise Missing("lm-evaluation-harness is not installed", do=do) from error

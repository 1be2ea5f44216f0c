"""Losses and gradients of finetuning and preferences beside TRL's, on the same weights and conversations.

    .venv/bin/python benchmarks/alignment_losses.py              compare; a minute, most of it imports
    .venv/bin/python benchmarks/alignment_losses.py --golden     and write what tests compare with

Both sides get folders (a tiny Llama as the policy, the same with other weights as the reference) and files of
conversations and comparisons, in English and Korean, of ragged lengths and several turns. Each side writes
them as ids with its own code, and the ids must be the same; then each takes the loss and gradient of its own
step: ours is what `TrainingStep` and `ObjectiveStep` hand to the optimiser, TRL's is its trainer's
`compute_loss` on its own collator's batch (benchmarks/peers/trl_losses.py). A difference is the largest one
of a parameter's gradient by the largest entry of that gradient, of all parameters the worst.

What was set so that both mean the same, and where TRL leaves a choice that we take as it does:

    SFT     assistant_only_loss: what the assistant says, its stop token included; the mean is over all such
            tokens of the batch. TRL's template needs generation marks, ours is the same text without them.
    DPO     loss_type sigmoid. Log-probabilities are summed over an answer.
    IPO     loss_type ipo: log-ratios are means over an answer's tokens.
    KTO     the reference point is the mean over answers moved on by one prompt within the batch, in order.
    ORPO    TRL's beta is the paper's lambda; the likelihood term is over prompt and answer, the mean over the
            batch's tokens; the very first token is only read.
    SimPO   CPO with loss_type simpo and cpo_alpha 0 (TRL adds the likelihood of the chosen by default).

ORPO and CPO append the end token where a text does not end with it, so here <|end|> is the end token.
In fp64 both sides still have fp32 parts (TRL's norms and head statistics, our head's statistics).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from report import figure, record
from safetensors.torch import load_file
from torch import Tensor, nn

from nextword.common.dialogue import (
    Comparison,
    read_comparisons,
    read_conversations,
    write_comparisons,
    write_conversations,
)
from nextword.common.files import read_json, write_json
from nextword.common.records import Conversation, Message
from nextword.model.checkpoint import load_checkpoint, save_checkpoint
from nextword.model.config import ModelConfig
from nextword.model.llama import Llama
from nextword.tokenizer.chat import ChatTemplate
from nextword.tokenizer.special import END
from nextword.tokenizer.tokenizer import Tokenizer
from nextword.tokenizer.training import TokenizerSettings, train_tokenizer
from nextword.train.branches import Branch, Tree
from nextword.train.comparisons import compared, judged, rated
from nextword.train.examples import Example, batch_of, examples_of, pack
from nextword.train.objective import ObjectiveStep
from nextword.train.preference import PreferenceSettings
from nextword.train.preference_objective import JudgedBatch, PairBatch, PreferenceObjective
from nextword.train.preference_run import mismatched
from nextword.train.sequence_logprobs import sequence_logprobs
from nextword.train.step import NextTokenLoss, TrainingStep

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".peers" / "transformers" / "bin" / "python"
GOLDEN = ROOT / "tests" / "train" / "golden" / "alignment.json"
TARGET = 1e-5
VOCABULARY, CONTEXT = 320, 192
SHAPE = ModelConfig(VOCABULARY, 16, 32, 2, 4, 2, 4, CONTEXT, bos_token_id=288, eos_token_id=295)
DIRECTIONS = 4
"""Along so many directions, and by its norm, a parameter's gradient is kept as golden."""

METHODS = {
    "dpo": PreferenceSettings(method="dpo", beta=0.1),
    "ipo": PreferenceSettings(method="ipo", beta=0.1),
    "kto": PreferenceSettings(method="kto", beta=0.1, desirable=1.0, undesirable=1.5),
    "orpo": PreferenceSettings(method="orpo", beta=0.1),
    "simpo": PreferenceSettings(method="simpo", beta=2.0, gamma=0.5),
}

CONVERSATIONS = (
    (("user", "What does json.dumps do?"), ("assistant", "It writes an object as JSON text.")),
    (("user", "머리말을 어떻게 바꾸나요?"), ("assistant", "설정에서 고칠 수 있습니다.")),
    (
        ("system", "Answer in a few words."),
        ("user", "Who are you?"),
        ("assistant", "A small model of words."),
        ("user", "Can you sing?"),
        ("assistant", "No, but I can write a song with you."),
    ),
    (("user", "2 + 2?"), ("assistant", "4")),
    (
        ("user", "Which module reads dates?"),
        ("tool", "datetime\nBasic date and time types."),
        ("assistant", "The module datetime does."),
    ),
)
COMPARISONS = (
    (
        "What does os.getcwd give?",
        "The folder you are in, as text.",
        "Nothing that I know of, and more besides.",
    ),
    ("파이썬은 무엇인가요?", "프로그래밍 언어입니다.", "뱀입니다."),
    ("Thanks!", "You are welcome.", "Why do you say so? I did nothing at all for you today."),
    ("Sort a list.", "Call sorted(it): it gives a new list, smallest first.", "No."),
)


# What both sides read


def write_inputs(folder: Path) -> None:
    """policy/, reference/, conversations.jsonl and comparisons.jsonl in a folder."""
    conversations = [Conversation([Message(*each) for each in one]) for one in CONVERSATIONS]
    earlier = [Message("user", "Hello"), Message("assistant", "Hello! Ask me anything.")]
    comparisons = [
        Comparison(
            [*(earlier if number == 0 else []), Message("user", prompt)],
            [Message("assistant", chosen)],
            [Message("assistant", rejected)],
        )
        for number, (prompt, chosen, rejected) in enumerate(COMPARISONS)
    ]
    write_conversations(folder / "conversations.jsonl", conversations)
    write_comparisons(folder / "comparisons.jsonl", comparisons)
    texts = [*(content for one in CONVERSATIONS for _, content in one), *itertools.chain(*COMPARISONS)]
    write_tokenizer(folder / "tokenizer", texts)
    for seed, name in enumerate(("reference", "policy")):
        save_checkpoint(tiny_model(seed), folder / name, folder / "tokenizer")


def write_tokenizer(folder: Path, texts: Sequence[str]) -> None:
    """All bytes, a few merges, and our special tokens with <|end|> as the end of a text."""
    train_tokenizer(TokenizerSettings(vocab_size=VOCABULARY), texts, folder)
    config = folder / "tokenizer_config.json"
    write_json(config, {**read_json(config), "eos_token": END})


def tiny_model(seed: int) -> Llama:
    """Weights that the standard library draws, the same on every machine; seeds differ by a tenth."""
    model = Llama(SHAPE)
    for name, parameter in model.named_parameters():
        spread, centre = (0.1, 1.0) if parameter.dim() == 1 else (0.25, 0.0)
        common, own = random.Random(name), random.Random(f"{name} {seed}")
        values = [common.gauss(centre, spread) + own.gauss(0, spread / 10) for _ in range(parameter.numel())]
        with torch.no_grad():
            parameter.copy_(torch.tensor(values).view_as(parameter))
    return model


# Our side


@dataclass(frozen=True)
class Texts:
    """The conversations and comparisons as ids and masks."""

    examples: list[Example]
    pairs: list[Tree]
    judged: list[Tree]
    labels: list[bool]

    @staticmethod
    def read(folder: Path) -> Texts:
        """With our template and masks."""
        chat = ChatTemplate(Tokenizer.load(folder / "policy"))
        comparisons = list(read_comparisons(folder / "comparisons.jsonl"))
        examples = examples_of(read_conversations(folder / "conversations.jsonl"), chat, CONTEXT)
        pairs, singles = compared(comparisons, chat, CONTEXT, 0), judged(rated(comparisons), chat, CONTEXT, 0)
        assert not (examples.left_out or pairs.left_out or singles.left_out)
        return Texts(
            examples.kept,
            [one.tree for one in pairs.train],
            [one.tree for one in singles.train],
            [one.is_good for one in singles.train],
        )

    def to_json(self) -> dict[str, Any]:
        """As lists."""
        trees = {
            name: [[tree.prefix, [[one.ids, one.mask] for one in tree.branches]] for tree in trees]
            for name, trees in (("pairs", self.pairs), ("judged", self.judged))
        }
        return {"examples": [[one.ids, one.mask] for one in self.examples], **trees, "labels": self.labels}

    @staticmethod
    def of_json(data: Mapping[str, Any]) -> Texts:
        """From lists."""
        pairs, singles = (
            [
                Tree(tuple(prefix), tuple(Branch(tuple(ids), tuple(mask)) for ids, mask in branches))
                for prefix, branches in data[name]
            ]
            for name in ("pairs", "judged")
        )
        examples = [Example(tuple(ids), tuple(mask)) for ids, mask in data["examples"]]
        return Texts(examples, pairs, singles, data["labels"])

    def sequences(self) -> dict[str, list[list[Any]]]:
        """(ids, mask) of whole sequences as TRL writes them: examples; chosen, then rejected; rated."""
        whole = {
            name: [
                [[*tree.prefix, *branch.ids], [0] * len(tree.prefix) + list(branch.mask)]
                for side in range(sides)
                for tree in trees
                for branch in (tree.branches[side],)
            ]
            for name, trees, sides in (("pairs", self.pairs, 2), ("judged", self.judged, 1))
        }
        return {"examples": [[list(one.ids), list(one.mask)] for one in self.examples], **whole}


Found = tuple[float, dict[str, Tensor]]


class Kept:
    """Stands where the optimiser does, and keeps the gradients that the step hands to it."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.gradients: dict[str, Tensor] = {}

    def step(self) -> None:
        self.gradients = {
            name: parameter.grad.clone()
            for name, parameter in self.model.named_parameters()
            if parameter.grad is not None
        }

    def zero_grad(self) -> None:
        self.model.zero_grad()


def ours(policy: Llama, reference: Llama, texts: Texts) -> dict[str, Found]:
    """Loss and gradients by method, of the very steps that training takes."""
    kept = Kept(policy)
    sft = TrainingStep(NextTokenLoss(policy, only_scored=True), kept, precision="fp32", clip=0.0)
    rows = pack([len(one.ids) - 1 for one in texts.examples], CONTEXT, "0")
    batch = batch_of([[texts.examples[n] for n in row] for row in rows], CONTEXT, pad=0)
    found = {"sft": (float(sft.step(batch).loss), kept.gradients)}

    def said(trees: Sequence[Tree]) -> Tensor:
        return torch.tensor(sequence_logprobs(reference, trees))

    others = mismatched(texts.judged)
    pairs = PairBatch(texts.pairs, said(texts.pairs).view(-1, 2))
    labels = torch.tensor(texts.labels)
    singles = JudgedBatch(texts.judged, labels, said(texts.judged), others, said(others))
    for name, settings in METHODS.items():
        objective = PreferenceObjective(settings, policy, None)
        step = ObjectiveStep(objective, list(policy.parameters()), kept, clip=0.0)  # type: ignore[arg-type]
        loss = float(step.step(singles if name == "kto" else pairs).loss)
        found[name] = loss, kept.gradients
    return found


# Comparing


def loss_difference(mine: float, theirs: float) -> float:
    """Relative."""
    return abs(mine - theirs) / abs(theirs)


def gradient_difference(mine: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> float:
    """Of all parameters the largest difference by the largest entry of its gradient."""
    assert mine.keys() == theirs.keys(), mine.keys() ^ theirs.keys()
    return max(
        float((mine[name].double() - value.double()).abs().max() / value.double().abs().max())
        for name, value in theirs.items()
    )


def sketch(gradient: Tensor) -> list[float]:
    """A gradient's norm, and its products with fixed directions, about as large as the norm."""
    flat = gradient.double().flatten()
    place = torch.arange(1, len(flat) + 1, dtype=torch.float64)
    directions = (math.sqrt(2) * torch.cos(place * math.sqrt(2 + k)) for k in range(DIRECTIONS))
    return [float(flat.norm()), *(float(flat @ one) for one in directions)]


def theirs(folder: Path, dtype: str) -> dict[str, Found]:
    """TRL's losses and gradients; SystemExit when it read other ids than we did."""
    command = [str(PEER), str(ROOT / "benchmarks" / "peers" / "trl_losses.py"), str(folder), dtype]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode:
        raise SystemExit(f"TRL's side failed:\n{done.stderr[-4000:]}")
    said = read_json(folder / f"trl-{dtype}.json")
    mine = Texts.read(folder).sequences()
    for name, sequences in said["sequences"].items():
        if sorted(sequences) != sorted(mine[name]):
            raise SystemExit(f"TRL wrote other ids or masks for {name}: {sequences}\nours: {mine[name]}")
    tensors = load_file(folder / f"trl-{dtype}.safetensors")
    return {
        method: (
            loss,
            {key.partition("/")[2]: value for key, value in tensors.items() if key.startswith(f"{method}/")},
        )
        for method, loss in said["losses"].items()
    }


def compare(folder: Path, dtype: torch.dtype) -> tuple[list[str], dict[str, Found]]:
    """A line a method, and what TRL found."""
    name = str(dtype).removeprefix("torch.")
    peer = theirs(folder, name)
    policy, reference = (load_checkpoint(folder / side).to(dtype) for side in ("policy", "reference"))
    found, lines = ours(policy, reference, Texts.read(folder)), []
    for method, (loss, gradients) in found.items():
        apart = loss_difference(loss, peer[method][0]), gradient_difference(gradients, peer[method][1])
        shown = f"loss {apart[0]:.1e}, gradient {apart[1]:.1e} (loss {loss:.6f})"
        lines.append(figure(f"{method}, {name}, relative difference", shown, "1e-5", max(apart) <= TARGET))
    return lines, peer


def sketch_difference(mine: Mapping[str, Tensor], theirs: Mapping[str, list[float]]) -> float:
    """Of all parameters' sketches the largest difference by the gradient's norm."""
    assert mine.keys() == theirs.keys(), mine.keys() ^ theirs.keys()
    return max(
        abs(a - b) / theirs[name][0]
        for name, value in mine.items()
        for a, b in zip(sketch(value), theirs[name], strict=True)
    )


def write_golden(texts: Texts, peer: Mapping[str, Found], made_by: str) -> None:
    """What the test compares with: the ids, and TRL's losses and sketches of its gradients."""
    methods = {
        method: {
            "loss": loss,
            "gradients": {name: sketch(value) for name, value in sorted(gradients.items())},
        }
        for method, (loss, gradients) in peer.items()
    }
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps({"made_by": made_by, "texts": texts.to_json(), "methods": methods}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--golden", action="store_true", help="write what tests compare with")
    given = parser.parse_args()
    if not PEER.exists():
        raise SystemExit(f"{PEER.relative_to(ROOT)} is not there; `make peers` builds it")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder)
        lines, _ = compare(folder, torch.float32)
        more, peer = compare(folder, torch.float64)
        if given.golden:
            made_by = read_json(folder / "trl-float64.json")["versions"]
            write_golden(Texts.read(folder), peer, f"benchmarks/alignment_losses.py --golden, {made_by}")
    record("alignment-losses", [*lines, *more])


if __name__ == "__main__":
    main()

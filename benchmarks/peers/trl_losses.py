"""The peer of alignment_losses.py: the losses and gradients of TRL's own trainers on their own batches.

Runs in the peer's own environment. Writes FOLDER/trl-DTYPE.json and .safetensors.

    .peers/transformers/bin/python benchmarks/peers/trl_losses.py FOLDER float32|float64
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import torch
import transformers
import trl
from datasets import Dataset, disable_progress_bars
from safetensors.torch import save_file
from transformers import AutoTokenizer, LlamaForCausalLM
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

# Ours, with the marks by which TRL knows what the assistant says.
TEMPLATE = (
    "{{- bos_token -}}{%- for message in messages -%}{{- '<|' ~ message['role'] ~ '|>' -}}"
    "{%- if message['role'] == 'assistant' -%}{%- generation -%}{{- message['content'] ~ '<|end|>' -}}"
    "{%- endgeneration -%}{%- else -%}{{- message['content'] ~ '<|end|>' -}}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


class Peer:
    """One folder's models and texts, and what every trainer is told."""

    def __init__(self, folder: Path, dtype: str, scratch: str) -> None:
        self.folder, self.dtype = folder, getattr(torch, dtype)
        self.tokenizer = AutoTokenizer.from_pretrained(folder / "policy")
        self.tokenizer.chat_template = TEMPLATE
        self.plain = {
            "output_dir": scratch,
            "per_device_train_batch_size": 64,  # all there is
            "bf16": False,
            "gradient_checkpointing": False,
            "use_cpu": True,
            "report_to": "none",
            "max_length": 192,
        }

    def model(self, name: str) -> LlamaForCausalLM:
        return LlamaForCausalLM.from_pretrained(self.folder / name).to(self.dtype)

    def records(self, name: str) -> list:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def trainer(self, kind, config, records: list, reference: bool = False, **settings):
        more = {"ref_model": self.model("reference")} if reference else {}
        size = {"per_device_train_batch_size": len(records)}  # KTO moves answers on within it
        return kind(
            model=self.model("policy"),
            args=config(**{**self.plain, **size, **settings}),
            train_dataset=Dataset.from_list(records),
            processing_class=self.tokenizer,
            **more,
        )


def loss_of(trainer) -> tuple[float, dict[str, torch.Tensor], dict]:
    """The loss of all records, its gradients, and the batch."""
    trainer.model.train()
    batch = trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))
    loss = trainer.compute_loss(trainer.model, dict(batch))
    loss.backward()
    gradients = {name: parameter.grad.clone() for name, parameter in trainer.model.named_parameters()}
    return float(loss), gradients, batch


def sequences(ids: torch.Tensor, attention: torch.Tensor, mask: torch.Tensor) -> list:
    """Ids and masks of each row without its padding."""
    rows = zip(ids, attention.bool(), mask, strict=True)
    return [[row[on].tolist(), learnt[on].int().tolist()] for row, on, learnt in rows]


def main(folder: Path, dtype: str, scratch: str) -> None:
    disable_progress_bars()
    torch.set_num_threads(1)
    peer = Peer(folder, dtype, scratch)
    conversations, pairs = peer.records("conversations.jsonl"), peer.records("comparisons.jsonl")
    rated = [
        {"prompt": pair["prompt"], "completion": pair[side], "label": side == "chosen"}
        for pair in pairs
        for side in ("chosen", "rejected")
    ]
    trainers = {
        "sft": lambda: peer.trainer(SFTTrainer, SFTConfig, conversations, assistant_only_loss=True),
        "dpo": lambda: peer.trainer(DPOTrainer, DPOConfig, pairs, True, loss_type="sigmoid", beta=0.1),
        "ipo": lambda: peer.trainer(DPOTrainer, DPOConfig, pairs, True, loss_type="ipo", beta=0.1),
        "kto": lambda: peer.trainer(
            KTOTrainer, KTOConfig, rated, True, beta=0.1, desirable_weight=1.0, undesirable_weight=1.5
        ),
        "orpo": lambda: peer.trainer(ORPOTrainer, ORPOConfig, pairs, beta=0.1),
        "simpo": lambda: peer.trainer(
            CPOTrainer, CPOConfig, pairs, loss_type="simpo", beta=2.0, simpo_gamma=0.5, cpo_alpha=0.0
        ),
    }
    losses, tensors, batches = {}, {}, {}
    for method, make in trainers.items():
        losses[method], gradients, batches[method] = loss_of(make())
        tensors |= {f"{method}/{name}": value for name, value in gradients.items()}
    sft, dpo, kto, orpo = (batches[name] for name in ("sft", "dpo", "kto", "orpo"))
    read = {
        "examples": sequences(sft["input_ids"], sft["attention_mask"], sft["labels"] != -100),
        "pairs": sequences(dpo["input_ids"], dpo["attention_mask"], dpo["completion_mask"]),
        "judged": sequences(kto["input_ids"], kto["attention_mask"], kto["completion_mask"]),
    }
    again = [
        one
        for side in ("chosen", "rejected")
        for one in sequences(
            orpo[f"{side}_input_ids"], orpo[f"{side}_attention_mask"], orpo[f"{side}_labels"] != -100
        )
    ]
    assert sorted(again) == sorted(read["pairs"]), "ORPO reads other ids than DPO"
    versions = f"trl {trl.__version__}, transformers {transformers.__version__}, torch {torch.__version__}"
    said = {"versions": versions, "losses": losses, "sequences": read}
    (folder / f"trl-{dtype}.json").write_text(json.dumps(said))
    save_file(tensors, folder / f"trl-{dtype}.safetensors")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(sys.argv[1]), sys.argv[2], scratch)

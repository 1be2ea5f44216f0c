"""Several devices or machines, by torchrun: DDP and FSDP2, and nothing of our own.

    torchrun --nproc-per-node 8 -m nextword pretrain ...                 one machine, a whole copy on each
    torchrun --nnodes 4 --nproc-per-node 8 ... --parallel fsdp           parameters and optimiser in slices

DDP (Li et al. 2020) keeps a whole copy on every process and averages gradients; FSDP2 (`fully_shard`, Zhao
et al. 2023) gives each process a slice of every parameter and gathers one layer at a time. Both exchange
through NCCL on CUDA and gloo on CPU. The global batch does not depend on the number of processes, so the loss
does not either.

Left out: tensor, pipeline and context parallelism, which models that fit one node do not need.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from nextword.common.errors import BadInput, Missing
from nextword.model.llama import Llama

Parallel = Literal["ddp", "fsdp"]


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is, on which device, and how the model is spread over them."""

    rank: int
    world: int
    device: torch.device
    parallel: Parallel = "ddp"

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks to the person."""
        return self.rank == 0

    def wait(self) -> None:
        """Until every process is here."""
        if self.world > 1:
            dist.barrier()

    def agree(self, value: float) -> float:
        """The first process's value, on every process (so that measured times lead to one decision)."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float32, device=self.device)
        dist.broadcast(shared, src=0)
        return float(shared.item())

    def share_of(self, rows: int) -> int:
        """This process's rows of a global batch; BadInput when they do not divide."""
        if rows % self.world:
            raise BadInput(
                f"a batch of {rows} rows does not divide among {self.world} processes",
                do="choose a --batch that is a multiple of the number of processes",
            )
        return rows // self.world


@contextlib.contextmanager
def joined(device: str = "auto", parallel: Parallel = "ddp") -> Iterator[Processes]:
    """Join torchrun's other processes, or be the only one when torchrun did not start us.

    The outermost `joined` makes the group and ends it; those inside share it. (A second group made after the
    first has ended may meet the first one's addresses in torchrun's store.)
    """
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if world == 1:
        yield Processes(0, 1, chosen, parallel)
        return
    if chosen.type == "cuda":
        torch.accelerator.set_device_index(chosen.index or 0)
    if dist.is_initialized():
        yield Processes(rank, world, chosen, parallel)
        return
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", rank=rank, world_size=world)
    try:
        yield Processes(rank, world, chosen, parallel)
    finally:
        dist.destroy_process_group()


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """auto is CUDA if there is one, then MPS, then the CPU; Missing when a named one is not there."""
    available: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    kind = name.partition(":")[0]
    if kind == "auto":
        kind = name = next(kind for kind, is_there in available.items() if is_there())
    if kind not in available:
        raise BadInput(f"unknown device {name!r}", do="choose auto, cpu, cuda or mps")
    if not available[kind]():
        raise Missing(f"no {kind} device on this machine", do="use --device auto")
    return torch.device("cuda", local_rank) if name == "cuda" else torch.device(name)


def spread(module: nn.Module, model: Llama, processes: Processes, bf16: bool) -> nn.Module:
    """Wrap the loss module for the chosen way of training together; parameters keep their names in `model`.

    Under FSDP2 each layer is one unit of gathering and the rest (embedding, norm, head: one unit, so that
    tied ones stay one) belongs to the root. With bf16 the slices travel in bf16, gradients in fp32.
    """
    if processes.world == 1:
        return module
    if processes.parallel == "ddp":
        return DistributedDataParallel(module, gradient_as_bucket_view=True)
    mesh = init_device_mesh(processes.device.type, (processes.world,))
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if bf16 else MixedPrecisionPolicy()
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    wrapped: Any = fully_shard(module, mesh=mesh, mp_policy=policy)
    return wrapped  # type: ignore[no-any-return]


def whole(tensor: Tensor) -> Tensor:
    """A sharded tensor in full (every process must ask), any other as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def whole_model(model: Llama, processes: Processes) -> Llama:
    """The model as one process can use it alone: itself, or a gathered copy when it is sharded.

    Every process must call this; under FSDP2 only the first gets true weights (the others an empty shell on
    the meta device), so a model evaluated this way must fit one device without its optimiser.
    """
    if processes.world == 1 or processes.parallel == "ddp":
        return model
    with torch.device("meta"):
        copy = Llama(model.config)
    state = {}
    for name, parameter in model.named_parameters():
        full = whole(parameter.detach())
        if processes.is_first:
            state[name] = full.clone()
    if processes.is_first:
        if model.config.tie_word_embeddings:
            state["lm_head.weight"] = state["model.embed_tokens.weight"]
        copy.load_state_dict(state, assign=True)
        if model.config.tie_word_embeddings:
            copy.lm_head.weight = copy.model.embed_tokens.weight
        copy.frequencies = model.frequencies
    return copy

"""What the reference says of the data, asked once and kept beside the run.

Preference losses measure the policy against the model it began as. That model is never changed, so its
log-probabilities of the training answers are computed once, into OUT/reference.safetensors, and the step
pays for one model only. The file says of which weights and of which answers it is: when either has changed
since, it is stale, and training on would pull the policy towards a model that no longer exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nextword.common.errors import BadInput, Corrupt
from nextword.common.files import folder_written_atomically
from nextword.model.llama import Llama
from nextword.train.assistant import fingerprint
from nextword.train.branches import Tree
from nextword.train.run_folder import hash_of
from nextword.train.sequence_logprobs import sequence_logprobs

FILE = "logprobs.safetensors"


def reference_logprobs(
    folder: Path, model: Llama, trees: Sequence[Tree], dtype: torch.dtype | None, what: str
) -> Tensor:
    """ln p of every answer under the reference `model`, from `folder` or computed into it: (S,) fp32.

    BadInput when the folder was made with another model or for other answers: a stale reference.
    """
    made_of = {"model": fingerprint(model), what: hash_of(trees), "precision": str(dtype)}
    if (folder / FILE).exists():
        return _read(folder / FILE, made_of)
    found = torch.tensor(sequence_logprobs(model, trees, dtype))
    with folder_written_atomically(folder, [FILE]) as part:
        save_file({"logprobs": found}, part / FILE, metadata=made_of)
    return found


def _read(path: Path, made_of: dict[str, str]) -> Tensor:
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            found: Tensor = file.get_tensor("logprobs").clone()
    except (SafetensorError, OSError) as error:
        do = "delete it, and it is computed again"
        raise Corrupt(f"not a whole safetensors file ({error})", where=path, do=do) from error
    for name, value in made_of.items():
        if metadata.get(name) != value:
            what = f"a stale reference: its {name} is not the one it was computed with"
            do = "restore what it was made of, or begin a run in another folder"
            raise BadInput(what, where=path, do=do)
    return found

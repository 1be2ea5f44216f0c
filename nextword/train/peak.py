"""How fast a device could multiply at best, which model-flops utilisation (MFU) is measured against.

MFU (Chowdhery et al. 2022) is the share of that peak which the model's own arithmetic reaches: 6 N + 6 L T C
operations a token (see `ModelConfig.flops_per_token`), whatever else was computed. For GPUs we know, the peak
is the maker's figure for dense bf16; for anything else it is what one large matrix product reaches here.
While others use the machine that is too little, and a model may then seem to do more than is possible: a
share above 1 says only that the peak was measured too low, so it is left out.
"""

from __future__ import annotations

import time

import torch

DENSE_BF16 = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "B200": 2250e12,
    "L40S": 362e12,
    "L4": 121e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
}
"""Operations a second without sparsity, from the data sheets; the first name found in the device's counts."""


LEAST_PRODUCTS = 5
"""However long one takes: the first is slower than the others."""


def peak_flops(device: torch.device, bf16: bool) -> float:
    """Operations a second that the device could do at most: known, else measured in a second or two."""
    if device.type == "cuda" and bf16:
        name = torch.cuda.get_device_name(device)
        for known, flops in DENSE_BF16.items():
            if known in name:
                return flops
    return measured_flops(device, torch.bfloat16 if bf16 else torch.float32)


def measured_flops(device: torch.device, dtype: torch.dtype, size: int = 2048, seconds: float = 1.0) -> float:
    """The best of repeated (size, size) products: the best, since others may be using the machine."""
    a, b = (torch.ones(size, size, dtype=dtype, device=device) for _ in range(2))
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < LEAST_PRODUCTS or time.perf_counter() < end:
        begin = time.perf_counter()
        (a @ b)[0, 0].item()  # reading one number waits for the device
        times.append(time.perf_counter() - begin)
    return 2 * size**3 / min(times)


def possible(share: float) -> float | None:
    """An MFU, or None for one above 1, which its peak must have been measured too low for."""
    return share if share <= 1 else None

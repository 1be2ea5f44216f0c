"""The model's shape, in the words of Hugging Face's `config.json`, and the one dial that sets it.

Architectures we open are Llama's near kin; two switches cover them: `attention_bias` (Qwen2) and `qk_norm`
(Qwen3). `--depth` derives a whole shape by the rules in `ModelConfig.of_depth`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from nextword.common.errors import BadInput


@dataclass(frozen=True)
class RopeScaling:
    """Llama-3's rescaling of slow RoPE frequencies for long contexts (rope_type "llama3")."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int

    def __post_init__(self) -> None:
        fits = 1 <= self.factor < inf and 0 < self.low_freq_factor < self.high_freq_factor < inf
        if not fits or self.original_max_position_embeddings < 1:
            raise BadInput(f"the llama3 RoPE scaling {self} makes no sense", where="config.json")


COUNTS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "head_dim",
    "max_position_embeddings",
)


@dataclass(frozen=True)
class ModelConfig:
    """A Llama-family shape. Field names are those of `config.json`."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int = 1024
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    rms_norm_eps: float = 1e-5
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    qk_norm: bool = False
    sliding_window: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | None = None

    def __post_init__(self) -> None:
        for name in COUNTS:
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}, expected at least 1", where="config.json")
        for name in ("rope_theta", "rms_norm_eps"):
            if not 0 < getattr(self, name) < inf:
                raise BadInput(f"{name} is {getattr(self, name)}, expected above 0", where="config.json")
        if self.num_key_value_heads < 1 or self.num_attention_heads % self.num_key_value_heads:
            raise BadInput(
                f"{self.num_attention_heads} heads cannot share {self.num_key_value_heads} key-value heads",
                where="config.json",
                do="num_attention_heads must be a multiple of num_key_value_heads",
            )
        if self.head_dim % 2:
            raise BadInput(f"head_dim is {self.head_dim}, RoPE needs it even", where="config.json")

    @staticmethod
    def of_depth(
        depth: int, vocab_size: int, context: int = 1024, tied: bool = True, width: int = 0
    ) -> ModelConfig:
        """The shape that one dial gives.

        1. hidden_size = 64 x depth: width grows with depth, so the aspect ratio stays 64 (Kaplan et al. 2020
           found loss flat from 40 to 100). `width`, a multiple of 64, is another one; 0 is this.
        2. head_dim = 64, as in Llama's small kin; every head has its own keys and values, since at these
           sizes the cache is small.
        3. intermediate_size = 8/3 x hidden_size (Shazeer 2020: SwiGLU with the parameters of a 4x MLP),
           rounded up to 64 so that every row divides into quantisation blocks.
        4. Embedding and head are tied: at depth 4 they would otherwise be 40 % of the parameters.
        """
        hidden = width or 64 * depth
        return ModelConfig(
            vocab_size=vocab_size,
            hidden_size=hidden,
            intermediate_size=-(-8 * hidden // 3 // 64) * 64,
            num_hidden_layers=depth,
            num_attention_heads=hidden // 64,
            num_key_value_heads=hidden // 64,
            head_dim=64,
            max_position_embeddings=context,
            tie_word_embeddings=tied,
        )

    @property
    def context(self) -> int:
        """The most tokens it may look at: within a sliding window (Mistral), attention is plain and ours."""
        return min(self.max_position_embeddings, self.sliding_window or self.max_position_embeddings)

    @property
    def num_parameters(self) -> int:
        """How many numbers the model holds, embeddings included (counted once when tied)."""
        embeddings = self.vocab_size * self.hidden_size * (1 if self.tie_word_embeddings else 2)
        return embeddings + self.num_hidden_layers * self._per_layer() + self.hidden_size

    @property
    def num_matmul_parameters(self) -> int:
        """Parameters that multiply every token: all but the embedding look-up, norms and biases."""
        return self.num_hidden_layers * self._matmuls_per_layer() + self.vocab_size * self.hidden_size

    def flops_per_token(self, context: int) -> float:
        """Floating-point operations a trained token costs, forward and backward.

        6 N_matmul + 6 L T C: PaLM's count (Chowdhery et al. 2022, appendix B) has 12 L T C for attention; we
        count only the half under the causal diagonal.
        """
        attention = 6 * self.num_hidden_layers * context * self.num_attention_heads * self.head_dim
        return 6 * self.num_matmul_parameters + attention

    def _matmuls_per_layer(self) -> int:
        query = self.num_attention_heads * self.head_dim
        key_value = self.num_key_value_heads * self.head_dim
        return self.hidden_size * (2 * query + 2 * key_value + 3 * self.intermediate_size)

    def _per_layer(self) -> int:
        query = self.num_attention_heads * self.head_dim
        key_value = self.num_key_value_heads * self.head_dim
        bias = query + 2 * key_value if self.attention_bias else 0
        norms = 2 * self.hidden_size + (2 * self.head_dim if self.qk_norm else 0)
        return self._matmuls_per_layer() + bias + norms

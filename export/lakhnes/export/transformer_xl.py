"""The Transformer-XL in PyTorch, for training and as the reference of the exported graph.

References:
- Dai et al. 2019, "Transformer-XL: Attentive Language Models Beyond a Fixed-Length Context": segments with
  memory, relative positions (section 3).
- LakhNES `model/mem_transformer.py`, attention type 0, with the same logits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lakhnes.export.relative_attention import attend


@dataclass(frozen=True, slots=True)
class TransformerXLConfig:
    """Sizes and variants of a Transformer-XL."""

    n_token: int
    """Size of the vocabulary."""
    n_layer: int
    n_head: int
    d_model: int
    d_head: int
    d_inner: int
    """Width of the feed-forward layers."""
    d_embed: int
    """Width of the embedding; projected to and from d_model if they differ."""
    pre_lnorm: bool = False
    """Whether LayerNorm comes before each block instead of after it."""
    clamp_len: int = -1
    """Largest distinct distance; larger ones count as this. -1 for none."""
    same_length: bool = False
    """Whether every query sees mem_len keys including its own, for any segment.

    If not, all available keys.
    """
    tie_embedding: bool = True
    """Whether the output layer shares the embedding's weights."""
    dropout: float = 0.0
    """Dropout after embeddings and blocks, 0..1."""
    attention_dropout: float = 0.0
    """Dropout of attention probabilities, 0..1."""
    layer_drop: float = 0.0
    """Stochastic depth: probability in training of skipping the last layer, lower for earlier layers."""


class Attention(nn.Module):
    """Multi-head attention with relative positions over the memory and the segment."""

    def __init__(self, config: TransformerXLConfig) -> None:
        super().__init__()
        self.config = config
        width = config.n_head * config.d_head
        self.qkv = nn.Linear(config.d_model, 3 * width, bias=False)
        self.relative = nn.Linear(config.d_model, width, bias=False)
        self.out = nn.Linear(width, config.d_model, bias=False)
        self.norm = nn.LayerNorm(config.d_model)
        self.drop = Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        positions: Tensor,
        content_bias: Tensor,
        position_bias: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """Attend from a segment to its memory and itself.

        Args:
            x: float [B, T, d_model], the segment.
            memory: float [B, M, d_model], earlier inputs of this layer.
            positions: float [M+T, d_model], sinusoids of the distances M+T-1 .. 0.
            content_bias: float [H, D], added to queries for contents (u in the paper).
            position_bias: float [H, D], added to queries for distances (v in the paper).
            mask: bool [T, M+T], true for keys that a query must not see.

        Returns:
            float [B, T, d_model].
        """
        c = self.config
        width = c.n_head * c.d_head
        if c.pre_lnorm:
            residual, x = x, self.norm(x)
            memory = self.norm(memory)
        else:
            residual = x
        x, memory = cast(x), cast(memory)
        everything = torch.cat([memory, x], 1)  # [B, K, d_model], K = M+T
        n_batch, n_key, _ = everything.shape
        query = F.linear(x, self.qkv.weight[:width]).view(n_batch, -1, c.n_head, c.d_head)  # [B, T, H, D]
        both = F.linear(everything, self.qkv.weight[width:]).view(n_batch, n_key, 2, c.n_head, c.d_head)
        keys, values = both.unbind(2)  # [B, K, H, D]
        distances = self.relative(positions).view(n_key, c.n_head, c.d_head)
        scale = c.d_head**-0.5
        content = (query + content_bias.to(query.dtype)) * scale
        position = (query + position_bias.to(query.dtype)) * scale
        dropout = c.attention_dropout if self.training else 0.0
        heads = attend(content, position, keys, values, distances, mask, dropout).flatten(2)  # [B, T, H*D]
        x = residual + self.drop(self.out(heads))
        return x if c.pre_lnorm else self.norm(x)


def cast(x: Tensor) -> Tensor:
    """Return a tensor in the precision of matrix products: bfloat16 under autocast, or unchanged."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


class Dropout(nn.Module):
    """Dropout; on the CPU it takes four 16-bit decisions from one random number, ten times as fast."""

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, x: Tensor) -> Tensor:
        """Set random elements of a tensor to 0 and scale the others up; the shape stays."""
        if not self.training or not self.chance:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.chance)
        bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        kept = bits.view(torch.int16)[: x.numel()].view(x.shape) >= round(self.chance * 65536) - 32768
        return x * (kept.to(x.dtype) / (1 - self.chance))


class FeedForward(nn.Module):
    """The position-wise feed-forward block."""

    def __init__(self, config: TransformerXLConfig) -> None:
        super().__init__()
        self.pre_lnorm = config.pre_lnorm
        self.wide = nn.Linear(config.d_model, config.d_inner)
        self.narrow = nn.Linear(config.d_inner, config.d_model)
        self.norm = nn.LayerNorm(config.d_model)
        self.drop = Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to float [B, T, d_model]; the shape stays."""
        inner = self.drop(F.relu(self.wide(self.norm(x) if self.pre_lnorm else x)))
        x = x + self.drop(self.narrow(inner))
        return x if self.pre_lnorm else self.norm(x)


class Layer(nn.Module):
    """Attention, then feed-forward."""

    def __init__(self, config: TransformerXLConfig) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.feed_forward = FeedForward(config)

    def forward(
        self, x: Tensor, memory: Tensor, positions: Tensor, biases: tuple[Tensor, Tensor], mask: Tensor
    ) -> Tensor:
        """Apply the layer to float [B, T, d_model]; see `Attention.forward`."""
        attended: Tensor = self.attention(x, memory, positions, *biases, mask)
        result: Tensor = self.feed_forward(attended)
        return result


class TransformerXL(nn.Module):
    """A language model over segments; each segment attends to the memory of earlier ones."""

    def __init__(self, config: TransformerXLConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.n_token, config.d_embed)
        self.output = nn.Linear(config.d_embed, config.n_token)
        if config.tie_embedding:
            self.output.weight = self.embedding.weight
        projected = config.d_embed != config.d_model
        shape = (config.d_model, config.d_embed)
        self.embedding_projection = nn.Parameter(torch.empty(shape)) if projected else None
        self.output_projection = nn.Parameter(torch.empty(shape)) if projected else None
        self.content_bias = nn.Parameter(torch.empty(config.n_head, config.d_head))
        self.position_bias = nn.Parameter(torch.empty(config.n_head, config.d_head))
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.n_layer))
        self.drop = Dropout(config.dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise all weights: normal 0.02, LayerNorm gains around 1, biases 0."""
        for name, parameter in self.named_parameters():
            if name.endswith("norm.weight"):
                nn.init.normal_(parameter, 1.0, 0.02)
            elif name.endswith(".bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, 0.0, 0.02)

    def forward(
        self,
        tokens: Tensor,
        memory: Tensor | None = None,
        *,
        mem_len: int,
        window: int | None = None,
        starts: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Run one segment.

        Args:
            tokens: int64 [B, T].
            memory: float [L, B, M, d_model] as the last call returned it; None at the start.
            mem_len: most rows of memory to return.
            window: largest distance that a query may see; None for the model's own rule, as in training.
                With `window=M` and M rows of memory or more, segments equal single steps.
            starts: int64 [B, T]: place of the first token that each query may see, counted in the
                segment, negative in the memory. None for no such limit.

        Returns:
            Logits float [B, T, V], and the memory for the next segment, detached.
        """
        c = self.config
        n_batch, n_query = tokens.shape
        if memory is None:
            memory = cast(self.embedding.weight).new_zeros(c.n_layer, n_batch, 0, c.d_model)
        if window is None and c.same_length:
            window = mem_len - 1
        n_key = memory.shape[2] + n_query
        distance = torch.arange(n_key - 1, -1, -1, device=tokens.device)  # [K], for the last query
        behind = distance - torch.arange(n_query - 1, -1, -1, device=tokens.device)[:, None]  # [T, K]
        mask = (behind < 0) if window is None else (behind < 0) | (behind > window)
        if starts is not None:
            place = torch.arange(n_key, device=tokens.device) - memory.shape[2]
            mask = mask | (place < starts[..., None])  # [B, T, K]
        positions = self.drop(cast(sinusoids(distance, c)))  # [K, d_model]

        x = F.embedding(tokens, self.embedding.weight)
        if self.embedding_projection is not None:
            x = F.linear(x, self.embedding_projection)
        x = self.drop(x * c.d_model**0.5)  # [B, T, d_model]
        inputs = []
        for index, (layer, rows) in enumerate(zip(self.layers, memory, strict=True)):
            inputs.append(x)
            y = layer(x, rows, positions, (self.content_bias, self.position_bias), mask)
            x = self._perhaps(x, y, index) if self.training and c.layer_drop else y
        x = self.drop(x)
        if self.output_projection is not None:
            x = F.linear(x, self.output_projection.t())
        return self.output(x), remembered(memory, inputs, mem_len)

    def _perhaps(self, x: Tensor, y: Tensor, index: int) -> Tensor:
        """Return a layer's output y [B, T, d_model], or its input x for streams that randomly skip it.

        Source: Huang et al. 2016, "Deep Networks with Stochastic Depth": linear decay. The layer's
            contribution
        is scaled up in training, so nothing needs scaling afterwards.
        """
        stays = 1 - self.config.layer_drop * (index + 1) / self.config.n_layer
        keep = torch.rand(len(x), 1, 1, device=x.device) < stays
        return torch.where(keep, x + (y - x) / stays, x)


@torch.no_grad()
def remembered(memory: Tensor, inputs: list[Tensor], mem_len: int) -> Tensor:
    """Return the memory for the next segment.

    Args:
        memory: float [L, B, M, d_model], the memory of this segment.
        inputs: float [B, T, d_model] of each layer.
        mem_len: most rows to keep.

    Returns:
        float [L, B, min(M + T, mem_len), d_model].
    """
    n_layer, n_batch, n_old, width = memory.shape
    n_new = min(inputs[0].shape[1], mem_len)
    n_old = min(n_old, mem_len - n_new)
    kept = memory.new_empty(n_layer, n_batch, n_old + n_new, width)
    kept[:, :, :n_old] = memory[:, :, memory.shape[2] - n_old :]
    for layer, x in enumerate(inputs):
        kept[layer, :, n_old:] = x[:, x.shape[1] - n_new :]
    return kept


def sinusoids(distance: Tensor, config: TransformerXLConfig) -> Tensor:
    """Return the position embeddings float32 [K, d_model] of distances [K]: sines, then cosines."""
    far = distance.float()
    if config.clamp_len > 0:
        far = far.clamp(max=config.clamp_len)
    angles = far[:, None] * frequencies(config, far.device)
    return torch.cat([angles.sin(), angles.cos()], 1)


def frequencies(config: TransformerXLConfig, device: torch.device | None = None) -> Tensor:
    """Return the radians per step of distance, float32 [d_model/2]."""
    return 10000 ** -(torch.arange(0.0, config.d_model, 2.0, device=device) / config.d_model)

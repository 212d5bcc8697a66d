"""The Transformer-XL in PyTorch, for training and as the reference of the exported graph.

References:
- Dai et al. 2019, "Transformer-XL: Attentive Language Models Beyond a Fixed-Length Context": segments with
  memory, relative positions (section 3).
- LakhNES `model/mem_transformer.py`, attention type 0, whose logits this module gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
    """Width of the embedding; projected to and from d_model where they differ."""
    pre_lnorm: bool = False
    """LayerNorm before each block rather than after it."""
    clamp_len: int = -1
    """Distances beyond this look like this one; -1 for none."""
    same_length: bool = False
    """Whether every query sees mem_len keys with its own, however long the segment; else all there are."""
    tie_embedding: bool = True
    """Whether the output layer shares the embedding's weights."""
    dropout: float = 0.0
    """0..1, after embeddings and blocks."""
    attention_dropout: float = 0.0
    """0..1, on attention probabilities."""


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
        self.drop = nn.Dropout(config.dropout)
        self.drop_probabilities = nn.Dropout(config.attention_dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        positions: Tensor,
        content_bias: Tensor,
        position_bias: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """Attends from a segment to its memory and itself.

        Args:
            x: float [B, T, d_model], the segment.
            memory: float [B, M, d_model], earlier inputs of this layer.
            positions: float [M+T, d_model], sinusoids of the distances M+T-1 .. 0.
            content_bias: float [H, D], added to queries that meet contents (u in the paper).
            position_bias: float [H, D], added to queries that meet distances (v in the paper).
            mask: bool [T, M+T], true where a query must not look.

        Returns:
            float [B, T, d_model].
        """
        c = self.config
        everything = torch.cat([memory, x], 1)  # [B, K, d_model], K = M+T
        if c.pre_lnorm:
            everything = self.norm(everything)
        n_batch, n_key, _ = everything.shape
        n_query = x.shape[1]
        qkv = self.qkv(everything).view(n_batch, n_key, 3, c.n_head, c.d_head)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each [B, H, K, D]
        query = query[:, :, -n_query:]  # [B, H, T, D]
        relative = self.relative(positions).view(n_key, c.n_head, c.d_head)

        contents = (query + content_bias[:, None]) @ key.transpose(2, 3)  # [B, H, T, K]
        distances = (query + position_bias[:, None]) @ relative.permute(1, 2, 0)  # [B, H, T, K]
        scores = (contents + relative_shift(distances)) * c.d_head**-0.5
        scores = scores.masked_fill(mask, float("-inf"))
        probabilities = self.drop_probabilities(scores.softmax(-1))
        heads = (probabilities @ value).transpose(1, 2).reshape(n_batch, n_query, -1)  # [B, T, H*D]
        x = x + self.drop(self.out(heads))
        return x if c.pre_lnorm else self.norm(x)


def relative_shift(scores: Tensor) -> Tensor:
    """Moves row t of scores by distance [.., T, K] so that column j is key j, not distance K-1-j.

    Source: Dai et al. 2019, appendix B. What lies after the query is left over from the next row; mask it.
    """
    n_query, n_key = scores.shape[-2:]
    padded = F.pad(scores, (1, 0)).view(*scores.shape[:-2], n_key + 1, n_query)
    return padded[..., 1:, :].reshape(scores.shape)


class FeedForward(nn.Module):
    """The position-wise block."""

    def __init__(self, config: TransformerXLConfig) -> None:
        super().__init__()
        self.pre_lnorm = config.pre_lnorm
        self.wide = nn.Linear(config.d_model, config.d_inner)
        self.narrow = nn.Linear(config.d_inner, config.d_model)
        self.norm = nn.LayerNorm(config.d_model)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Float [B, T, d_model] to the same."""
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
        """Float [B, T, d_model] to the same; see `Attention.forward`."""
        attended: Tensor = self.attention(x, memory, positions, *biases, mask)
        result: Tensor = self.feed_forward(attended)
        return result


class TransformerXL(nn.Module):
    """A language model over segments, each of which attends to the memory of those before."""

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
        self.drop = nn.Dropout(config.dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Starts all weights anew: normal 0.02, LayerNorm gains around 1, biases 0."""
        for name, parameter in self.named_parameters():
            if name.endswith("norm.weight"):
                nn.init.normal_(parameter, 1.0, 0.02)
            elif name.endswith(".bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, 0.0, 0.02)

    def forward(
        self, tokens: Tensor, memory: Tensor | None = None, *, mem_len: int, window: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Runs one segment.

        Args:
            tokens: int64 [B, T].
            memory: float [L, B, M, d_model] as the call before returned it; None at the start.
            mem_len: most rows of memory to return.
            window: farthest distance that a query may see; None for the model's own rule, as in training.
                With `window=M` and M rows of memory or more, segments give what single steps do.

        Returns:
            Logits float [B, T, V], and the memory for the next segment, detached.
        """
        c = self.config
        n_batch, n_query = tokens.shape
        if memory is None:
            memory = self.embedding.weight.new_zeros(c.n_layer, n_batch, 0, c.d_model)
        if window is None and c.same_length:
            window = mem_len - 1
        n_key = memory.shape[2] + n_query
        distance = torch.arange(n_key - 1, -1, -1, device=tokens.device)  # [K], of the last query
        behind = distance - torch.arange(n_query - 1, -1, -1, device=tokens.device)[:, None]  # [T, K]
        mask = (behind < 0) if window is None else (behind < 0) | (behind > window)
        positions = self.drop(sinusoids(distance, c).to(memory.dtype))  # [K, d_model]

        x = F.embedding(tokens, self.embedding.weight)
        if self.embedding_projection is not None:
            x = F.linear(x, self.embedding_projection)
        x = self.drop(x * c.d_model**0.5)  # [B, T, d_model]
        inputs = []
        for layer, rows in zip(self.layers, memory, strict=True):
            inputs.append(x)
            x = layer(x, rows, positions, (self.content_bias, self.position_bias), mask)
        x = self.drop(x)
        if self.output_projection is not None:
            x = F.linear(x, self.output_projection.t())
        with torch.no_grad():
            kept = torch.cat([memory, torch.stack(inputs)], 2)  # [L, B, K, d_model]
            kept = kept[:, :, max(0, n_key - mem_len) :].detach()
        return self.output(x), kept


def sinusoids(distance: Tensor, config: TransformerXLConfig) -> Tensor:
    """Position embeddings float32 [K, d_model] of distances [K]: sines, then cosines."""
    far = distance.float()
    if config.clamp_len > 0:
        far = far.clamp(max=config.clamp_len)
    frequencies = 10000 ** -(torch.arange(0.0, config.d_model, 2.0, device=far.device) / config.d_model)
    angles = far[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1)

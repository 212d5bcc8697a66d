"""Attention with relative positions: the computation on queries, keys and values.

The plain form works on every device. On the CPU it would mostly move memory. A second form therefore
processes one stream at a time, so that results stay in the cache. It shifts distances without copying them,
and computes its own gradient.

Source: Dai et al. 2019, "Transformer-XL", appendix B.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_WORTH_A_TURN = 1 << 16
"""Scores of a stream from which it is processed alone; for fewer, several streams fit into the cache."""

_BLOCK = 256
"""Queries of a block: their scores stay in the cache, and few masked keys are computed."""


def attend(
    content: Tensor,
    position: Tensor,
    keys: Tensor,
    values: Tensor,
    distances: Tensor,
    mask: Tensor,
    dropout: float,
) -> Tensor:
    """Attend to a memory and a segment.

    Args:
        content: float [B, T, H, D]: queries for contents, scaled by 1/sqrt(D).
        position: float [B, T, H, D]: queries for distances, scaled in the same way.
        keys: float [B, K, H, D], K = M+T.
        values: float [B, K, H, D].
        distances: float [K, H, D]: keys of the distances K-1 .. 0.
        mask: bool [T, K] or [B, T, K], true for keys that a query must not see; at least the later keys.
        dropout: 0..1, on probabilities.

    Returns:
        float [B, T, H, D].
    """
    n_scores = content.shape[1] * content.shape[2] * keys.shape[1]  # per stream
    if content.device.type == "cpu" and not dropout and n_scores >= _WORTH_A_TURN:
        result: Tensor = _ByStream.apply(content, position, keys, values, distances, mask)  # type: ignore[no-untyped-call]
        return result
    content, position, keys, values = (
        x.transpose(1, 2) for x in (content, position, keys, values)
    )  # [B, H, ..]
    with torch.autocast(content.device.type, enabled=False):  # it would double the largest tensor
        scores = content @ keys.transpose(2, 3)  # [B, H, T, K]
        scores = scores + relative_shift(position @ distances.permute(1, 2, 0))
        hidden = mask if mask.ndim == 2 else mask[:, None]
        probabilities = F.dropout(scores.masked_fill(hidden, float("-inf")).softmax(-1), dropout)
        return (probabilities @ values).transpose(1, 2)


def relative_shift(scores: Tensor) -> Tensor:
    """Shift row t of scores by distance [.., T, K] so that column j is key j, not distance K-1-j.

    Columns after the query contain values of the next row; mask them.
    """
    n_query, n_key = scores.shape[-2:]
    padded = F.pad(scores, (1, 0)).view(*scores.shape[:-2], n_key + 1, n_query)
    return padded[..., 1:, :].reshape(scores.shape)


def _shifted(scores: Tensor, columns: int) -> Tensor:
    """Return `relative_shift` of scores [H, T, K] as a view of the first columns.

    Row t begins T-1-t later.
    """
    n_query, n_key = scores.shape[1:]
    return scores.as_strided(
        (len(scores), n_query, columns),
        (n_query * n_key, n_key - 1, 1),
        scores.storage_offset() + n_query - 1,
    )


def _blocks(mask: Tensor) -> Iterator[tuple[slice, int]]:
    """Yield blocks of queries of a mask [.., T, K], each with the number of keys up to its last query."""
    n_query, n_key = mask.shape[-2:]
    for start in range(0, n_query, _BLOCK):
        stop = min(start + _BLOCK, n_query)
        yield slice(start, stop), n_key - n_query + stop


class _ByStream(torch.autograd.Function):
    """`attend` for one stream after another, block after block.

    A block of queries is a segment that ends with its last query: it has the keys up to there, and as many
    distances.
    """

    @staticmethod
    def forward(
        ctx: Any,
        content: Tensor,
        position: Tensor,
        keys: Tensor,
        values: Tensor,
        distances: Tensor,
        mask: Tensor,
    ) -> Tensor:
        n_stream, n_key = keys.shape[:2]
        by_distance = distances.permute(1, 2, 0)  # [H, D, K]
        kept: list[Tensor] | None = [] if any(ctx.needs_input_grad) else None
        result = torch.empty_like(content)
        for rows, n in _blocks(mask):
            for stream in range(n_stream):
                hidden = (mask if mask.ndim == 2 else mask[stream])[rows, :n]  # [t, n]
                some = hidden.any(0).nonzero()
                first = int(some[0]) if len(some) else n  # every query may see all earlier keys
                far = position[stream, rows].transpose(0, 1) @ by_distance[..., n_key - n :]
                scores = torch.baddbmm(
                    _shifted(far, n),
                    content[stream, rows].transpose(0, 1),
                    keys[stream, :n].permute(1, 2, 0),
                )  # [H, t, n]
                scores[..., first:].masked_fill_(hidden[:, first:], float("-inf"))
                torch.softmax(scores, -1, out=scores)
                result[stream, rows] = (scores @ values[stream, :n].transpose(0, 1)).transpose(0, 1)
                if kept is not None:
                    kept.append(scores)
        if kept is not None:
            ctx.save_for_backward(content, position, keys, values, distances, mask, *kept)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        content, position, keys, values, distances, mask, *kept = ctx.saved_tensors
        n_stream, n_key = keys.shape[:2]
        by_distance = distances.transpose(0, 1)  # [H, K, D]
        d_content, d_position = torch.empty_like(content), torch.empty_like(position)
        sums = torch.promote_types(keys.dtype, torch.float32)  # over blocks, and over streams
        d_keys = torch.zeros_like(keys.transpose(1, 2), dtype=sums)  # [B, H, K, D]
        d_values = torch.zeros_like(d_keys)
        d_distances = torch.zeros_like(by_distance, dtype=sums)
        made = iter(kept)
        for rows, n in _blocks(mask):
            d_far = keys.new_zeros(len(by_distance), rows.stop - rows.start, n)  # [H, t, n]
            for stream in range(n_stream):
                probabilities = next(made)  # [H, t, n]
                d_out = gradient[stream, rows].transpose(0, 1)  # [H, t, D]
                d_values[stream, :, :n] += probabilities.transpose(1, 2) @ d_out
                d_scores = d_out @ values[stream, :n].permute(1, 2, 0)
                d_scores = torch._softmax_backward_data(d_scores, probabilities, -1, probabilities.dtype)
                queries = content[stream, rows].transpose(0, 1)
                d_content[stream, rows] = (d_scores @ keys[stream, :n].transpose(0, 1)).transpose(0, 1)
                d_keys[stream, :, :n] += d_scores.transpose(1, 2) @ queries
                # Only the last query sees the last key; without its column no two rows overlap.
                _shifted(d_far, n - 1).copy_(d_scores[..., :-1])
                d_far[:, -1, -1] = d_scores[:, -1, -1]
                d_position[stream, rows] = (d_far @ by_distance[:, n_key - n :]).transpose(0, 1)
                d_distances[:, n_key - n :] += d_far.transpose(1, 2) @ position[stream, rows].transpose(0, 1)
        d_keys, d_values = (x.transpose(1, 2).to(keys.dtype) for x in (d_keys, d_values))
        d_distances = d_distances.transpose(0, 1).to(distances.dtype)
        return d_content, d_position, d_keys, d_values, d_distances, None

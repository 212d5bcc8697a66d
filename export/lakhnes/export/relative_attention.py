"""What attention does to queries, keys and values, with relative positions.

The plain form is for every device. On the CPU, where it would mostly move memory, a second form goes through
it one stream at a time, so that what is made stays in the cache, shifts distances without copying them, and
knows its own gradient.

Source: Dai et al. 2019, "Transformer-XL", appendix B.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_WORTH_A_TURN = 1 << 16
"""Scores of a stream that are worth to be made by themselves; of fewer, several streams are in the cache."""


def attend(
    content: Tensor,
    position: Tensor,
    keys: Tensor,
    values: Tensor,
    distances: Tensor,
    mask: Tensor,
    dropout: float,
) -> Tensor:
    """Attends to a memory and a segment.

    Args:
        content: float [B, T, H, D], queries that meet contents, scaled by 1/sqrt(D).
        position: float [B, T, H, D], queries that meet distances, scaled likewise.
        keys: float [B, K, H, D], K = M+T.
        values: float [B, K, H, D].
        distances: float [K, H, D], keys of the distances K-1 .. 0.
        mask: bool [T, K], true where a query must not look; at least where a key lies after the query.
        dropout: 0..1, on probabilities.

    Returns:
        float [B, T, H, D].
    """
    n_scores = content.shape[1] * content.shape[2] * keys.shape[1]  # of a stream
    if content.device.type == "cpu" and not dropout and n_scores >= _WORTH_A_TURN:
        result: Tensor = _ByStream.apply(content, position, keys, values, distances, mask)  # type: ignore[no-untyped-call]
        return result
    content, position, keys, values = (
        x.transpose(1, 2) for x in (content, position, keys, values)
    )  # [B, H, ..]
    scores = content @ keys.transpose(2, 3)  # [B, H, T, K]
    scores = scores + relative_shift(position @ distances.permute(1, 2, 0))
    probabilities = F.dropout(scores.masked_fill(mask, float("-inf")).softmax(-1), dropout)
    return (probabilities.to(values.dtype) @ values).transpose(1, 2)


def relative_shift(scores: Tensor) -> Tensor:
    """Moves row t of scores by distance [.., T, K] so that column j is key j, not distance K-1-j.

    What lies after the query is left over from the next row; mask it.
    """
    n_query, n_key = scores.shape[-2:]
    padded = F.pad(scores, (1, 0)).view(*scores.shape[:-2], n_key + 1, n_query)
    return padded[..., 1:, :].reshape(scores.shape)


def _shifted(scores: Tensor, columns: int) -> Tensor:
    """`relative_shift` of scores [H, T, K] as a view of the first columns: row t begins T-1-t later."""
    n_query, n_key = scores.shape[1:]
    return scores.as_strided(
        (len(scores), n_query, columns),
        (n_query * n_key, n_key - 1, 1),
        scores.storage_offset() + n_query - 1,
    )


class _ByStream(torch.autograd.Function):
    """`attend` one stream after the other."""

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
        n_stream, n_query, n_head, _ = content.shape
        n_key = keys.shape[1]
        some = mask.any(0).nonzero()
        first = int(some[0]) if len(some) else n_key - n_query  # no query is kept from what lies before
        by_distance = distances.permute(1, 2, 0)  # [H, D, K]
        kept = any(ctx.needs_input_grad)
        made = content.new_empty((n_stream if kept else 1, n_head, n_query, n_key))
        result = torch.empty_like(content)
        for stream in range(n_stream):
            scores = made[stream if kept else 0]  # [H, T, K]
            far = position[stream].transpose(0, 1) @ by_distance
            torch.baddbmm(
                _shifted(far, n_key),
                content[stream].transpose(0, 1),
                keys[stream].permute(1, 2, 0),
                out=scores,
            )
            scores[..., first:].masked_fill_(mask[:, first:], float("-inf"))
            torch.softmax(scores, -1, out=scores)
            result[stream] = (scores @ values[stream].transpose(0, 1)).transpose(0, 1)
        ctx.save_for_backward(content, position, keys, values, distances, made)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        content, position, keys, values, distances, made = ctx.saved_tensors
        n_query, n_key = content.shape[1], keys.shape[1]
        d_content, d_position = torch.empty_like(content), torch.empty_like(position)
        d_keys, d_values = torch.empty_like(keys), torch.empty_like(values)
        d_distances = torch.zeros_like(distances.transpose(0, 1), dtype=torch.float32)  # [H, K, D]
        by_distance = distances.transpose(0, 1)  # [H, K, D]
        d_far = torch.zeros_like(made[0])
        for stream, probabilities in enumerate(made):  # [H, T, K]
            d_out = gradient[stream].transpose(0, 1)  # [H, T, D]
            d_values[stream] = (probabilities.transpose(1, 2) @ d_out).transpose(0, 1)
            d_scores = d_out @ values[stream].permute(1, 2, 0)
            d_scores = torch._softmax_backward_data(d_scores, probabilities, -1, probabilities.dtype)
            d_content[stream] = (d_scores @ keys[stream].transpose(0, 1)).transpose(0, 1)
            d_keys[stream] = (d_scores.transpose(1, 2) @ content[stream].transpose(0, 1)).transpose(0, 1)
            # The last key is seen by the last query alone; without its column no two rows overlap.
            _shifted(d_far, n_key - 1).copy_(d_scores[..., :-1])
            d_far[:, n_query - 1, n_key - 1] = d_scores[:, -1, -1]
            d_position[stream] = (d_far @ by_distance).transpose(0, 1)
            d_distances += d_far.transpose(1, 2) @ position[stream].transpose(0, 1)
        d_distances = d_distances.transpose(0, 1).to(distances.dtype)
        return d_content, d_position, d_keys, d_values, d_distances, None

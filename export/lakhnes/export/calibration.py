"""Calibration: fitting a model's match cache (`runtime/decode/match_cache.py`) on songs new to it.

The network stays unchanged. The temperature and the learning rate of the bias are chosen first. Then the
weights of matches and the gate are trained. All use the loss of the songs' own tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lakhnes.export.evaluation import EvaluationStreams
from lakhnes.runtime.decode.match_cache import MEMORY, MatchCache, Views, gain, log_feature
from lakhnes.runtime.errors import DataError
from lakhnes.runtime.files import write_whole
from lakhnes.runtime.model.cache_weights import FEATURES, HIDDEN, LONGEST, VIEWS, CacheWeights
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.model.model_file import read_model
from lakhnes.runtime.model.model_info import METADATA_KEY

TEMPERATURES = tuple(np.linspace(0.9, 1.3, 21).round(2).tolist())
RATES = (0.0, 0.03, 0.1, 0.2)
"""Values to try."""

_LEAST_TOKENS = 100

_BLOCK = 1024
"""Tokens of a stream in one step of the fit."""

_EPOCHS = 16
_SCORES_LR = 0.03
_GATE_LR = 6e-3
_ROUGHNESS = 1e-4
"""Cost of the squared difference between the weights of neighbouring lengths."""

_WEIGHT_COST = 1e-4

_FELT = 128
"""Number of recent events for the success: MEMORY to this power is almost 0."""

StageProgress = Callable[[str, float], None]


class Calibration(NamedTuple):
    """Result of a calibration."""

    recall: CacheWeights
    fitted: int
    """Number of tokens in the fit."""
    tested: int
    """Number of tokens in the test: later tokens of the same streams."""
    network_loss: float
    """Nats a token in the test, for the network alone."""
    loss: float
    """Nats a token in the test, with the match cache."""


def calibrate(
    model: Model, streams: EvaluationStreams, tokens: int, progress: StageProgress = lambda stage, part: None
) -> Calibration:
    """Fit a model's match cache.

    Args:
        model: the model; an existing match cache is ignored.
        streams: songs that it was not trained on.
        tokens: most tokens; the last quarter of each stream is the test. 160,000 take some minutes.
        progress: called with each stage and the fraction done, 0..1.

    Raises:
        DataError: if the songs are too few.
    """
    length = min(streams.data.shape[1], tokens // len(streams.data))
    if length * len(streams.data) < _LEAST_TOKENS:
        raise DataError(
            f"There is too little to calibrate on: {length * len(streams.data)} events of {streams.songs} "
            f"songs; give {_LEAST_TOKENS} or more."
        )
    heard = list(_heard(model, streams.data[:, :length], streams.targets[:, :length], progress))
    n_fitted = 3 * length // 4
    fitted = [one.part(slice(n_fitted)) for one in heard]
    views = Views(model.codec)
    temperature = min(TEMPERATURES, key=lambda t: _loss_at(fitted, t))
    losses = {rate: _losses(fitted[:2], _untrusting(temperature, rate), views).mean() for rate in RATES}
    plain = _untrusting(temperature, min(losses, key=losses.__getitem__))
    blocks: list[Block] = []
    for number, one in enumerate(fitted):
        progress("listening", number / len(fitted))
        blocks += blocks_of(one, plain, views)
    fit = Fit(plain)
    fit.train_on(blocks, progress)
    recall = fit.recall()
    progress("testing", 0.0)
    loss = _losses(heard, recall, views)[:, n_fitted:]
    alone = _loss_at([one.part(slice(n_fitted, None)) for one in heard], 1.0) / loss.size
    return Calibration(recall, n_fitted * len(heard), loss.size, alone, float(loss.mean()))


def _untrusting(temperature: float, rate: float) -> CacheWeights:
    """Return a match cache that trusts no match."""
    gate = np.append(np.zeros(HIDDEN), -30.0)
    return CacheWeights(
        temperature, rate, np.zeros((VIEWS, LONGEST + 1)), 0.0, np.zeros((HIDDEN, FEATURES + 1)), gate
    )


def write_calibrated(source: Path, target: Path, recall: CacheWeights) -> None:
    """Write a model with a match cache.

    Args:
        source: the model's ONNX file.
        target: the file to write, which may be the same; its folder is created.
        recall: the weights from `calibrate`.

    Raises:
        ModelError: if the source is no model.
        OutputError: if it cannot be written.
    """
    data, info = read_model(source)
    proto = onnx.load_model_from_string(data)
    texts = {p.key: p.value for p in proto.metadata_props}
    texts[METADATA_KEY] = replace(info, recall=recall).to_json()
    onnx.helper.set_model_props(proto, texts)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, proto.SerializeToString())


class Heard(NamedTuple):
    """A stream and the network's logits after each of its tokens."""

    tokens: NDArray[np.int64]
    targets: NDArray[np.int64]
    logits: NDArray[np.float32]
    """float32 [n, V]."""

    def part(self, places: slice) -> Heard:
        """Return a part of it."""
        return Heard(self.tokens[places], self.targets[places], self.logits[places])


def _heard(
    model: Model, data: NDArray[np.int64], targets: NDArray[np.int64], progress: StageProgress
) -> Iterator[Heard]:
    batch = model.batch(1)
    for number, (tokens, wanted) in enumerate(zip(data, targets, strict=True)):
        progress("asking the network", number / len(data))
        batch.reset()
        yield Heard(tokens, wanted, batch.prefill(tokens[None])[0])


def _loss_at(heard: list[Heard], temperature: float) -> float:
    """Return the nats of all tokens together, for the network at a temperature."""
    return sum(
        F.cross_entropy(
            torch.from_numpy(one.logits) / temperature, torch.from_numpy(one.targets), reduction="sum"
        ).item()
        for one in heard
    )


def _losses(heard: list[Heard], recall: CacheWeights, views: Views) -> NDArray[np.float64]:
    """Return the nats of each token, [streams, n], with a match cache."""
    losses = np.empty((len(heard), len(heard[0].tokens)))
    for row, one in zip(losses, heard, strict=True):
        memory = MatchCache(recall, views)
        for place, (token, target, logits) in enumerate(zip(*one, strict=True)):
            memory.read(token, given=True)
            row[place] = -memory.mix(logits)[target]
    return losses


class Block(NamedTuple):
    """A run of n tokens with all m matches."""

    targets: Tensor
    """int64 [n]."""
    network: Tensor
    """float32 [n, V]: probabilities."""
    waits: Tensor
    """int64 [n]: kind of the token before each: 0, 1 or 2."""
    place: Tensor
    """int64 [m]: the token of each match."""
    lengths: Tensor
    """uint8 [VIEWS, m]."""
    distance: Tensor
    """int16 [m]."""
    next: Tensor
    """int16 [m]."""


def blocks_of(one: Heard, recall: CacheWeights, views: Views) -> Iterator[Block]:
    """Yield a stream in blocks, with the network corrected by `recall`."""
    memory = MatchCache(recall, views)
    for start in range(0, len(one.tokens), _BLOCK):
        part = slice(start, start + _BLOCK)
        networks, lengths, distances, following, counts = [], [], [], [], []
        for token, logits in zip(one.tokens[part], one.logits[part], strict=True):
            memory.read(token, given=True)
            memory.mix(logits)
            networks.append(memory.network(logits).astype(np.float32))
            found = memory.matches()
            lengths.append(found.lengths)
            distances.append(found.distance.astype(np.int16))
            following.append(found.next.astype(np.int16))
            counts.append(len(found.next))
        yield Block(
            torch.from_numpy(one.targets[part]),
            torch.from_numpy(np.stack(networks)),
            torch.from_numpy(views.waits[one.tokens[part]]),
            torch.from_numpy(np.repeat(np.arange(len(counts)), counts)),
            torch.from_numpy(np.concatenate(lengths, 1)),
            torch.from_numpy(np.concatenate(distances)),
            torch.from_numpy(np.concatenate(following)),
        )


class Fit(nn.Module):
    """`MatchCache.mix` with trainable weights, for whole blocks."""

    def __init__(self, plain: CacheWeights) -> None:
        super().__init__()
        torch.manual_seed(0)
        self._plain = plain
        slopes = torch.tensor([1.0, 0.5, 0.5, 0.3])[:, None] * 0.15
        self.scores = nn.Parameter(slopes * torch.arange(LONGEST + 1))
        self.recency = nn.Parameter(torch.tensor(0.2))
        self.hidden = nn.Linear(FEATURES, HIDDEN)
        self.gate = nn.Linear(HIDDEN, 1)
        with torch.no_grad():
            self.gate.bias.fill_(-2.5)

    def recall(self) -> CacheWeights:
        """Return the weights in the runtime's form."""

        def numbers(tensor: Tensor) -> NDArray[np.float64]:
            return tensor.detach().double().numpy()

        return replace(
            self._plain,
            scores=numbers(self.scores),
            recency=self.recency.item(),
            hidden=numbers(torch.cat([self.hidden.weight, self.hidden.bias[:, None]], 1)),
            gate=numbers(torch.cat([self.gate.weight[0], self.gate.bias])),
        )

    def forward(self, block: Block) -> Tensor:
        """Return the nats of each token of a block, float32 [n]."""
        n, n_token = block.network.shape
        place = block.place
        scores = -self.recency * block.distance.float().log()
        for view, lengths in zip(self.scores, block.lengths, strict=True):
            scores = scores + view[lengths.long()]
        most = scores.new_full((n,), -1e9).scatter_reduce(0, place, scores.detach(), "amax")
        weights = (scores - most[place]).exp()
        total = scores.new_zeros(n).index_add(0, place, weights)
        flat = scores.new_zeros(n * n_token).index_add(0, place * n_token + block.next.long(), weights)
        recalled = flat.view(n, n_token) / (total[:, None] + 1e-30)
        network_right = block.network.gather(1, block.targets[:, None])[:, 0]
        recalled_right = recalled.gather(1, block.targets[:, None])[:, 0]
        with torch.no_grad():
            features = self._features(block, recalled, total, most, network_right, recalled_right)
        trust = self.gate(self.hidden(features).tanh())[:, 0].sigmoid() * (total > 0)
        right: Tensor = network_right + trust * (recalled_right - network_right)
        return -(right + 1e-12).log()

    @staticmethod
    def _features(
        block: Block,
        recalled: Tensor,
        total: Tensor,
        most: Tensor,
        network_right: Tensor,
        recalled_right: Tensor,
    ) -> Tensor:
        """Return float32 [n, FEATURES], as in `MatchCache._matched`."""
        network, n = block.network, len(total)
        highest, likeliest = recalled.max(1)
        longest = total.new_zeros(n, VIEWS).scatter_reduce(
            0, block.place[:, None].expand(-1, VIEWS), block.lengths.t().float(), "amax"
        )
        gained = torch.from_numpy(gain(network_right.numpy(), recalled_right.numpy()))
        felt = (1 - MEMORY) * MEMORY ** torch.arange(_FELT, dtype=torch.float32).flip(0)
        success = F.conv1d(F.pad(gained, (_FELT, 0))[None, None, :-1].float(), felt[None, None])[0, 0]
        columns = [
            highest,
            log_feature(network.gather(1, likeliest[:, None])[:, 0].numpy()),
            ((total + 1e-30).log() + most.clamp(min=-5)) / 4,
            log_feature((recalled * network).sum(1).numpy()),
            *longest.log1p().unbind(1),
            -(network * (network + 1e-30).log()).sum(1),
            network.amax(1).log(),
            *F.one_hot(block.waits, 3).unbind(1),
            2 * success,
        ]
        return torch.stack([torch.as_tensor(column).float() for column in columns], 1)

    def train_on(self, blocks: list[Block], progress: StageProgress) -> None:
        """Fit to blocks."""
        groups = [
            {"params": [self.scores, self.recency], "lr": _SCORES_LR},
            {"params": [*self.hidden.parameters(), *self.gate.parameters()], "lr": _GATE_LR},
        ]
        optimizer = torch.optim.Adam(groups)
        whole = _EPOCHS * len(blocks)
        falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / whole)
        rng = np.random.default_rng(0)
        for epoch in range(_EPOCHS):
            for number, index in enumerate(rng.permutation(len(blocks))):
                progress("fitting", (epoch + number / len(blocks)) / _EPOCHS)
                loss = self(blocks[index]).mean()
                loss = loss + _ROUGHNESS * self.scores.diff(dim=1).square().sum()
                for layer in (self.hidden, self.gate):
                    loss = loss + _WEIGHT_COST * sum(p.square().sum() for p in layer.parameters())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                falling.step()

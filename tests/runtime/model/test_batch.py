"""Streams of a batch against the same tokens read by a model alone, whatever came between."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.runtime import Model
from lakhnes.runtime.music.vocabulary import tx1

MEM_LEN = 150
"""More than a memory begins with, and no power of two."""

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    torch = pytest.importorskip("torch")
    from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig, export_model

    torch.manual_seed(0)
    sizes = {"n_layer": 2, "n_head": 2, "d_model": 32, "d_head": 16, "d_inner": 64, "d_embed": 32}
    network = TransformerXL(TransformerXLConfig(n_token=631, **sizes)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)  # so that what is far still counts
    folder = tmp_path_factory.mktemp("random")
    checkpoint = Checkpoint(network, tx1(), "random", "0" * 64)
    export_model(checkpoint, folder, mem_len=MEM_LEN)
    return Model.load(folder)


ACTIONS = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 2), st.integers(1, 90)),
    st.tuples(st.just("reset"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("snapshot"), st.integers(0, 1), st.just(0)),
    st.tuples(st.sampled_from(["begin", "spread"]), st.integers(0, 1), st.just(0)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTIONS, min_size=1, max_size=12))
def test_each_stream_sees_its_own_past_and_nothing_else(
    model: Model, actions: list[tuple[str, int, int]]
) -> None:
    rng = np.random.default_rng(len(actions))
    batch = model.batch(2)
    past: list[list[int]] = [[], []]
    kept = batch.snapshot(), list[int]()
    for action, which, count in [*actions, ("read", 0, 1)]:
        if action == "read":
            tokens = rng.integers(0, 631, (2, count))
            if which == 0:
                logits = np.stack([batch.step(column) for column in tokens.T], 1)
            else:
                logits = batch.prefill(tokens, chunk=17 * which)
            for stream in range(2):
                past[stream] += tokens[stream].tolist()
                model.reset()
                alone = np.stack([model.step(token) for token in past[stream]])[-count:]
                np.testing.assert_allclose(logits[stream], alone, atol=1e-4)
        elif action == "reset" and which == 2:
            batch.reset()
            past = [[], []]
        elif action == "reset":
            batch.reset(which)
            past[which] = []
        elif action == "snapshot":
            kept = batch.snapshot(which), list(past[which])
        elif action == "begin":
            batch.begin(which, kept[0])
            past[which] = list(kept[1])
        else:
            batch.spread(kept[0])
            past = [list(kept[1]), list(kept[1])]

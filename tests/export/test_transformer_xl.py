from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lakhnes.export import TransformerXL, TransformerXLConfig, load_checkpoint  # noqa: E402
from lakhnes.export.batches import song_starts  # noqa: E402

pytestmark = pytest.mark.train


def tiny(**variant: object) -> TransformerXL:
    torch.manual_seed(0)
    sizes = {
        "n_token": 20,
        "n_layer": 2,
        "n_head": 2,
        "d_model": 16,
        "d_head": 8,
        "d_inner": 24,
        "d_embed": 16,
    }
    return TransformerXL(TransformerXLConfig(**{**sizes, **variant})).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("folder", ["tiny", "tiny_legacy"])
@pytest.mark.parametrize(("segment", "key"), [(1, "step"), (16, "chunk16")])
def test_segments_with_memory_give_the_originals_logits(
    shared: Path, folder: str, segment: int, key: str
) -> None:
    reference = np.load(shared / "fixtures/lakhnes/tiny/logits.npz")
    model = load_checkpoint(shared / "fixtures/lakhnes" / folder).model
    tokens, memory, rows = torch.from_numpy(reference["tokens"])[None], None, []
    with torch.no_grad():
        for start in range(0, 400, segment):
            logits, memory = model(
                tokens[:, start : start + segment], memory, mem_len=int(reference["mem_len"])
            )
            rows.append(logits[0])
    np.testing.assert_allclose(torch.cat(rows), reference[key], atol=1e-4)


def test_the_supplied_checkpoint_gives_the_originals_logits(shared: Path) -> None:
    folder = shared / "checkpoints/nes_6x384"
    reference = np.load(folder / "logits.npz")
    model = load_checkpoint(folder).model
    tokens, memory, rows = torch.from_numpy(reference["tokens"])[None], None, []
    with torch.no_grad():
        for start in range(0, 700, 100):
            logits, memory = model(tokens[:, start : start + 100], memory, mem_len=512, window=512)
            rows.append(logits[0])
    np.testing.assert_allclose(torch.cat(rows), reference["step"], atol=1e-4)


@pytest.mark.parametrize(
    "variant", [{}, {"pre_lnorm": True}, {"d_embed": 12}, {"clamp_len": 5}, {"same_length": True}]
)
def test_with_a_window_segments_of_any_size_equal_steps(variant: dict[str, object]) -> None:
    model = tiny(**variant)
    tokens = torch.randint(0, 20, (3, 60))
    with torch.no_grad():
        results = []
        for segment in (1, 7, 20):
            memory, rows = None, []
            for start in range(0, 60, segment):
                logits, memory = model(tokens[:, start : start + segment], memory, mem_len=8, window=8)
                rows.append(logits)
            results.append(torch.cat(rows, 1))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [50, 600])
def test_a_song_of_its_own_memory_is_as_if_it_were_alone(length: int) -> None:
    """Of long segments scores are made one stream at a time, of short ones all together."""
    model = tiny()
    rng = np.random.default_rng(0)
    songs = [np.append(0, rng.integers(1, 20, count)) for count in (length // 2, 2 * length, length)]
    stream = np.concatenate(songs)[None]
    starts = song_starts(stream, np.zeros(1, np.int64))
    with torch.no_grad():
        rows, memory = [], None
        for at in range(0, stream.shape[1], length):
            tokens, seen = (torch.from_numpy(x[:, at : at + length]) for x in (stream, starts - at))
            logits, memory = model(tokens, memory, mem_len=4 * length, starts=seen)
            rows.append(logits[0])
        alone = [model(torch.from_numpy(song)[None], mem_len=4 * length)[0][0] for song in songs]
    np.testing.assert_allclose(torch.cat(rows), torch.cat(alone), atol=1e-5)


def test_no_token_sees_the_future() -> None:
    model = tiny()
    tokens = torch.randint(0, 20, (1, 12))
    changed = tokens.clone()
    changed[0, 8:] = (changed[0, 8:] + 1) % 20
    with torch.no_grad():
        one, two = model(tokens, mem_len=8)[0], model(changed, mem_len=8)[0]
    torch.testing.assert_close(one[:, :8], two[:, :8])
    assert not torch.allclose(one[:, 8:], two[:, 8:])


def test_it_learns_to_repeat_and_uses_its_memory() -> None:
    model = tiny(dropout=0.1, attention_dropout=0.1).train()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    stream = torch.randint(0, 20, (8, 6)).repeat(1, 30)  # what comes was six tokens before
    loss = torch.tensor(0.0)
    for _ in range(25):
        memory = None
        for start in range(0, 160, 16):
            logits, memory = model(stream[:, start : start + 16], memory, mem_len=16)
            target = stream[:, start + 1 : start + 17]
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert loss.item() < 1.0  # ln 20 is 3.0
    assert model.output.weight is model.embedding.weight

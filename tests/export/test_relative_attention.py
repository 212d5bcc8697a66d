import pytest

torch = pytest.importorskip("torch")

from lakhnes.export.relative_attention import attend, relative_shift  # noqa: E402

pytestmark = pytest.mark.train


def plain(content, position, keys, values, distances, mask):  # type: ignore[no-untyped-def]
    """The paper's formula, one query and one key at a time."""
    n_stream, n_query, n_head, _ = content.shape
    n_key = keys.shape[1]
    scores = torch.full((n_stream, n_head, n_query, n_key), float("-inf"), dtype=content.dtype)
    for t in range(n_query):
        for j in range(n_key):
            if not mask[t, j]:
                behind = n_key - n_query + t - j
                key = keys[:, j] + 0  # [B, H, D]
                far = distances[n_key - 1 - behind]  # [H, D]
                scores[:, :, t, j] = (content[:, t] * key).sum(-1) + (position[:, t] * far).sum(-1)
    return torch.einsum("bhtj,bjhd->bthd", scores.softmax(-1), values)


@pytest.fixture(autouse=True, params=[256, 3], ids=["one block", "two blocks"])
def _every_size_by_stream(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr("lakhnes.export.relative_attention._WORTH_A_TURN", 0)
    monkeypatch.setattr("lakhnes.export.relative_attention._BLOCK", request.param)


@pytest.mark.parametrize(("n_memory", "window"), [(0, None), (3, None), (7, 6), (5, 2)])
def test_both_forms_and_their_gradients_are_the_formulas(n_memory: int, window: int | None) -> None:
    torch.manual_seed(n_memory)
    n_query, n_key = 4, 4 + n_memory
    shapes = [(2, n_query, 3, 5)] * 2 + [(2, n_key, 3, 5)] * 2 + [(n_key, 3, 5)]
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    behind = n_memory + torch.arange(n_query)[:, None] - torch.arange(n_key)
    mask = (behind < 0) if window is None else (behind < 0) | (behind > window)
    weights = torch.randn(2, n_query, 3, 5, dtype=torch.float64)
    results = []
    by_meta = [x.transpose(1, 2) for x in inputs[:4]]
    scores = by_meta[0] @ by_meta[2].transpose(2, 3) + relative_shift(by_meta[1] @ inputs[4].permute(1, 2, 0))
    general = (scores.masked_fill(mask, float("-inf")).softmax(-1) @ by_meta[3]).transpose(1, 2)
    for result in (plain(*inputs, mask), attend(*inputs, mask, 0.0), general):
        gradients = torch.autograd.grad((result * weights).sum(), inputs, retain_graph=True)
        results.append((result, *gradients))
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            torch.testing.assert_close(one, two)


def test_without_gradients_it_gives_the_same() -> None:
    inputs = [torch.randn(s) for s in [(2, 4, 3, 5)] * 2 + [(2, 6, 3, 5)] * 2 + [(6, 3, 5)]]
    mask = 2 + torch.arange(4)[:, None] < torch.arange(6)
    alone = attend(*inputs, mask, 0.0)
    inputs[0].requires_grad_()
    torch.testing.assert_close(attend(*inputs, mask, 0.0), alone)


def test_dropout_takes_probabilities_away() -> None:
    torch.manual_seed(0)
    inputs = [torch.randn(s) for s in [(1, 64, 2, 4)] * 2 + [(1, 64, 2, 4)] * 2 + [(64, 2, 4)]]
    inputs[3] = torch.ones_like(inputs[3])
    mask = torch.arange(64)[:, None] < torch.arange(64)
    result = attend(*inputs, mask, 0.5)
    assert abs(result.mean().item() - 1) < 0.2  # what stays is scaled up
    assert result.std().item() > 0.1

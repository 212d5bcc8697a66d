"""Small models that pickle as those of the original LakhNES code do."""

import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


@contextmanager
def lakhnes_models() -> Iterator[Callable[..., Any]]:
    """What makes models of modules that have the names of the LakhNES code, while it is open."""
    names = {
        "mem_transformer": (
            "MemTransformerLM",
            "AdaptiveEmbedding",
            "RelPartialLearnableDecoderLayer",
            "RelPartialLearnableMultiHeadAttn",
            "PositionwiseFF",
            "PositionalEmbedding",
        ),
        "proj_adaptive_softmax": ("ProjectedAdaptiveLogSoftmax",),
    }
    classes = {}
    for module_name, class_names in names.items():
        module = types.ModuleType(module_name)
        for name in class_names:
            classes[name] = type(name, (torch.nn.Module,), {"__module__": module_name})
            setattr(module, name, classes[name])
        sys.modules[module_name] = module

    def new(name: str, **attributes: Any) -> Any:
        made = classes[name]()
        for key, value in attributes.items():
            setattr(made, key, value)
        return made

    def model(d_embed: int = 8, **variant: Any) -> Any:
        torch.manual_seed(1)
        vocabulary, d, heads, d_head, inner = 631, 8, 2, 4, 12
        embedding = torch.nn.Embedding(vocabulary, d_embed)
        output = torch.nn.Linear(d_embed, vocabulary)
        output.weight = embedding.weight
        projections = [torch.nn.Parameter(torch.randn(d, d_embed)) for _ in range(2)] if d_embed != d else []
        layers = []
        for _ in range(2):
            attention = new(
                "RelPartialLearnableMultiHeadAttn",
                qkv_net=torch.nn.Linear(d, 3 * heads * d_head, bias=False),
                o_net=torch.nn.Linear(heads * d_head, d, bias=False),
                r_net=torch.nn.Linear(d, heads * d_head, bias=False),
                layer_norm=torch.nn.LayerNorm(d),
                pre_lnorm=variant.get("pre_lnorm", False),
            )
            core = torch.nn.Sequential(
                torch.nn.Linear(d, inner),
                torch.nn.ReLU(),
                torch.nn.Dropout(0.1),
                torch.nn.Linear(inner, d),
                torch.nn.Dropout(0.1),
            )
            feed_forward = new("PositionwiseFF", CoreNet=core, layer_norm=torch.nn.LayerNorm(d))
            layers.append(new("RelPartialLearnableDecoderLayer", dec_attn=attention, pos_ff=feed_forward))
        sizes = {"n_token": vocabulary, "n_layer": 2, "n_head": heads, "d_model": d, "d_head": d_head}
        switches = {
            "attn_type": 0,
            "sample_softmax": -1,
            "same_length": False,
            "clamp_len": -1,
            "d_embed": d_embed,
        }
        crit = new(
            "ProjectedAdaptiveLogSoftmax",
            out_layers=torch.nn.ModuleList([output]),
            out_projs=torch.nn.ParameterList(projections[1:]),
            n_clusters=variant.pop("n_clusters", 0),
        )
        word_emb = new(
            "AdaptiveEmbedding",
            emb_layers=torch.nn.ModuleList([embedding]),
            emb_projs=torch.nn.ParameterList(projections[:1]),
            div_val=1,
        )
        return new(
            "MemTransformerLM",
            word_emb=word_emb,
            crit=crit,
            layers=torch.nn.ModuleList(layers),
            pos_emb=new("PositionalEmbedding", demb=d),
            r_w_bias=torch.nn.Parameter(torch.randn(heads, d_head)),
            r_r_bias=torch.nn.Parameter(torch.randn(heads, d_head)),
            **{**sizes, **switches, **variant},
        )

    try:
        yield model
    finally:
        for module_name in names:
            del sys.modules[module_name]


def saved(model: Any, path: Path, *, legacy: bool = False) -> Path:
    """A model in a file, in either container of PyTorch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the classes have no source to store
        torch.save(model, path, _use_new_zipfile_serialization=not legacy)
    return path

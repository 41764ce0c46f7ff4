"""Strategies that several kinds share: plain data, and good data that is changed or damaged."""

import json
from typing import Any

from hypothesis import strategies as st

GOOD = {
    "network": {"name": "cnn5", "width": 0.5, "head_widths": [16], "activation": "relu", "conv_dropout": 0.1},
    "optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0.0, "momentum": 0.1},
    "training": {"batch_size": 32, "epochs": 2, "label_smoothing": 0.1, "schedule": "cosine", "augment": "none"},
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes of which some are changed, added, exchanged or gone."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((1, 1, 8, 100, len(data)))))
        match draw(st.sampled_from(("turn over", "replace", "insert", "remove", "truncate", "repeat"))):
            case "turn over":
                data = data[:start] + bytes(byte ^ 0xFF for byte in data[start:end][:8]) + data[start:][8:]
            case "replace":
                data = data[:start] + draw(st.binary(max_size=16)) + data[end:]
            case "insert":
                data = data[:start] + draw(st.binary(min_size=1, max_size=16)) + data[start:]
            case "remove":
                data = data[:start] + data[end:]
            case "truncate":
                data = data[:start]
            case "repeat":
                data = data[:end] + data[start:]
    return data


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """Plain data of which a part is another, gone, or has another name."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 2))):
        inner = value
        while isinstance(inner, dict | list) and len(inner):
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            key = draw(st.sampled_from(keys))
            if isinstance(inner[key], dict | list) and len(inner[key]) and draw(st.integers(0, 3)):
                inner = inner[key]
                continue
            match draw(st.sampled_from(("replace", "replace", "remove", "add"))):
                case "replace":
                    inner[key] = draw(JSON)
                case "remove":
                    del inner[key]
                case "add" if isinstance(inner, dict):
                    inner[draw(st.text(max_size=8))] = draw(JSON)
            break
    return value

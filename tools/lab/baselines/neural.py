"""Trains one neural language model by back-propagation, as a baseline: a feed-forward net, a transformer or an LSTM.

Reads a job (JSON) on standard input, writes JSON lines on standard output: one an evaluation, and the result as the last.
Token files are u16, little-endian. Every token of every text is scored given the tokens before it in that text.

    {"model": "transformer", "vocabulary": 1024, "parameters": 262144, "tied": true, "rate": 0.003, "seed": 1,
     "dropout": 0.2, "train": "train.u16", "dev": ["dev-0.u16"], "test": ["test-0.u16"]}

AdamW with a warm-up; whenever a slice of dev has not improved for PATIENCE evaluations, the best weights are taken up again at
a third of the rate; after the second time training ends, with the best weights. Widths follow from the number of parameters.
"""

import json
import math
import re
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax

Params = dict[str, Any]
Texts = list[np.ndarray]

SLICE = 20_000  # tokens of dev that decide when to stop, the same share of every text
PATIENCE = 3
REDUCTIONS = 2
WARM_UP = 50  # steps
MOST_EPOCHS = 300
DECAY = 0.01


@dataclass(frozen=True)
class Sizes:
    """V, embedding width d, hidden width f, whether the decoder is the embedding's transpose."""

    vocabulary: int
    width: int
    hidden: int
    tied: bool


@dataclass(frozen=True)
class Architecture:
    """One kind of model. Batches are (inputs, targets, carry is kept); absent tokens have the id V."""

    init: Callable[[jax.Array, Sizes], Params]
    # (params, inputs (B, T), state, dropout key or None, rate) → hidden (B, T', d or f), state
    apply: Callable[..., tuple[jax.Array, Any]]
    batches: Callable[[np.ndarray, int, np.random.Generator], Iterator[tuple[np.ndarray, np.ndarray, bool]]]
    # the same for texts to score, with weights (B, T') of the targets
    windows: Callable[[Texts, int], Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, bool]]]
    sizes: Callable[[int, int, bool], Sizes]
    carry: Callable[[Sizes, int], Any]


def glorot(key: jax.Array, rows: int, columns: int) -> jax.Array:
    return jax.random.normal(key, (rows, columns)) * math.sqrt(2 / (rows + columns))


def drop(key: jax.Array | None, rate: float, x: jax.Array) -> jax.Array:
    if key is None or rate == 0:
        return x
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def split(key: jax.Array | None, n: int) -> list[jax.Array | None]:
    return [None] * n if key is None else list(jax.random.split(key, n))


def embedding(key: jax.Array, sizes: Sizes, decoder_width: int) -> Params:
    """Embedding (V + 1, d) and decoder: bias (V), and weights (width, V) unless tied."""
    one, two = jax.random.split(key)
    v, d = sizes.vocabulary, sizes.width
    params: Params = {"embed": jax.random.normal(one, (v + 1, d)) * d**-0.5, "bias": jnp.zeros(v)}
    if not sizes.tied:
        params["decoder"] = glorot(two, decoder_width, v)
    return params


def logits(params: Params, hidden: jax.Array) -> jax.Array:
    decoder = params["decoder"] if "decoder" in params else params["embed"][:-1].T
    return hidden @ decoder + params["bias"]


# --- feed-forward: ReLU over the last tokens, by position (Bengio et al. 2003)

FFN_CONTEXT = 4


def ffn_sizes(vocabulary: int, parameters: int, tied: bool) -> Sizes:
    d = 96 if tied else 64
    each = FFN_CONTEXT * d + 1 + (d if tied else vocabulary)
    rest = parameters - (vocabulary + 1) * d - vocabulary - (d if tied else 0)
    return Sizes(vocabulary, d, max(1, round(rest / each)), tied)


def ffn_init(key: jax.Array, s: Sizes) -> Params:
    keys = jax.random.split(key, 3)
    params = embedding(keys[0], s, s.hidden) | {
        "w": glorot(keys[1], FFN_CONTEXT * s.width, s.hidden) * math.sqrt(2),
        "b": jnp.zeros(s.hidden),
    }
    if s.tied:
        params |= {"project": glorot(keys[2], s.hidden, s.width), "p": jnp.zeros(s.width)}
    return params


def ffn_apply(params: Params, inputs: jax.Array, state: Any, key: jax.Array | None, rate: float) -> tuple[jax.Array, Any]:
    keys = split(key, 2)
    x = params["embed"][inputs].reshape(*inputs.shape[:-1], -1)
    h = jax.nn.relu(drop(keys[0], rate, x) @ params["w"] + params["b"])
    h = drop(keys[1], rate, h)
    if "project" in params:
        h = h @ params["project"] + params["p"]
    return h[:, None, :], state


def ffn_places(text: np.ndarray, vocabulary: int) -> np.ndarray:
    """(n, context) tokens before each place."""
    padded = np.concatenate([np.full(FFN_CONTEXT, vocabulary, text.dtype), text])
    return np.lib.stride_tricks.sliding_window_view(padded[:-1], FFN_CONTEXT)


def ffn_batches(train: np.ndarray, vocabulary: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    places, order = ffn_places(train, vocabulary), rng.permutation(len(train))
    for at in range(0, len(order) - 255, 256):
        rows = order[at : at + 256]
        yield places[rows], train[rows][:, None], False


def ffn_windows(texts: Texts, vocabulary: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, bool]]:
    inputs = np.concatenate([ffn_places(text, vocabulary) for text in texts])
    targets = np.concatenate(texts)
    for at in range(0, len(targets), 2048):
        some, wanted = inputs[at : at + 2048], targets[at : at + 2048]
        pad = 2048 - len(wanted)
        weights = np.pad(np.ones(len(wanted)), (0, pad))[:, None]
        yield np.pad(some, ((0, pad), (0, 0))), np.pad(wanted, (0, pad))[:, None], weights, False


# --- transformer: pre-norm, rotary positions, two layers (Vaswani et al. 2017; Su et al. 2021)

LAYERS, HEADS, WINDOW, STRIDE = 2, 4, 128, 64


def transformer_sizes(vocabulary: int, parameters: int, tied: bool) -> Sizes:
    d = 96 if tied else 64
    fixed = (vocabulary + 1) * d * (1 if tied else 2) + vocabulary - (0 if tied else d) + d + LAYERS * (4 * d * d + 3 * d)
    return Sizes(vocabulary, d, max(1, round((parameters - fixed) / (LAYERS * (2 * d + 1)))), tied)


def transformer_init(key: jax.Array, s: Sizes) -> Params:
    keys = jax.random.split(key, 1 + 4 * LAYERS)
    layers = [
        {
            "norm1": jnp.ones(s.width),
            "qkv": glorot(keys[4 * i + 1], s.width, 3 * s.width),
            "out": glorot(keys[4 * i + 2], s.width, s.width) / math.sqrt(2 * LAYERS),
            "norm2": jnp.ones(s.width),
            "up": glorot(keys[4 * i + 3], s.width, s.hidden),
            "b": jnp.zeros(s.hidden),
            "down": glorot(keys[4 * i + 4], s.hidden, s.width) / math.sqrt(2 * LAYERS),
            "c": jnp.zeros(s.width),
        }
        for i in range(LAYERS)
    ]
    return embedding(keys[0], s, s.width) | {"layers": layers, "norm": jnp.ones(s.width)}


def rms_norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * scale


def rotated(x: jax.Array) -> jax.Array:
    """(B, T, heads, e) turned by position."""
    half = x.shape[-1] // 2
    angles = jnp.arange(x.shape[1])[:, None] * 10_000.0 ** (-jnp.arange(half) / half)
    cos, sin = jnp.cos(angles)[:, None, :], jnp.sin(angles)[:, None, :]
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1)


def transformer_apply(
    params: Params, inputs: jax.Array, state: Any, key: jax.Array | None, rate: float
) -> tuple[jax.Array, Any]:
    keys = split(key, 1 + 2 * LAYERS)
    d = params["embed"].shape[1]
    x = drop(keys[0], rate, params["embed"][inputs] * math.sqrt(d))
    length = inputs.shape[1]
    causal = jnp.tril(jnp.ones((length, length), bool))
    for i, layer in enumerate(params["layers"]):
        qkv = (rms_norm(x, layer["norm1"]) @ layer["qkv"]).reshape(*x.shape[:2], 3, HEADS, -1)
        q, k, v = rotated(qkv[:, :, 0]), rotated(qkv[:, :, 1]), qkv[:, :, 2]
        scores = jnp.einsum("bqhe,bkhe->bhqk", q, k) / math.sqrt(d // HEADS)
        attention = jax.nn.softmax(jnp.where(causal, scores, -1e9), -1)
        mixed = jnp.einsum("bhqk,bkhe->bqhe", attention, v).reshape(x.shape)
        x = x + drop(keys[2 * i + 1], rate, mixed @ layer["out"])
        up = jax.nn.gelu(rms_norm(x, layer["norm2"]) @ layer["up"] + layer["b"])
        x = x + drop(keys[2 * i + 2], rate, up @ layer["down"] + layer["c"])
    return rms_norm(x, params["norm"]), state


def shifted(text: np.ndarray, vocabulary: int) -> np.ndarray:
    """The token before each place; none before the first."""
    return np.concatenate([np.array([vocabulary], text.dtype), text[:-1]])


def transformer_batches(
    train: np.ndarray, vocabulary: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    inputs, length = shifted(train, vocabulary), min(WINDOW, len(train))
    starts = np.arange(rng.integers(length), len(train) - length + 1, length)
    order = rng.permutation(starts)
    size = min(8, len(order))
    for at in range(0, len(order) - size + 1, size):
        rows = order[at : at + size, None] + np.arange(length)
        yield inputs[rows], train[rows], False


def transformer_windows(texts: Texts, vocabulary: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, bool]]:
    """Windows overlap by half: but for a text's first window, the second half of each is scored."""
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for text in texts:
        inputs = shifted(text, vocabulary)
        for start in range(0, max(1, len(text) - STRIDE), STRIDE):
            some = slice(start, start + WINDOW)
            pad = WINDOW - len(text[some])
            weights = np.pad(np.ones(WINDOW - pad), (0, pad))
            if start > 0:
                weights[: WINDOW - STRIDE] = 0
            rows.append((np.pad(inputs[some], (0, pad)), np.pad(text[some], (0, pad)), weights))
    for at in range(0, len(rows), 32):
        some = rows[at : at + 32]
        some += [(some[0][0], some[0][1], np.zeros(WINDOW))] * (32 - len(some))
        inputs, targets, weights = (np.stack(parts) for parts in zip(*some))
        yield inputs, targets, weights, False


# --- LSTM: one layer, tied, its state carried on (Hochreiter & Schmidhuber 1997)

STREAMS, STEPS, SCORE_STEPS = 8, 32, 256


def lstm_sizes(vocabulary: int, parameters: int, tied: bool) -> Sizes:
    """Width d as (V + 1) d + V + 8 d² + 4 d comes to the parameters; not tied, V d more."""
    linear = (vocabulary + 1) + 4 + (0 if tied else vocabulary)
    d = (-linear + math.sqrt(linear**2 + 32 * (parameters - vocabulary))) / 16
    return Sizes(vocabulary, round(d), round(d), tied)


def lstm_init(key: jax.Array, s: Sizes) -> Params:
    one, two = jax.random.split(key)
    d = s.width
    bias = jnp.zeros(4 * d).at[d : 2 * d].set(1.0)  # the forget gate begins open
    return embedding(one, s, d) | {"w": jax.random.normal(two, (2 * d, 4 * d)) * d**-0.5, "b": bias}


def lstm_apply(params: Params, inputs: jax.Array, state: Any, key: jax.Array | None, rate: float) -> tuple[jax.Array, Any]:
    keys = split(key, 2)
    d = params["embed"].shape[1]
    x = drop(keys[0], rate, params["embed"][inputs] * math.sqrt(d))
    given = x @ params["w"][:d] + params["b"]

    def step(carry: tuple[jax.Array, jax.Array], gates_in: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        h, c = carry
        i, f, g, o = jnp.split(gates_in + h @ params["w"][d:], 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    state, hidden = jax.lax.scan(step, state, given.swapaxes(0, 1))
    return drop(keys[1], rate, hidden.swapaxes(0, 1)), state


def lstm_batches(train: np.ndarray, vocabulary: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    inputs, length = shifted(train, vocabulary), len(train) // STREAMS
    offset = int(rng.integers(len(train) - STREAMS * length + 1))
    rows = (offset + np.arange(STREAMS) * length)[:, None]
    for at in range(0, length - STEPS + 1, STEPS):
        some = rows + at + np.arange(STEPS)
        yield inputs[some], train[some], at > 0


def lstm_windows(texts: Texts, vocabulary: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, bool]]:
    longest = -(-max(map(len, texts)) // SCORE_STEPS) * SCORE_STEPS
    padded = [np.pad(text, (0, longest - len(text))) for text in texts]
    targets = np.stack(padded)
    inputs = np.stack([shifted(text, vocabulary) for text in padded])
    weights = np.arange(longest)[None, :] < np.array([len(text) for text in texts])[:, None]
    for at in range(0, longest, SCORE_STEPS):
        some = slice(at, at + SCORE_STEPS)
        yield inputs[:, some], targets[:, some], weights[:, some].astype(np.float64), at > 0


def lstm_carry(s: Sizes, batch: int) -> Any:
    return (jnp.zeros((batch, s.width)), jnp.zeros((batch, s.width)))


ARCHITECTURES = {
    "feed-forward": Architecture(ffn_init, ffn_apply, ffn_batches, ffn_windows, ffn_sizes, lambda s, n: None),
    "transformer": Architecture(
        transformer_init, transformer_apply, transformer_batches, transformer_windows, transformer_sizes, lambda s, n: None
    ),
    "lstm": Architecture(lstm_init, lstm_apply, lstm_batches, lstm_windows, lstm_sizes, lstm_carry),
}


def peak_memory() -> int:
    """Bytes. A new process image starts its own high-water mark in /proc; getrusage takes over its parent's."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return 1024 * int(found[1]) if found else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class BadJob(Exception):
    """A job that cannot be run, in words for whoever wrote it."""


NEEDED = ("model", "vocabulary", "parameters", "tied", "rate", "seed", "dropout", "train", "dev", "test")
LEAST_TOKENS = STREAMS * STEPS + STREAMS  # an LSTM's epoch has a step


def tokens_of(path: str, vocabulary: int) -> np.ndarray:
    try:
        tokens = np.fromfile(path, "<u2").astype(np.int32)
    except OSError as error:
        raise BadJob(f"cannot read {path}: {error.strerror}") from None
    if len(tokens) == 0:
        raise BadJob(f"{path} has no tokens")
    if tokens.max() >= vocabulary:
        raise BadJob(f"{path} has token {tokens.max()}, the vocabulary ends at {vocabulary - 1}")
    return tokens


def run(job: dict[str, Any]) -> dict[str, Any]:
    missing = [name for name in NEEDED if name not in job]
    if missing:
        raise BadJob(f"the job lacks {', '.join(missing)}")
    if job["model"] not in ARCHITECTURES:
        raise BadJob(f"model must be one of {', '.join(ARCHITECTURES)}, got {job['model']}")
    kind = ARCHITECTURES[job["model"]]
    vocabulary, rate, dropout = job["vocabulary"], job["rate"], job["dropout"]
    sizes = kind.sizes(vocabulary, job["parameters"], job["tied"])
    read = lambda path: tokens_of(path, vocabulary)  # noqa: E731
    train = read(job["train"])
    if len(train) < LEAST_TOKENS:
        raise BadJob(f"{job['train']} has {len(train)} tokens, training needs {LEAST_TOKENS}")
    dev, test = [read(path) for path in job["dev"]], [read(path) for path in job["test"]]
    share = min(1.0, SLICE / sum(map(len, dev)))
    stopping = [text[: max(1, int(len(text) * share))] for text in dev]

    start = time.perf_counter()
    rng = np.random.default_rng(job["seed"])
    key, first = jax.random.split(jax.random.key(job["seed"]))
    params = kind.init(first, sizes)
    # one array a leaf is trained; the rate is given at each step
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(), optax.add_decayed_weights(DECAY))
    moments = optimiser.init(params)

    def loss(params: Params, inputs: jax.Array, targets: jax.Array, state: Any, key: jax.Array) -> tuple[jax.Array, Any]:
        hidden, state = kind.apply(params, inputs, state, key, dropout)
        nats = optax.softmax_cross_entropy_with_integer_labels(logits(params, hidden), targets)
        return nats.mean(), state

    @jax.jit
    def update(params: Params, moments: Any, inputs: jax.Array, targets: jax.Array, state: Any, key: jax.Array, rate: jax.Array):
        (value, state), gradient = jax.value_and_grad(loss, has_aux=True)(params, inputs, targets, state, key)
        change, moments = optimiser.update(gradient, moments, params)
        params = jax.tree.map(lambda p, c: p - rate * c, params, change)
        return params, moments, state, value

    @jax.jit
    def nats_of(params: Params, inputs: jax.Array, targets: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        hidden, state = kind.apply(params, inputs, state, None, 0.0)
        return optax.softmax_cross_entropy_with_integer_labels(logits(params, hidden), targets), state

    def bits(params: Params, texts: Texts) -> float:
        total, state = 0.0, None
        for inputs, targets, weights, kept in kind.windows(texts, vocabulary):
            state = state if kept else kind.carry(sizes, len(inputs))
            nats, state = nats_of(params, inputs, targets, state)
            total += float(np.sum(np.asarray(nats, np.float64) * weights)) / math.log(2)
        return total

    best, best_bits, bad, reductions, step, compile_seconds = params, math.inf, 0, 0, 0, 0.0
    tokens = sum(map(len, stopping))
    for epoch in range(1, MOST_EPOCHS + 1):
        state: Any = None
        for inputs, targets, kept in kind.batches(train, vocabulary, rng):
            state = state if kept else kind.carry(sizes, len(inputs))
            key, now = jax.random.split(key)
            warm = rate * min(1.0, (step + 1) / WARM_UP)
            before = time.perf_counter()
            params, moments, state, value = update(params, moments, inputs, targets, state, now, warm)
            if step == 0:
                value.block_until_ready()
                compile_seconds = time.perf_counter() - before
            step += 1
        found = bits(params, stopping)
        print(json.dumps({"epoch": epoch, "bitsPerToken": found / tokens, "rate": rate}), flush=True)
        if found < best_bits:
            best, best_bits, bad = params, found, 0
            continue
        bad += 1
        if bad < PATIENCE and math.isfinite(found):
            continue
        reductions += 1
        if reductions > REDUCTIONS:
            break
        params, moments, rate, bad = best, optimiser.init(best), rate / 3, 0
    seconds = time.perf_counter() - start
    memory = peak_memory()  # of training: scoring is no part of it
    return {
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(best)),
        "epochs": epoch,
        "seconds": seconds,
        "compileSeconds": compile_seconds,
        "peakMemoryBytes": memory,
        "devBits": bits(best, dev),
        "testBits": bits(best, test),
    }


if __name__ == "__main__":
    try:
        print(json.dumps({"result": run(json.load(sys.stdin))}), flush=True)
    except (BadJob, json.JSONDecodeError) as error:
        sys.exit(f"neural.py: {error}")

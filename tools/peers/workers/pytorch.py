"""PyTorch on a CPU, one thread: python pytorch.py FOLDER. The protocol of the other peers, on standard input and output."""

import json
import math
import re
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
torch.set_num_interop_threads(1)

FOLDER = Path(sys.argv[1])
SHAPE = json.loads((FOLDER / "shape.json").read_text())
VOCABULARY, WINDOW, UNITS, SPAN = SHAPE["vocabulary"], SHAPE["window"], SHAPE["units"], SHAPE["span"]
REACH = 5 * SPAN  # tokens of a document that is summed anew: what is older is under 1 % of it


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak() -> int:
    """Bytes. Of /proc where there is one: what getrusage tells of a process begins with its parent's."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return 1024 * int(found[1]) if found else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def tokens_of(name: str) -> np.ndarray:
    return np.fromfile(FOLDER / name, "<u2").astype(np.int64)


def stored() -> dict[str, torch.Tensor]:
    """Weights of the network, by name."""
    data = np.fromfile(FOLDER / "weights.f32", "<f4")
    return {
        name: torch.from_numpy(data[at["at"] // 4 :][: math.prod(at["sizes"])].reshape(at["sizes"]).copy())
        for name, at in SHAPE["tensors"].items()
    }


def fresh(generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Weights of the same sizes to start training from."""
    return {
        name: torch.zeros(at["sizes"])
        if len(at["sizes"]) == 1 or name == "W"
        else torch.randn(at["sizes"], generator=generator) * at["sizes"][-1] ** -0.5
        for name, at in SHAPE["tensors"].items()
    }


class Network(nn.Module):
    def __init__(self, weights: dict[str, torch.Tensor]):
        super().__init__()
        self.weights = nn.ParameterDict(weights)
        self.attended = "W" in weights
        self.bag = "D" in weights
        self.register_buffer("offsets", torch.arange(WINDOW) * (VOCABULARY + 1))

    def states(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.softmax(logits.reshape(*logits.shape[:-1], -1, UNITS), -1).reshape(logits.shape)

    def window_state(self, context: torch.Tensor) -> torch.Tensor:
        """(…, width) after (…, window) tokens, the latest first."""
        w = self.weights
        rows = w["U"][context + self.offsets]
        if self.attended:
            same = (context == context[..., :1]).float()
            shares = torch.softmax(same @ w["W"] + w["w0"], -1) * WINDOW
            rows = rows * shares[..., None]
        return self.states(rows.sum(-2) + w["u0"])

    def logits(self, context: torch.Tensor, document: torch.Tensor) -> torch.Tensor:
        state = self.window_state(context)
        if self.bag:
            state = torch.cat([state, self.states(document + self.weights["d0"])], -1)
        return F.linear(state, self.weights["O"], self.weights["o0"])

    def forward(self, context: torch.Tensor, document: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of one place: probabilities, and the document with the latest token in it."""
        if self.bag:
            document = document * (1 - 1 / SPAN) + self.weights["D"][context[0]]
        return torch.softmax(self.logits(context, document), -1), document


def batch_logits(network: Network, text: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Logits at places of a text that REACH absent tokens stand before."""
    before = text[places[:, None] + REACH - 1 - torch.arange(REACH)]
    document = torch.zeros(())
    if network.bag:
        shares = (1 - 1 / SPAN) ** torch.arange(REACH)
        # the table has rows over the span already
        document = F.embedding_bag(
            before, network.weights["D"], per_sample_weights=shares.expand(len(places), -1).contiguous(), mode="sum"
        )
    return network.logits(before[:, :WINDOW], document)


def padded(tokens: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([np.full(REACH, VOCABULARY), tokens]))


def absent_rows(network: Network) -> None:
    """What an absent token adds is nothing, also after a step."""
    with torch.no_grad():
        network.weights["U"].view(WINDOW, VOCABULARY + 1, -1)[:, -1] = 0
        if network.bag:
            network.weights["D"][-1] = 0


TOKENS = tokens_of("tokens.u16")
network = Network(stored()).requires_grad_(False)
step = network


class Stream:
    def __init__(self):
        self.context = torch.full((WINDOW,), VOCABULARY)
        self.document = torch.zeros(SHAPE["document"])

    def predict(self) -> torch.Tensor:
        probabilities, self.document = step(self.context, self.document)
        return probabilities

    def append(self, token: int) -> None:
        self.context[1:] = self.context[:-1].clone()
        self.context[0] = token


@torch.inference_mode()
def decode(count: int) -> dict:
    stream = Stream()
    bits = 0.0
    for token in TOKENS[:count].tolist():
        bits -= math.log2(stream.predict()[token].item())
        stream.append(token)
    return {"bits": bits}


@torch.inference_mode()
def write(count: int, temperature: float, top_k: int, top_p: float) -> dict:
    stream = Stream()
    for _ in range(count):
        weights = stream.predict()
        ids = None
        if top_k > 0:
            weights, ids = torch.topk(weights, top_k)
        weights = weights ** (1 / temperature)
        if top_p < 1:
            weights = weights / weights.sum()
            weights[weights.cumsum(0) - weights >= top_p] = 0
        drawn = torch.multinomial(weights, 1)
        stream.append((ids[drawn] if ids is not None else drawn).item())
    return {}


def learn(count: int) -> dict:
    """One step of gradient descent over the first tokens."""
    text, places = padded(TOKENS[:count]), torch.arange(count)
    F.cross_entropy(batch_logits(learner, text, places), text[places + REACH]).backward()
    descent.step()
    descent.zero_grad()
    absent_rows(learner)
    return {}


def fit(epochs: int, rate: float, batch: int) -> dict:
    """Epochs of Adam from random weights, with a rate that falls to 0: bits on the text that is held out, behind each epoch."""
    train, held_out = padded(tokens_of("train.u16")), padded(tokens_of("heldout.u16"))
    trained = Network(fresh(torch.Generator().manual_seed(1)))
    absent_rows(trained)
    generator = torch.Generator().manual_seed(2)
    optimiser = torch.optim.Adam(trained.parameters(), lr=rate, foreach=False, fused=True)
    length = len(train) - REACH
    steps = epochs * (length // batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda at: 1 - at / steps)
    seconds = 0.0
    for _ in range(epochs):
        before = cpu()
        order = torch.randperm(length, generator=generator)
        for at in range(0, length - batch + 1, batch):
            places = order[at : at + batch]
            F.cross_entropy(batch_logits(trained, train, places), train[places + REACH]).backward()
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            absent_rows(trained)
        seconds += cpu() - before
    nats = 0.0
    with torch.inference_mode():
        for places in torch.arange(len(held_out) - REACH).split(1000):
            nats += F.cross_entropy(batch_logits(trained, held_out, places), held_out[places + REACH], reduction="sum").item()
    return {"cpu": seconds, "bits": nats / math.log(2), "tokens": length}


def fastest() -> nn.Module:
    """The module as it is, or traced: whichever takes less."""
    global step
    example = (torch.full((WINDOW,), VOCABULARY), torch.zeros(SHAPE["document"]))
    with torch.inference_mode():
        traced = torch.jit.freeze(torch.jit.trace(network.eval(), example))
    costs = []
    for candidate in (network, traced):
        step = candidate
        decode(300)
        before = time.process_time()
        decode(300)
        costs.append((time.process_time() - before, len(costs)))
    return (network, traced)[min(costs)[1]]


JOBS = {"decode": decode, "write": write, "learn": learn, "fit": fit}


def say(line: dict) -> None:
    print(json.dumps(line), flush=True)


say({**decode(1), "cpu": cpu(), "peak": peak()})
learner = descent = None
for line in sys.stdin:
    name, *words = line.split()
    if name not in JOBS:
        say({"missing": True})
        continue
    if name in ("decode", "write") and step is network:
        step = fastest()
    if name == "learn" and learner is None:
        learner = Network({key: value.clone() for key, value in stored().items()})
        descent = torch.optim.SGD(learner.parameters(), lr=0.1)
        learn(100)
    before = cpu()
    found = JOBS[name](*[float(word) if "." in word else int(word) for word in words])
    say({"cpu": cpu() - before, **found, "peak": peak()})

"""Writes streams that come with river, or with --dev streams that it generates, and what its classifiers make of them in one pass, each row scored
before it is learned: flow.py FOLDER [--dev]"""

import json
import sys
import time
from itertools import islice

from river import datasets, forest, naive_bayes, tree
from river.datasets import synth

SEEDS = (1, 2, 3)
FIRST = 100  # rows that nobody is scored on: a table needs some to know its columns

if "--dev" in sys.argv:
    STREAMS = {
        "SEA": lambda: islice(synth.SEA(seed=5, noise=0.1), 3000),
        "RandomRBF": lambda: islice(synth.RandomRBF(seed_model=3, seed_sample=4, n_classes=4, n_features=8, n_centroids=20), 3000),
        "RandomTree": lambda: islice(synth.RandomTree(seed_tree=3, seed_sample=4, n_classes=3), 3000),
        "Waveform": lambda: islice(synth.Waveform(seed=6), 3000),
        "Sine": lambda: islice(synth.Sine(seed=7, classification_function=2, has_noise=True), 3000),
        "Agrawal": lambda: islice(synth.Agrawal(seed=8, classification_function=5), 3000),
        "Hyperplane": lambda: islice(synth.Hyperplane(seed=9, n_features=6, mag_change=0.001), 3000),
    }
else:
    STREAMS = {name: getattr(datasets, name) for name in ("Phishing", "Bananas", "ImageSegments")}
PEERS = {
    "adaptive random forest, 10 trees": lambda seed: forest.ARFClassifier(n_models=10, seed=seed),
    "Hoeffding adaptive tree": lambda seed: tree.HoeffdingAdaptiveTreeClassifier(seed=seed),
    "Gaussian naive Bayes": lambda seed: naive_bayes.GaussianNB(),
}
for name, stream in STREAMS.items():
    rows = [(dict(x), str(y)) for x, y in stream()]
    columns = sorted({column for x, _ in rows for column in x})
    right, seconds = {}, {}
    for peer, make in PEERS.items():
        before = time.process_time()
        found = []
        for seed in SEEDS:
            model = make(seed)
            hits = 0
            for i, (x, y) in enumerate(rows):
                hits += i >= FIRST and str(model.predict_one(x)) == y
                model.learn_one(x, y)
            found.append(hits / (len(rows) - FIRST))
        right[peer] = found
        seconds[peer] = (time.process_time() - before) / len(SEEDS)
    with open(f"{sys.argv[1]}/{name}.json", "w") as file:
        whole = {
            "name": name,
            "first": FIRST,
            "columns": columns,
            "rows": [{"input": [x.get(column) for column in columns], "label": y} for x, y in rows],
            "right": right,
            "seconds": seconds,
        }
        json.dump(whole, file)
    print(name, len(rows), right, seconds, file=sys.stderr, flush=True)

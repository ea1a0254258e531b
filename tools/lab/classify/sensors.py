"""Classifiers of scikit-learn on the rows that sensors.ts has prepared: sensors.py FILE SEEDS; a JSON line a classifier, split and seed."""

import json
import sys
import time

import numpy
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PEERS = {
    "logistic regression": lambda seed: make_pipeline(
        SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1000, random_state=seed)
    ),
    "random forest, 200 trees": lambda seed: make_pipeline(
        SimpleImputer(), RandomForestClassifier(200, random_state=seed, n_jobs=1)
    ),
    "gradient boosting": lambda seed: HistGradientBoostingClassifier(random_state=seed),
    "isolation forest, without labels": lambda seed: make_pipeline(
        SimpleImputer(), IsolationForest(n_estimators=200, random_state=seed, n_jobs=1)
    ),
}
with open(sys.argv[1]) as file:
    splits = json.load(file)
for name, make in PEERS.items():
    for number, split in enumerate(splits):
        train, test = (numpy.array([row["input"] for row in split[part]], dtype=float) for part in ("train", "test"))
        labels = [row["label"] == "event" for row in split["train"]]
        for seed in range(1, int(sys.argv[2]) + 1):
            before = time.process_time()
            model = make(seed).fit(train, labels)
            seconds = time.process_time() - before
            scores = -model.score_samples(test) if "isolation" in name else model.predict_proba(test)[:, 1]
            print(json.dumps({"name": name, "split": number, "seed": seed, "seconds": seconds, "scores": scores.tolist()}), flush=True)

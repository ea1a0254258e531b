"""Writes the tables that come with scikit-learn, split three ways, and what its classifiers make of them: tables.py FOLDER"""

import json
import sys

from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SETS = {"breast cancer": load_breast_cancer, "digits, 8 × 8": load_digits, "iris": load_iris, "wine": load_wine}
PEERS = {
    "logistic regression": lambda seed: make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, random_state=seed)),
    "random forest": lambda seed: RandomForestClassifier(200, random_state=seed, n_jobs=1),
    "gradient boosting": lambda seed: HistGradientBoostingClassifier(max_iter=60, random_state=seed),
}
for name, load in SETS.items():
    data = load()
    splits = []
    for seed in (1, 2, 3):
        parts = train_test_split(data.data, data.target, test_size=0.3, random_state=seed, stratify=data.target)
        train, test, train_labels, test_labels = parts
        right = {
            peer: float((make(seed).fit(train, train_labels).predict(test) == test_labels).mean()) for peer, make in PEERS.items()
        }
        rows = [
            [{"input": row.tolist(), "label": int(label)} for row, label in zip(*part)]
            for part in ((train, train_labels), (test, test_labels))
        ]
        splits.append({"train": rows[0], "test": rows[1], "right": right})
    with open(f"{sys.argv[1]}/{name}.json", "w") as file:
        json.dump({"name": name, "columns": data.data.shape[1], "splits": splits}, file)

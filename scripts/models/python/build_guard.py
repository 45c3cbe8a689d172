"""`npm run models -- build nearfield-guard`: a small model that says whether two questions ask the same.

Its words are the static table of the embedder's pipeline (build_embed.py), fewer dimensions; the rest is trained on
pairs from open data and on pairs this pipeline writes (guard_pairs.py). No restricted file is read.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tokenizers import Tokenizer
from torch.nn import functional as F

from artefact import write_json, write_weights
from embed_corpus import load_corpus
from embed_student import make_student
from embed_vocabulary import student_tokenizer
from encoder import EncoderSpec
from guard_model import Guard, GuardSpec
from guard_pairs import Pair, make_pairs, plain
from guard_train import Plan, Rows, encode, scores, train
from quantize import dequantize, quantize
from teacher import make_tokenizer, teacher_hash

ID = "nearfield-guard"
DIMS = 128
PREFIX_TEXTS = 10_000
GOLDEN: list[tuple[str, str]] = [
    ("How do I reset my password?", "What is the way to reset my password?"),
    ("How do I reset my password?", "How do I reset my phone?"),
    ("Is Messi better than Ronaldo?", "Is Ronaldo better than Messi?"),
    ("What is the capital of France?", "Which city is the capital of France?"),
    ("What is the capital of France?", "What is the population of France?"),
    ("How can I cook rice?", "How can I cook rice without a cooker?"),
    ("¿Cómo puedo cancelar mi cuenta?", "¿De qué manera puedo cancelar la cuenta?"),
    ("Como posso cancelar a minha conta?", "Como posso abrir uma conta?"),
    ("ok", "ok"),
]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder with the training data (needed)")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--scale", type=float, default=1, help="share of the written pairs")
    parser.add_argument("--threads", type=int, default=1, help="more than free cores make it slower")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data FOLDER is needed: the open files that guard_pairs.py reads.")
    return options


def load_pairs(folder: Path, work: Path, scale: float) -> list[Pair]:
    path = work / f"pairs-{scale:g}.json"
    if not path.exists():
        pairs = make_pairs(folder, scale=scale)
        path.write_text(json.dumps([[p.a, p.b, p.same, p.family, p.split] for p in pairs], ensure_ascii=False), "utf-8")
    return [Pair(*row) for row in json.loads(path.read_text("utf-8"))]


def load_rows(path: Path, tokenizer: Tokenizer, pairs: list[Pair], side: str, spec: GuardSpec) -> Rows:
    """Token ids of one side of every pair, kept beside the pairs they are of."""
    if not path.exists():
        rows = encode(tokenizer, [getattr(pair, side) for pair in pairs], spec.max_tokens)
        np.savez(path, ids=rows.ids, lengths=rows.lengths)
    kept = np.load(path)
    return Rows(kept["ids"], kept["lengths"])


def word_rows(data: Path, work: Path) -> tuple[dict[str, object], NDArray[np.float32]]:
    """(tokenizer, table [pieces, DIMS]): each piece's mean state in the teacher, its main directions kept."""
    embed = work.parent / "embed"
    definition = student_tokenizer(data, embed)
    path = work / "words.npy"
    if not path.exists():
        spec = EncoderSpec(vocab=len(definition["model"]["vocab"]), hidden=384, layers=0, heads=12, intermediate=128)
        english = (text.text for text in load_corpus(data, embed) if text.lang == "en")
        texts = list(itertools.islice((text for text in english if len(text.split()) <= 24), PREFIX_TEXTS))
        words = make_student(spec, 6, definition, data, embed, texts).embeddings
        with torch.no_grad():
            states = words["norm"](words["word"].weight).numpy()
        states -= states.mean(0)
        directions = np.linalg.svd(states, full_matrices=False)[2][:DIMS]
        rows = states @ directions.T
        rows *= DIMS**0.5 / np.linalg.norm(rows, axis=1).mean() / 2
        np.save(path, dequantize(*quantize(rows)).astype(np.float32))
    return definition, np.load(path)


def artefact(model: Guard) -> onnx.ModelProto:
    """Every weight as an initialiser: INT8 rows with one scale each, the few vectors as float32."""
    initializers = []

    def keep(name: str, array: NDArray) -> None:
        array = np.ascontiguousarray(array)
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        initializers.append(helper.make_tensor(name, kind, array.shape, array.tobytes(), raw=True))

    for name, tensor in model.state_dict().items():
        values = tensor.detach().float().numpy()
        if values.ndim == 2:
            stored, scale = quantize(values)
            keep(f"{name.removesuffix('.weight')}.q8", stored)
            keep(f"{name.removesuffix('.weight')}.scale", scale.astype("<f4"))
        else:
            keep(name, values.astype("<f4"))
    out = helper.make_tensor_value_info("sharpness", TensorProto.FLOAT, [2])
    graph = helper.make_graph([], ID, [], [out], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], producer_name="nearfield")


def average_precision(scores: NDArray[np.float32], same: NDArray[np.bool_]) -> float:
    ranked = same[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(ranked) / np.arange(1, len(ranked) + 1))[ranked].mean())


def measure(model: Guard, held: list[Pair], tokenizer: Tokenizer, most: int) -> dict[str, object]:
    """Average precision over all held pairs and, a family, the share decided rightly at 0.5."""
    hard = [pair for pair in held if pair.same in (0, 1) or pair.same >= 0.9]
    found = scores(model, *(encode(tokenizer, [getattr(pair, side) for pair in hard], most) for side in ("a", "b")))
    same = np.array([pair.same >= 0.9 for pair in hard])
    families: dict[str, dict[str, float]] = {}
    for family in sorted({pair.family for pair in hard}):
        at = np.array([pair.family == family for pair in hard])
        right = ((found > 0) == same)[at]
        families[family] = {"pairs": int(at.sum()), "right": round(float(right.mean()), 4)}
    return {"averagePrecision": round(average_precision(found, same), 4), "families": families}


def write_manifest(out: Path, spec: GuardSpec, metrics: dict[str, object]) -> None:
    files = []
    for path, role in {"onnx/model.onnx": "weights", "tokenizer.json": "tokenizer", "golden.json": "golden"}.items():
        content = (out / path).read_bytes()
        files.append({"path": path, "role": role, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    write_json(
        out / "manifest.json",
        {
            "schema": 1,
            "id": ID,
            "task": "same-question",
            "architecture": "nearfield-guard",
            "dims": spec.table,
            "hidden": spec.width,
            "layers": 1,
            "heads": 1,
            "intermediate": spec.compared,
            "vocab": spec.vocab,
            "maxTokens": spec.max_tokens,
            "layerNormEps": 1e-5,
            "pooling": "none",
            "quantization": {"scheme": "int8-symmetric-per-channel", "bits": 8},
            "files": files,
            "languages": ["en", "es", "pt"],
            "source": {"words": "sentence-transformers/all-MiniLM-L6-v2", "revision": f"sha256:{teacher_hash()}"},
            "license": "Apache-2.0",
            "metrics": {"how": "pairs held out by text, PyTorch with the INT8 weights", **metrics},
            "data": [
                "stsb-multi-mt train, scores (CC BY-SA 4.0 and mixed)",
                "banking77 (CC BY 4.0), clinc150 (CC BY 3.0): two requests of one intent, and of two",
                "gptcache-mock (MIT): sentences and their rewritings",
                "boolq, openbookqa, arc, xquad, faquad, hwu64, p3 questions: reworded and changed by rule",
                "questions written by template (guard_words.py)",
            ],
        },
    )


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    work = options.out.parent.parent / ".nearfield" / "guard"
    work.mkdir(parents=True, exist_ok=True)
    pairs = load_pairs(options.data, work, options.scale)
    definition, table = word_rows(options.data, work)
    spec = GuardSpec(vocab=len(table), table=DIMS)
    tokenizer = make_tokenizer(definition, spec.max_tokens + 2)
    trained = [pair for pair in pairs if pair.split == "train"]
    held = [pair for pair in pairs if pair.split == "held"]
    print(f"{len(trained)} pairs to train on, {len(held)} held", flush=True)
    sides = [load_rows(work / f"rows-{options.scale:g}-{side}.npz", tokenizer, trained, side, spec) for side in ("a", "b")]
    torch.manual_seed(1)
    model = train(Guard(spec, torch.from_numpy(table)), trained, *sides, Plan(steps=options.steps), work)
    options.out.mkdir(parents=True, exist_ok=True)
    path = write_weights(options.out, artefact(model))
    (options.out / "tokenizer.json").write_text(
        json.dumps(definition, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8"
    )
    sides = (encode(tokenizer, [plain(pair[side]) for pair in GOLDEN], spec.max_tokens) for side in (0, 1))
    golden = {"pairs": GOLDEN, "logits": [round(float(value), 4) for value in scores(model, *sides)]}
    write_json(options.out / "golden.json", golden)
    metrics = measure(model, held, tokenizer, spec.max_tokens)
    write_manifest(options.out, spec, metrics)
    print(json.dumps(metrics, indent=1))
    print(f"Wrote {path} ({path.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()

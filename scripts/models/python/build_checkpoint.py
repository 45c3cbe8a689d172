"""`npm run models -- build llama --from FOLDER`: a Hugging Face checkpoint on this disk, quantised for the kernel."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path

import build_llama

KINDS = ("llama", "qwen2", "qwen3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that gets a folder of the model's name")
    parser.add_argument("--from", dest="source", type=Path, required=True, help="a checkpoint's folder")
    parser.add_argument("--data", type=Path, help="not used")
    options = parser.parse_args()
    source: Path = options.source.resolve()
    config = json.loads((source / "config.json").read_text("utf-8"))
    if config.get("model_type") not in KINDS:
        raise SystemExit(f"{source} is '{config.get('model_type')}'; the kernel reads {', '.join(KINDS)}.")
    if config.get("use_sliding_window") or config.get("mlp_bias"):
        raise SystemExit("Sliding windows and MLP biases are not supported.")
    name = re.sub(r"[^a-z0-9.-]+", "-", source.name.lower()).strip("-.")
    folder: Path = options.out / name
    folder.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.suffix in (".json", ".safetensors") and not (folder / path.name).exists():
            os.symlink(path, folder / path.name)
    (folder / "pulled.json").write_text(json.dumps({"source": {"id": name, "commit": "local"}}), "utf-8")
    sys.argv = [sys.argv[0], "--folder", str(folder)]
    build_llama.main()


if __name__ == "__main__":
    main()

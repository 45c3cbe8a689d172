// The smallest encoder that behaves like a real one: 32 words, 8 dims, made once with ONNX's Python package
// (Gather, MatMul, Tanh, masked mean, L2 norm). For tests; its answers mean nothing.
import { createHash } from 'node:crypto';
import type { Golden } from '../../runtime/engine/golden.ts';
import type { Manifest, ModelFile } from '../../runtime/models.ts';

/** Graph with outputs last_hidden_state and sentence_embedding, base64. */
const POOLED =
  'CAg6ww4KGwoDZW1iCglpbnB1dF9pZHMSAWUiBkdhdGhlcgoRCgFlCgFXEgFtIgZNYXRNdWwKHAoBbRIRbGFzdF9oaWRkZW5fc3RhdGUiBFRhbmgKJQoOYXR0ZW50aW9uX21hc2sSAm1mIgRDYXN0KgkKAnRvGAGgAQIKGAoCbWYKA2F4MhICbXUiCVVuc3F1ZWV6ZQokChFsYXN0X2hpZGRlbl9zdGF0ZQoCbXUSBm1hc2tlZCIDTXVsCiwKBm1hc2tlZAoDYXgxEgFzIglSZWR1Y2VTdW0qDwoIa2VlcGRpbXMYAKABAgooCgJtZgoDYXgxEgFuIglSZWR1Y2VTdW0qDwoIa2VlcGRpbXMYAaABAgoOCgFzCgFuEgFwIgNEaXYKPwoBcBISc2VudGVuY2VfZW1iZWRkaW5nIg9McE5vcm1hbGl6YXRpb24qCwoEYXhpcxgBoAECKggKAXAYAqABAhIEdGlueSqOCAggCAgQAUIDZW1iSoAIGT2hOi31mD7MW4y+1P1jv5zK6L6M3H2/I1l2PSyMqz9+Avy+cdcev5TM+j7lubY+bePXPSczbr+Foe+8ZP8xPzkPrL+dTOq+RFvzv5MPpb/5veu/u7twvrA7or8p44o+W4MgPtNqP76XEiHAx+cJv+2oRr2LDug9fdvDvxSc9L46gHq/9Q9Pv4fLhz+Yuk6/ezUFvWBnYj/XZhW//sPkvQY74j0FoII9oc6cv2nvmz3t7a0/1gjGv4EAXD/ib/Q9Zzckv9MGAEB0I0M/TIKZv/ebmD3uoRM/GlBBvjXTLj88Ooi9vNAqP4IhuD80+Cy/kQNQPqc27b6nUgI+/vWXvxxNFL+Z50i+ZBVmP6KWkj9caam/r21Lv3abJT+dB/+/miTtvl4+x73e5aA/xnwwP4SIp777tby+nRmAvgMDwz8WJtu+/3ubvo6GtD5/Vve94ARKvsGZjr+KxDy8FB3jvq1DlT/PMCc/1MjFvAUbKz9iA66+FKyGP8zusLuMWBU//TulvwyAsT4TF9i/1EICwGXkm76oYWa/df0nPhiqD0DP61S/xLofv2lVUj49bPw+y6M0vmffUr6d1DM/qxgFP31PhL/RKaK98YgQPVr5hr+hCYU+CaNbv13ZeD8vX0U+Uua2PaJNF7+16fK9J7b/v/bRkL8jxrk+cToIwFa7WD8XgN+/nblBP35yWL/2a0c/ExgGPgK3xL8b5J8/3Im4P7nEhr3BPoy+KrQjvpWjeb9+now/9/oKvwqtUb15FUu/VEYgv3+Mo7+m56A/IskdvqRGdz9pT1o8bsQxv0pDp75Naw+/4mYCPPoiwL5Xj5m+I3Wwv3SNTr8ouNM/8dUrv4zshr8Jtqw+fyG0P3gdur/AhlW+Ms4hvxZp4b8oJDw/dg3AvBpQkj18l0C/eNnoPmQPCr84VRK+fduNv0Gpm7+18qo/ndEBvyFXlT7XZwq9yd3hvrsJAr8YTSE/ZI6avgsUG778CbY805eWP/g1Lj8v5MM+N0YQv1rksL9lFHM/FGl3P90VEL7muAo/pwxIP4HIVD/K32s/t0bpvqLqwT9dkJ+/4plcP6rk/D6BpV8/WIPwP08Cvj8olZK/ZCbYv6QfUT/t64G/+T9LvGH4Vj/0Z9K/6wkHwNfChD77zTU9zbN7vqHWHT3ASly/L7rBv5KnKr7nwXi/mV3Sv1F0AT8hfXu9giTQPm9Cfb+Kdii/ScF/v/b6Yr8DGUg+BnFIv1JOtj599K0+PZwBQOlGsr+STWM/d0W3vfTcZbwjlbm/hp7rvi1CPj9s6qi91f+lPdHYlL7xyJM/PeevvJzTDMCrKzG/hwH8v5EXUMCktQe/F7KqP80AQT36FZa/tdFwvyqMAggICAgQAUIBV0qAAu+3kD/gaCE+2ppEPcD6Wr2YSR09ES9OPw11DT+x4Vw+tnyFvwbYAj/RKi+/IwOMP8uxor+D7Ay+xx3xu/yNqb+Radw/nO66P9pa7b6Fj0U/1OHBPo9EJ8ArNIA+7kN7vdxtqj0K14m/2+eJvneJNr55E5g/BjqrPvkGtrtKtcM/uiQOv2ljx75ui+i/dtjIP3zedj+Otmo/7jwrP5WV4T0iqVw+AgeBvqF8UL53bV49oYPBP5BBDj/jc2+9ClMUv0OPIr9wJc0/QrYBP/JXij2/PrG+dvWNv7buiL0OqF8/pPrIvkiyaL7UVmK+A3PgPcjny79EDHG+qrlavyp0Yj8qEwgBEAdCA2F4MUoIAQAAAAAAAAAqEwgBEAdCA2F4MkoIAgAAAAAAAABaHQoJaW5wdXRfaWRzEhAKDggHEgoKAxIBYgoDEgFzWiIKDmF0dGVudGlvbl9tYXNrEhAKDggHEgoKAxIBYgoDEgFzYikKEWxhc3RfaGlkZGVuX3N0YXRlEhQKEggBEg4KAxIBYgoDEgFzCgIICGIlChJzZW50ZW5jZV9lbWJlZGRpbmcSDwoNCAESCQoDEgFiCgIICEIECgAQEQ==';

/** The same weights, one input and last_hidden_state only: the engine must pool by itself. */
const UNPOOLED =
  'CAg6vgsKGwoDZW1iCglpbnB1dF9pZHMSAWUiBkdhdGhlcgoRCgFlCgFXEgFtIgZNYXRNdWwKHAoBbRIRbGFzdF9oaWRkZW5fc3RhdGUiBFRhbmgSBHRpbnkqjggIIAgIEAFCA2VtYkqACBk9oTot9Zg+zFuMvtT9Y7+cyui+jNx9vyNZdj0sjKs/fgL8vnHXHr+UzPo+5bm2Pm3j1z0nM26/haHvvGT/MT85D6y/nUzqvkRb87+TD6W/+b3rv7u7cL6wO6K/KeOKPluDID7Taj++lxIhwMfnCb/tqEa9iw7oPX3bw78UnPS+OoB6v/UPT7+Hy4c/mLpOv3s1Bb1gZ2I/12YVv/7D5L0GO+I9BaCCPaHOnL9p75s97e2tP9YIxr+BAFw/4m/0PWc3JL/TBgBAdCNDP0yCmb/3m5g97qETPxpQQb410y4/PDqIvbzQKj+CIbg/NPgsv5EDUD6nNu2+p1ICPv71l78cTRS/medIvmQVZj+ilpI/XGmpv69tS792myU/nQf/v5ok7b5ePse93uWgP8Z8MD+EiKe++7W8vp0ZgL4DA8M/Fibbvv97m76OhrQ+f1b3veAESr7BmY6/isQ8vBQd476tQ5U/zzAnP9TIxbwFGys/YgOuvhSshj/M7rC7jFgVP/07pb8MgLE+ExfYv9RCAsBl5Ju+qGFmv3X9Jz4Yqg9Az+tUv8S6H79pVVI+PWz8PsujNL5n31K+ndQzP6sYBT99T4S/0SmivfGIED1a+Ya/oQmFPgmjW79d2Xg/L19FPlLmtj2iTRe/tenyvSe2/7/20ZC/I8a5PnE6CMBWu1g/F4Dfv525QT9+cli/9mtHPxMYBj4Ct8S/G+SfP9yJuD+5xIa9wT6Mviq0I76Vo3m/fp6MP/f6Cr8KrVG9eRVLv1RGIL9/jKO/puegPyLJHb6kRnc/aU9aPG7EMb9KQ6e+TWsPv+JmAjz6IsC+V4+ZviN1sL90jU6/KLjTP/HVK7+M7Ia/CbasPn8htD94Hbq/wIZVvjLOIb8WaeG/KCQ8P3YNwLwaUJI9fJdAv3jZ6D5kDwq/OFUSvn3bjb9BqZu/tfKqP53RAb8hV5U+12cKvcnd4b67CQK/GE0hP2SOmr4LFBu+/Am2PNOXlj/4NS4/L+TDPjdGEL9a5LC/ZRRzPxRpdz/dFRC+5rgKP6cMSD+ByFQ/yt9rP7dG6b6i6sE/XZCfv+KZXD+q5Pw+gaVfP1iD8D9PAr4/KJWSv2Qm2L+kH1E/7euBv/k/S7xh+FY/9GfSv+sJB8DXwoQ++801Pc2ze76h1h09wEpcvy+6wb+Spyq+58F4v5ld0r9RdAE/IX17vYIk0D5vQn2/inYov0nBf7/2+mK/AxlIPgZxSL9STrY+ffStPj2cAUDpRrK/kk1jP3dFt7303GW8I5W5v4ae674tQj4/bOqovdX/pT3R2JS+8ciTPz3nr7yc0wzAqysxv4cB/L+RF1DApLUHvxeyqj/NAEE9+hWWv7XRcL8qjAIICAgIEAFCAVdKgALvt5A/4GghPtqaRD3A+lq9mEkdPREvTj8NdQ0/seFcPrZ8hb8G2AI/0SovvyMDjD/LsaK/g+wMvscd8bv8jam/kWncP5zuuj/aWu2+hY9FP9ThwT6PRCfAKzSAPu5De73cbao9CteJv9vnib53iTa+eROYPwY6qz75Bra7SrXDP7okDr9pY8e+bovov3bYyD983nY/jrZqP+48Kz+VleE9IqlcPgIHgb6hfFC+d21ePaGDwT+QQQ4/43NvvQpTFL9DjyK/cCXNP0K2AT/yV4o9vz6xvnb1jb+27oi9DqhfP6T6yL5Ismi+1FZivgNz4D3I58u/RAxxvqq5Wr8qdGI/Wh0KCWlucHV0X2lkcxIQCg4IBxIKCgMSAWIKAxIBc2IpChFsYXN0X2hpZGRlbl9zdGF0ZRIUChIIARIOCgMSAWIKAxIBcwoCCAhCBAoAEBE=';

const WORDS = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  'a',
  'near',
  'field',
  'answer',
  '##s',
  'the',
  'question',
  'stay',
  'on',
  'device',
  'never',
  'leave',
  'edge',
  'cloud',
  '.',
  ',',
  'b',
  'c',
  'd',
  'e',
  'f',
  'g',
  'h',
  'i',
  'j',
  'k',
  'l',
  'm',
];
const TOKENIZER = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [
    {
      id: 0,
      content: '[PAD]',
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    },
    {
      id: 1,
      content: '[UNK]',
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    },
    {
      id: 2,
      content: '[CLS]',
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    },
    {
      id: 3,
      content: '[SEP]',
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    },
  ],
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
    },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
  },
};
const GOLDEN: Golden = {
  texts: ['near answers', 'the question stays on the device, never leaves.', 'edge cloud a b c'],
  inputIds: [
    [2, 5, 7, 8, 3],
    [2, 9, 10, 11, 8, 12, 9, 13, 19, 14, 15, 8, 18, 3],
    [2, 16, 17, 4, 20, 21, 3],
  ],
  embeddings: [
    [
      -0.37609198689460754, -0.20244100689888, 0.3969700038433075, -0.3997890055179596, -0.24127599596977234,
      0.34967198967933655, 0.3529070019721985, -0.4417330026626587,
    ],
    [
      0.1304749995470047, 0.18306200206279755, 0.5143089890480042, -0.4622730016708374, -0.3707900047302246,
      -0.37811198830604553, -0.40115299820899963, 0.17284899950027466,
    ],
    [
      -0.2751539945602417, -0.21618600189685822, 0.10638099908828735, -0.11447399854660034,
      -0.08292700350284576, 0.16077199578285217, -0.28383898735046387, -0.8601409792900085,
    ],
  ],
};

export interface TinyModel {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/** A manifest whose digests are right, and its files by path. */
export function tinyModel(options: { readonly pooled?: boolean; readonly id?: string } = {}): TinyModel {
  const tokenizer = {
    ...TOKENIZER,
    model: { ...TOKENIZER.model, vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])) },
  };
  const weights = Buffer.from(options.pooled === false ? UNPOOLED : POOLED, 'base64');
  const files = new Map<string, Uint8Array<ArrayBuffer>>([
    ['model.onnx', Uint8Array.from(weights)],
    ['tokenizer.json', new TextEncoder().encode(JSON.stringify(tokenizer))],
    ['golden.json', new TextEncoder().encode(JSON.stringify(GOLDEN))],
  ]);
  const roles: Readonly<Record<string, ModelFile['role']>> = {
    'model.onnx': 'weights',
    'tokenizer.json': 'tokenizer',
    'golden.json': 'golden',
  };
  return {
    files,
    manifest: {
      schema: 1,
      id: options.id ?? 'tiny',
      task: 'embed',
      architecture: 'tiny',
      dims: 8,
      hidden: 8,
      layers: 1,
      heads: 1,
      intermediate: 8,
      vocab: WORDS.length,
      maxTokens: 16,
      layerNormEps: 1e-12,
      pooling: 'mean',
      files: [...files].map(([path, bytes]) => ({
        path,
        role: roles[path] ?? 'other',
        bytes: bytes.byteLength,
        sha256: createHash('sha256').update(bytes).digest('hex'),
      })),
    },
  };
}

export const tinyGolden: Golden = GOLDEN;

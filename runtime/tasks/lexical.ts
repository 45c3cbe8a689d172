// Owns word overlap between a question and sentences: inverse-frequency weighted, stems by prefix.
// A second opinion beside the embedding, cheap enough to run on every sentence.

// Function words carry no evidence; en, es, pt, accents already stripped.
const STOP_WORDS: ReadonlySet<string> = new Set(
  (
    'a an the of to in on at by for from with and or not is are was were be been do does did can could may ' +
    'what which who whom whose when where why how much many this that these those it its i my me you your we our ' +
    'he she his her they their there has have had will would should if then as than so ' +
    'el la los las un una de del al en por para con y o no es son fue eran ser que cual quien cuando donde como ' +
    'cuanto cuantos cuantas cuanta este esta estos estas ese esa se su sus lo le les mi mis tu tus me te si ' +
    'o os as um uma do da dos das em no na nos nas por com e ou nao foi sao ser qual quem quando onde como ' +
    'quanto quantos quantas este esta isso esse essa se seu sua seus suas ao aos pelo pela eu meu minha'
  ).split(' '),
);
const STEM_LETTERS = 6;

/** Content stems of a text: lower case, accents stripped, cut to six letters, function words left out. */
export function stems(text: string): readonly string[] {
  const words = text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu);
  return (words ?? []).filter((word) => !STOP_WORDS.has(word)).map((word) => word.slice(0, STEM_LETTERS));
}

/** Share of the question's inverse-frequency weight found in each sentence, 0…1. Source: Spärck Jones 1972. */
export function overlaps(
  question: readonly string[],
  sentences: readonly ReadonlySet<string>[],
): Float32Array {
  const scores = new Float32Array(sentences.length);
  const wanted = [...new Set(question)];
  const weights = wanted.map((stem) => {
    const seen = sentences.reduce((count, sentence) => count + (sentence.has(stem) ? 1 : 0), 0);
    return Math.log(1 + sentences.length / (1 + seen));
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return scores;
  for (const [at, sentence] of sentences.entries()) {
    const found = wanted.reduce((sum, stem, index) => sum + (sentence.has(stem) ? weights[index]! : 0), 0);
    scores[at] = found / total;
  }
  return scores;
}

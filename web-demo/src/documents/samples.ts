// Owns the three sample documents, written for this page, so a first visitor can ask at once. Their text is
// loaded only when one is added.
import type { Locale } from '../i18n/i18n.ts';

export interface Sample {
  readonly id: string;
  readonly title: string;
  readonly language: Locale;
  readonly questions: readonly string[];
  load(): Promise<string>;
}

const raw = async (module: Promise<{ readonly default: string }>): Promise<string> => (await module).default;

export const SAMPLES: readonly Sample[] = [
  {
    id: 'sample-discharge-en',
    title: 'Going home after your knee operation',
    language: 'en',
    questions: [
      'When can I drive again?',
      'What do I do if I forget an injection?',
      'At what temperature should I call the ward?',
    ],
    load: () => raw(import('./samples/discharge-en.md?raw')),
  },
  {
    id: 'sample-alquiler-es',
    title: 'Contrato de arrendamiento de vivienda',
    language: 'es',
    questions: [
      '¿De cuánto es la renta al mes?',
      '¿Cuándo se devuelve la fianza?',
      '¿Quién paga la reparación de la caldera?',
    ],
    load: () => raw(import('./samples/alquiler-es.md?raw')),
  },
  {
    id: 'sample-trabalho-pt',
    title: 'Manual de férias e trabalho remoto',
    language: 'pt',
    questions: [
      'Quantos dias de férias tenho por ano?',
      'Posso trabalhar a partir de outro país?',
      'Quando é preciso um atestado médico?',
    ],
    load: () => raw(import('./samples/trabalho-pt.md?raw')),
  },
];

/** Samples in the reader's language first. */
export function samplesFor(language: Locale): readonly Sample[] {
  return [...SAMPLES].sort((a, b) => Number(b.language === language) - Number(a.language === language));
}

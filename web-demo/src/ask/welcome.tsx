// Owns what a first visitor sees: what this is, and a question to press.
import type { JSX } from 'preact';
import { SAMPLES, type Sample, samplesFor } from '../documents/samples.ts';
import { locale, t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import { Icon } from '../ui/icons.tsx';

export function Welcome(): JSX.Element {
  const { library } = useApp();
  const held = new Set(library.documents.value.map(({ id }) => id));
  const ownOnly = held.size > 0 && !SAMPLES.some(({ id }) => held.has(id));
  return (
    <div class="welcome">
      <div class="welcome-inner">
        <h1>{t('ask.title')}</h1>
        <p class="lead">{t('ask.lead')}</p>
        {!ownOnly && (
          <>
            <h2 class="label">{t('ask.start')}</h2>
            <div class="samples">
              {samplesFor(locale.value).map((sample) => (
                <SampleCard key={sample.id} sample={sample} />
              ))}
            </div>
          </>
        )}
      </div>
    </div>
  );
}

function SampleCard({ sample }: { readonly sample: Sample }): JSX.Element {
  const { library, conversation } = useApp();
  const ask = async (question: string): Promise<void> => {
    await library.addSample(sample);
    await conversation.ask(question);
  };
  return (
    <article class="card sample" lang={sample.language}>
      <h3>
        <span class="sample-icon">
          <Icon name="file" size={16} />
        </span>
        {sample.title}
      </h3>
      <ul>
        {sample.questions.map((question) => (
          <li key={question}>
            <button type="button" class="suggestion" onClick={() => void ask(question)}>
              {question}
              <Icon name="chevron" size={14} />
            </button>
          </li>
        ))}
      </ul>
    </article>
  );
}

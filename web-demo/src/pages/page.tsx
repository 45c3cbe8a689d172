// Owns the frame the quieter pages share: a heading, one sentence, figures, sections.
import type { ComponentChildren, JSX } from 'preact';

export function PageFrame(props: {
  readonly title: string;
  readonly lead: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <div class="page">
      <div class="page-inner">
        <h1>{props.title}</h1>
        <p class="lead">{props.lead}</p>
        {props.children}
      </div>
    </div>
  );
}

export interface Figure {
  readonly label: string;
  readonly value: string;
  readonly tone?: 'good' | undefined;
}

export function Figures({ figures }: { readonly figures: readonly Figure[] }): JSX.Element {
  return (
    <dl class="figures">
      {figures.map(({ label, value, tone }) => (
        <div key={label} class="figure" data-tone={tone}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

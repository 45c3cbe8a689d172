// Owns the page's privacy policy: the balanced preset, and documents never leave, whatever reach is chosen.
import { type PolicyDocument, PRESETS } from 'nearfield/policy';

export const PAGE_POLICY: PolicyDocument = {
  ...PRESETS.balanced,
  rules: [
    ...PRESETS.balanced.rules,
    {
      id: 'documents-stay',
      why: 'The question is about your documents; they stay on this device.',
      when: { origin: ['document'] },
      narrow: { farthest: 'device' },
    },
  ],
};

// Owns attacks 1 to 3, and 6: a value in every disguise, and in every place of a request that holds text.
import { type Canary, carry, disguisesFor, mostOf } from './canaries.ts';
import { type EdgeAttempt, postChat, said } from './edge-runner.ts';

const GROUPS = [
  ['unicode', '1 unicode'],
  ['encoding', '2 encodings'],
  ['wording', '3 spacing and wording'],
] as const;

/** Every disguise that suits a canary, and the canary as it is. */
export function disguisedAttempts(take: (count: number) => Canary[], count: number): EdgeAttempt[] {
  const attempts: EdgeAttempt[] = [];
  const add = (attack: string, name: string, canary: Canary, worn: string): void => {
    const text = carry(canary, worn, attempts.length);
    attempts.push({
      attack,
      name: `${canary.kind}, ${name}`,
      canaries: [{ canary, worn }],
      send: async (edge) => await postChat(edge, said(text)),
    });
  };
  for (const canary of take(count)) add('0 as they are', 'plain', canary, canary.value);
  // A fresh value for each disguise: whatever is found later can have come from one attempt only.
  for (const [group, attack] of GROUPS) {
    for (let at = 0; at < mostOf(group); at += 1) {
      for (const canary of take(count)) {
        const disguise = disguisesFor(canary, group)[at];
        if (disguise !== undefined) add(attack, disguise.name, canary, disguise.wear(canary.value));
      }
    }
  }
  return attempts;
}

type Place = (value: string) => { readonly body: object; readonly headers?: Record<string, string> };

const PLAIN = 'Write one short sentence about gardens.';
const functionTool = (more: object): object => ({
  tools: [{ type: 'function', function: { name: 'lookup', description: 'Looks something up.', ...more } }],
});
const turns = (...messages: readonly object[]): object => ({
  model: 'any',
  messages: [...messages, { role: 'user', content: PLAIN }],
});

const PLACES: Readonly<Record<string, Place>> = {
  'system prompt': (v) => ({ body: turns({ role: 'system', content: `You help the client ${v} today.` }) }),
  'developer prompt': (v) => ({ body: turns({ role: 'developer', content: `Reply to ${v} only.` }) }),
  'earlier turn': (v) => ({
    body: turns({ role: 'user', content: `I am ${v}.` }, { role: 'assistant', content: `Noted: ${v}.` }),
  }),
  'text parts': (v) => ({
    body: turns({
      role: 'user',
      content: [
        { type: 'text', text: 'Contact: ' },
        { type: 'text', text: v },
      ],
    }),
  }),
  'part border': (v) => ({
    body: turns({
      role: 'user',
      content: [
        { type: 'text', text: `Contact: ${v.slice(0, 6)}` },
        { type: 'text', text: `${v.slice(6)} please.` },
      ],
    }),
  }),
  'tool description': (v) => ({
    body: said(PLAIN, functionTool({ description: `Finds ${v} in the list.` })),
  }),
  'tool parameter default': (v) => ({
    body: said(PLAIN, functionTool({ parameters: { type: 'object', properties: { who: { default: v } } } })),
  }),
  'tool parameter enum': (v) => ({
    body: said(PLAIN, functionTool({ parameters: { type: 'object', properties: { who: { enum: [v] } } } })),
  }),
  'tool parameter name': (v) => ({
    body: said(PLAIN, functionTool({ parameters: { type: 'object', properties: { [v]: {} } } })),
  }),
  'tool arguments and result': (v) => ({
    body: {
      ...(turns(
        { role: 'user', content: 'Look it up.' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            {
              id: 'call_1',
              type: 'function',
              function: { name: 'lookup', arguments: JSON.stringify({ who: v }) },
            },
          ],
        },
        { role: 'tool', tool_call_id: 'call_1', content: JSON.stringify({ found: { contact: v } }) },
      ) as Record<string, unknown>),
      ...functionTool({}),
    },
  }),
  'response schema': (v) => ({
    body: said(PLAIN, {
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'reply', schema: { type: 'object', description: `For ${v}`, properties: {} } },
      },
    }),
  }),
  'stop sequence': (v) => ({ body: said(PLAIN, { stop: [v] }) }),
  metadata: (v) => ({ body: said(PLAIN, { metadata: { customer: v } }) }),
  'unknown field': (v) => ({ body: said(PLAIN, { x_customer: v, store: true }) }),
  user: (v) => ({ body: said(PLAIN, { user: v }) }),
  scope: (v) => ({ body: said(PLAIN, { scope: v }) }),
  'participant name': (v) => ({ body: turns({ role: 'user', name: v, content: 'Hello there.' }) }),
  'document text': (v) => ({
    body: said('Compare both texts.', { documents: [{ id: 'a', text: `The contact is ${v}.` }] }),
  }),
  'document name': (v) => ({
    body: said('Compare both texts.', {
      documents: [{ id: `${v}.pdf`, title: `${v}.pdf`, text: 'Tulips bloom in May.' }],
    }),
  }),
  'file name in prose': (v) => ({
    body: said(`Rename C:\\scans\\${v}.pdf and /home/x/${v}/scan.jpg please.`),
  }),
  'url path': (v) => ({ body: said(`Open https://portal.example/people/${v}/file for me.`) }),
  'url query': (v) => ({
    body: said(`Open https://portal.example/find?a=1&q=${encodeURIComponent(v)} for me.`),
  }),
  'url fragment': (v) => ({
    body: said(`Open https://portal.example/find#${encodeURIComponent(v)} for me.`),
  }),
  'json in prose': (v) => ({ body: said(`Shorten this: ${JSON.stringify({ customer: { contact: v } })}`) }),
  'csv in prose': (v) => ({ body: said(`Sort by id:\nid,contact\n2,${v}\n1,none`) }),
  'code in prose': (v) => ({ body: said(`Fix it:\n\`\`\`js\nconst contact = "${v}";\n\`\`\``) }),
  'request headers': (v) => ({
    body: said(PLAIN),
    headers: {
      'x-forwarded-for': v,
      'x-customer': v,
      'user-agent': `Portal/1 (${v})`,
      referer: `https://portal.example/?q=${encodeURIComponent(v)}`,
      'x-request-id': v,
    },
  }),
};

/** Where a name is one without a word around it. */
const NAMED_PLACES: ReadonlySet<string> = new Set([
  'user',
  'scope',
  'participant name',
  'request headers',
  'metadata',
]);

export function placeAttempts(take: (count: number) => Canary[], count: number): EdgeAttempt[] {
  return Object.entries(PLACES).flatMap(([name, place]) =>
    take(count)
      .filter(({ kind }) => kind !== 'name' || NAMED_PLACES.has(name))
      .map((canary): EdgeAttempt => {
        const { body, headers } = place(canary.value);
        return {
          attack: '6 places in a request',
          name: `${canary.kind}, ${name}`,
          canaries: [{ canary, worn: canary.value }],
          send: async (edge) => await postChat(edge, body, headers),
        };
      }),
  );
}
